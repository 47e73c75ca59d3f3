"""Every published figure, typed a second time from the publications."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from arttl.reproduction.cells import Cell
from arttl.reproduction.published import published

NETWORKS = ("xception", "inception_v3", "resnet50", "vgg19")
# task: off-the-shelf / fine-tuned, in the order of NETWORKS.
RIJKSMUSEUM = {
    "material": "87.69/92.13 88.24/92.10 86.81/92.95 92.12/92.23",
    "type": "74.80/90.67 72.96/91.03 71.23/91.30 77.33/90.27",
    "artist": "10.92/51.43 7/51.73 8/46.13 38.11/44.98",
}
# ImageNet off-the-shelf, Rijksmuseum off-the-shelf, ImageNet fine-tuned, Rijksmuseum fine-tuned.
ANTWERP = {
    "type": "42.01/62.92/69.74/72.03 43.90/57.65/70.58/71.88 41.59/64.95/76.50/78.15 38.36/60.10/70.37/71.21",
    "artist": "48.52/54.81/58.15/58.47 21.29/53.41/56.68/57.84 22.39/31.38/62.57/69.01 49.90/53.52/54.90/60.01",
}
CURVES = {  # fine-tuned value@epoch, off-the-shelf value@epoch; tasks in the order material, type, artist
    "resnet50": "93.18@10 86.85@7 91.15@6 71.94@10 56.83@9 9.54@1",
    "inception_v3": "92.58@3 88.49@4 91.12@15 73.63@12 52.00@25 7.68@0",
    "vgg19": "92.84@6 92.45@10 90.27@7 78.61@3 47.90@3 37.11@7",
    "xception": "92.87@13 87.76@4 90.67@21 75.25@5 51.04@38 10.92@5",
}
SCRATCH = {"material": (87.85, 8), "type": (83.88, 11), "artist": (24.60, 19)}
# ImageNet off-the-shelf, Rijksmuseum off-the-shelf, ImageNet fine-tuned, Rijksmuseum fine-tuned.
ANTWERP_CURVES = {
    ("type", None): (43.7, 64.8, 76.5, 78.3),
    ("artist", None): (25.2, 33.0, 62.6, 69.9),
    ("type", "common"): (73.8, 84.0, 88.7, 93.0),
}
ARTIST_BASELINE = {375: 51.02, 374: 65.53, 300: 67.63, 250: 69.45, 200: 71.17, 150: 72.58, 100: 75.73}
ARTIST_BASELINE |= {50: 78.18, 25: 81.81}
TOP = {375: (68.42, 73.98, 77.60, 79.97), 374: (73.33, 77.26, 79.78, 81.33)}
PRECISION = {
    "type": {103: (54.69, 85.98), 75: (58.45, 89.30), 50: (62.17, 90.40), 25: (64.75, 92.04)},
    "material": {81: (38.30, 92.06), 75: (40.04, 93.47), 50: (42.18, 94.00), 25: (51.36, 95.74)},
}
YEAR = {"fisher-vectors": (163.00, 74.39, 48.98), "mean predictor": (173.81, 89.19, 36.84)}
OMNIART = {"100": 78.5, "200": 74.0, "300": 70.8, "all": 52.2}
# Off-the-shelf material, type, artist; fine-tuned material, type, artist: accuracy (balanced).
TONKES = {
    "vgg19": "76.87 (61.39) 83.93 (83.35) 82.01 (78.10) 85.74 (72.43) 90.54 (87.05) 92.20 (90.18)",
    "resnet50": "80.99 (65.51) 85.51 (82.33) 87.71 (85.12) 88.69 (77.97) 91.78 (88.24) 94.72 (93.41)",
    "tf_efficientnetv2_m": "75.96 (59.15) 83.41 (82.05) 78.62 (73.92) 87.55 (75.31) 90.87 (88.34) 92.65 (90.84)",
    "convnext_base": "84.14 (69.10) 89.19 (86.95) 90.13 (87.84) 88.79 (78.40) 92.15 (89.82) 94.60 (93.13)",
    "vit_base_patch16_224": "81.78 (67.38) 86.06 (84.13) 84.89 (81.42) 87.42 (73.46) 90.11 (87.40) 92.05 (89.77)",
    "swin_base_patch4_window7_224": "85.87 (71.19) 89.43 (87.47) 90.40 (88.64) 89.35 (77.16) 92.17 (89.71) 95.05"
    " (93.94)",
    "deit_base_patch16_224": "82.80 (66.46) 88.18 (85.36) 88.13 (85.62) 87.85 (74.42) 91.78 (89.22) 93.37 (91.67)",
    "beit_base_patch16_224": "76.87 (60.16) 82.26 (77.75) 79.70 (75.35) 85.74 (72.12) 90.81 (87.95) 91.27 (88.83)",
}


def value_of(**attributes: object) -> float:
    (figure,) = published().find(**attributes)
    return figure.value


def test_the_table_of_the_rijksmuseum() -> None:
    for task, line in RIJKSMUSEUM.items():
        for network, pair in zip(NETWORKS, line.split(), strict=True):
            for mode, value in zip(("off-the-shelf", "fine-tune"), pair.split("/"), strict=True):
                attributes = {"network": network, "mode": mode, "weights": "imagenet", "measure": "accuracy"}
                assert value_of(
                    source="sabatelli2018", collection="rijksmuseum", split="test", task=task, **attributes
                ) == float(value), (task, attributes)


def test_the_table_of_antwerp() -> None:
    ways = [
        (weights, mode) for mode in ("off-the-shelf", "fine-tune") for weights in ("imagenet", "rijksmuseum")
    ]
    for task, line in ANTWERP.items():
        for network, four in zip(NETWORKS, line.split(), strict=True):
            for (weights, mode), value in zip(ways, four.split("/"), strict=True):
                attributes = {"network": network, "mode": mode, "weights": weights, "measure": "accuracy"}
                assert value_of(collection="antwerp", split="test", task=task, **attributes) == float(
                    value
                ), (
                    task,
                    attributes,
                )


def test_the_curves() -> None:
    columns = [
        (task, mode) for task in ("material", "type", "artist") for mode in ("fine-tune", "off-the-shelf")
    ]
    for network, line in CURVES.items():
        for (task, mode), text in zip(columns, line.split(), strict=True):
            attributes = {
                "collection": "rijksmuseum",
                "split": "val",
                "network": network,
                "weights": "imagenet",
            }
            (figure,) = published().find(task=task, mode=mode, **attributes)
            assert f"{figure.value:.2f}@{figure.epoch}" == text
    for task, (value, epoch) in SCRATCH.items():
        (figure,) = published().find(task=task, mode="scratch", split="val")
        assert (figure.network, figure.weights, figure.value, figure.epoch) == (
            "inception_v3",
            "none",
            value,
            epoch,
        )
    ways = [
        (weights, mode) for mode in ("off-the-shelf", "fine-tune") for weights in ("imagenet", "rijksmuseum")
    ]
    for (task, classes), four in ANTWERP_CURVES.items():
        for (weights, mode), value in zip(ways, four, strict=True):
            attributes = {"task": task, "classes": classes, "weights": weights, "mode": mode}
            assert value_of(collection="antwerp", split="val", **attributes) == value
    assert published().find(task="artist", split="val", network="resnet50", epoch=9)[0].note == (
        "the last epoch has 54.78"
    )


def test_the_dataset_table() -> None:
    datasets = {
        (line.collection, line.task): (line.images, line.classes, line.overlap)
        for line in published().datasets
        if line.source == "sabatelli2018"
    }
    assert datasets == {
        ("rijksmuseum", "material"): (110_668, 206, 0),
        ("rijksmuseum", "type"): (112_012, 1_054, 15),
        ("rijksmuseum", "artist"): (82_018, 1_196, 0),
        ("antwerp", "type"): (23_797, 920, 15),
        ("antwerp", "artist"): (18_656, 903, 0),
    }


def test_the_samples_of_tonkes_and_sabatelli() -> None:
    samples = {line.task: line.images for line in published().datasets if line.source == "tonkes2022"}
    assert samples == {"type": 9_607, "material": 7_788, "artist": 6_530}
    assert {line.classes for line in published().datasets if line.source == "tonkes2022"} == {30}


@pytest.mark.parametrize(
    ("mode", "expected"), [("off-the-shelf", (89.43, 87.47)), ("fine-tune", (92.17, 89.71))]
)
def test_the_figure_of_a_network_whatever_the_tag_of_its_weights(mode, expected) -> None:
    for network in ("swin_base_patch4_window7_224", "swin_base_patch4_window7_224.ms_in1k"):
        cell = Cell("source", "type", "type", network, mode, "imagenet", 0)
        found = [published().of_network(cell, measure) for measure in ("accuracy", "balanced accuracy")]
        assert tuple(figure.value for figure in found if figure) == expected
    assert published().of_network(replace(cell, backbone="resnet18"), "accuracy") is None
    assert published().of_network(replace(cell, task="subject"), "accuracy") is None


def test_the_challenges_baselines() -> None:
    base = {"source": "mensink2014", "split": "test", "collection": "rijksmuseum"}
    for classes, value in ARTIST_BASELINE.items():
        assert value_of(task="artist", classes=str(classes), measure="mean class accuracy", **base) == value
    for classes, values in TOP.items():
        for k, value in enumerate(values, 2):
            measure = f"mean class accuracy of the top {k}"
            assert value_of(task="artist", classes=str(classes), measure=measure, **base) == value
    for task, rows in PRECISION.items():
        for classes, values in rows.items():
            for by, value in zip(("class", "image"), values, strict=True):
                measure = f"mean average precision by {by}"
                assert value_of(task=task, classes=str(classes), measure=measure, **base) == value
    for network, years in YEAR.items():
        measures = ("root mean squared error", "mean absolute error", "within 50 years")
        for measure, value in zip(measures, years, strict=True):
            assert value_of(task="year", network=network, measure=measure, **base) == value


def test_later_results_on_the_same_data() -> None:
    for classes, value in OMNIART.items():
        assert value_of(source="strezoski2017", task="artist", classes=classes) == value
    columns = [
        (mode, task) for mode in ("off-the-shelf", "fine-tune") for task in ("material", "type", "artist")
    ]
    for network, line in TONKES.items():
        numbers = [float(word.strip("()")) for word in line.split()]
        for (mode, task), plain, balanced in zip(columns, numbers[::2], numbers[1::2], strict=True):
            attributes = {
                "source": "tonkes2022",
                "network": network,
                "mode": mode,
                "task": task,
                "classes": "30",
            }
            assert value_of(measure="accuracy", **attributes) == plain
            assert value_of(measure="balanced accuracy", **attributes) == balanced


def test_nothing_is_in_the_file_that_is_not_checked_here() -> None:
    counts = Counter(figure.source for figure in published().figures)
    assert counts == {
        "sabatelli2018": 24 + 32 + 24 + 3 + 12,
        "mensink2014": 9 + 8 + 16 + 6,
        "strezoski2017": 4,
        "tonkes2022": 96,
    }
    known = published().sources
    used = {thing.source for part in ("figures", "notes", "datasets") for thing in getattr(published(), part)}
    assert used == set(known)
    assert all(source.where.startswith("https://") for source in known.values())


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ("artist", "They stand here as 7 and 8"),
        ("parameters", "millions"),
        ("learning rate", "1e-4"),
        ("input scaling", "0 to 1"),
    ],
)
def test_what_the_print_misleads_about(about: str, says: str) -> None:
    assert any(note.about.startswith(about) and says in note.text for note in published().notes)
    for network, value in (("inception_v3", 7), ("resnet50", 8)):
        attributes = {
            "task": "artist",
            "mode": "off-the-shelf",
            "network": network,
            "collection": "rijksmuseum",
        }
        (figure,) = published().find(source="sabatelli2018", split="test", **attributes)
        assert figure.note == f'printed as ".0{value}%"'
