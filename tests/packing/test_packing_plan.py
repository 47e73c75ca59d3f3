from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.packing.plan import make_plan
from arttl.packing.settings import PackSettings
from arttl.shards.rejects import Reject
from arttl.shards.writer import MAX_KEY_LENGTH
from arttl.splits.split import paper_split

MakeArtworks = Callable[..., list[Artwork]]


def _settings(tmp_path: Path, **changes: object) -> PackSettings:
    return PackSettings(out=tmp_path / "out", images=tmp_path / "images", **changes)  # type: ignore[arg-type]


def test_split_is_that_of_the_labelled_rows(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(40)
    plan = make_plan(artworks, _settings(tmp_path, tasks=("material",), seed=3))
    labelled = [artwork for artwork in artworks if "material" in artwork.labels]
    assert plan.unlabelled == 20
    for split, rows in paper_split(len(labelled), 3).items():
        keys = [job.artwork.key for job in plan.jobs[split]]
        assert sorted(keys) == sorted(labelled[row].key for row in rows)
        assert len(keys) < 3 or keys != sorted(keys)
    assert plan.tasks == ("material",)
    assert all(tuple(job.artwork.labels) == ("material",) for jobs in plan.jobs.values() for job in jobs)


def test_split_column(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    names = ["train", "val", None, "test", "train"]
    artworks = [
        dataclasses.replace(artwork, split=split)
        for artwork, split in zip(make_artworks(5), names, strict=True)
    ]
    plan = make_plan(artworks, _settings(tmp_path, split="column=fold"))
    found = {split: sorted(job.artwork.object_number for job in jobs) for split, jobs in plan.jobs.items()}
    assert found == {"train": ["A.0", "A.4"], "val": ["A.1"], "test": ["A.3"]}
    assert [(reject.object_number, reject.reason) for reject in plan.rejects] == [("A.2", "no-split")]
    artworks[0] = dataclasses.replace(artworks[0], split="holdout")
    with pytest.raises(ArttlError, match="'holdout'"):
        make_plan(artworks, _settings(tmp_path, split="column=fold"))


def test_splits_that_no_row_names_are_reported(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = [dataclasses.replace(artwork, split="train") for artwork in make_artworks(4)]
    artworks[0] = dataclasses.replace(artworks[0], split="val")
    for split, where in (
        ("column=fold", "says test in the column 'fold'"),
        ("official", "is of the official split test"),
    ):
        plan = make_plan(artworks, _settings(tmp_path, split=split))
        assert plan.warnings == (
            f"warning: no row that can be packed {where} (--split {split}), so that split is empty",
        )


def test_too_few_rows_say_what_was_left_out(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(6)
    rejects = [
        Reject("B.1", "", "b.png", "missing", "line 8"),
        Reject("B.2", "", "c.png", "missing", "line 9"),
    ]
    with pytest.raises(ArttlError) as error:
        make_plan([*artworks, *rejects], _settings(tmp_path, tasks=("material",)))
    assert str(error.value) == (
        "3 labelled artworks are too few for --split paper, which needs 6;"
        " left out: 2 missing, 3 without a label (the first is b.png: line 8)"
    )
    plan = make_plan([*artworks, *rejects], _settings(tmp_path, tasks=("material",), dry_run=True))
    assert plan.warnings == (
        f"warning: packing would refuse these, which the tables show as train: {error.value}",
    )
    assert [len(jobs) for jobs in plan.jobs.values()] == [3, 0, 0]


def test_photographs_of_one_object_get_keys_of_their_own(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    first, *others = make_artworks(12)
    again = [dataclasses.replace(artwork, object_number="A.0", key=first.key) for artwork in others[:3]]
    plan = make_plan([first, *again, again[0], *others[3:]], _settings(tmp_path))
    keys = [job.artwork.key for jobs in plan.jobs.values() for job in jobs]
    assert len(keys) == len(set(keys)) == 12
    assert first.key in keys
    assert [(reject.file, reject.reason) for reject in plan.rejects] == [("1.jpg", "duplicate-row")]


def test_rows_of_one_picture_with_other_labels_are_warned_of(
    tmp_path: Path, make_artworks: MakeArtworks
) -> None:
    artworks = make_artworks(12)
    labels: list[dict[str, tuple[str, ...]]] = [
        {"material": ("oil",)},
        {"material": ("canvas",), "type": ("painting",)},
        {"material": ("oil",)},
    ]
    rows = [dataclasses.replace(artworks[0], labels=each) for each in labels]
    plan = make_plan([*rows, *artworks[1:]], _settings(tmp_path, tasks=("material", "type")))
    same = "the same object number and image as an earlier row"
    lost = f"{same}; material differs: oil is kept, not canvas; which takes its type from here"
    assert [reject.detail for reject in plan.rejects] == [lost, same]
    assert plan.warnings == (
        "warning: 1 row repeats an earlier row with other labels, which are left out, such as those of object 'A.0'"
        f" ({lost}); several labels of an object belong into one cell (--label-separator), and objects of their own"
        " need numbers of their own (--object-number)",
    )
    kept = [
        job.artwork.labels
        for jobs in plan.jobs.values()
        for job in jobs
        if job.artwork.object_number == "A.0"
    ]
    assert kept == [{"material": ("oil",), "type": ("painting",)}]


def _split_of(settings: PackSettings, artworks: list[Artwork]) -> dict[str, str]:
    plan = make_plan(artworks, settings)
    return {job.artwork.object_number: split for split, jobs in plan.jobs.items() for job in jobs}


@pytest.mark.parametrize("split", ["grouped", "stratified"])
def test_leaves_of_one_object_stay_together(split: str, tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = [
        dataclasses.replace(artwork, object_number=f"B.{index // 3}{'abc'[index % 3]}", key=f"k{index}")
        for index, artwork in enumerate(make_artworks(60))
    ]
    whole = _split_of(_settings(tmp_path, split=split, leaf="[a-z]"), artworks)
    objects = {(number[:-1], found) for number, found in whole.items()}
    assert len(objects) == 20
    assert set(whole.values()) == {"train", "val", "test"}
    apart = _split_of(_settings(tmp_path, split=split), artworks)
    assert len({(number[:-1], found) for number, found in apart.items()}) > 20


@pytest.mark.parametrize("split", ["grouped", "stratified"])
def test_a_series_stays_together(split: str, tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = [
        dataclasses.replace(artwork, group=f"series {index // 5}" if index < 50 else None)
        for index, artwork in enumerate(make_artworks(70))
    ]
    found = _split_of(_settings(tmp_path, split=split), artworks)
    series = {(int(number[2:]) // 5, split) for number, split in found.items() if int(number[2:]) < 50}
    assert len(series) == 10
    assert sorted(found.values()).count("train") == pytest.approx(56, abs=6)


def test_pictures_that_look_the_same_can_be_kept_together(
    tmp_path: Path, make_artworks: MakeArtworks, soft_picture: Callable[..., Image.Image]
) -> None:
    artworks = make_artworks(60)
    for index, artwork in enumerate(artworks):  # three qualities of each of twenty pictures
        soft_picture(96, 64, seed=index // 3).save(artwork.image, quality=95 - 4 * (index % 3))
    artworks[7].image.write_bytes(b"no picture")
    found = _split_of(_settings(tmp_path, split="grouped", near_duplicates="together"), artworks)
    assert len({(int(number[2:]) // 3, split) for number, split in found.items() if number != "A.7"}) == 20
    apart = _split_of(_settings(tmp_path, split="grouped"), artworks)
    assert len({(int(number[2:]) // 3, split) for number, split in apart.items()}) > 20
    with pytest.raises(ArttlError, match="--near-duplicates together and --split paper"):
        _settings(tmp_path, near_duplicates="together").check()


def test_every_class_that_can_be_is_in_every_split(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = [
        dataclasses.replace(
            artwork,
            labels={"type": (f"t{min(index // 4, 9)}",), "material": (f"m{index % 13}", f"m{index % 3}")},
        )
        for index, artwork in enumerate(make_artworks(52))
    ]
    plan = make_plan(artworks, _settings(tmp_path, split="stratified"))
    found = {
        split: {label for job in jobs for labels in job.artwork.labels.values() for label in labels}
        for split, jobs in plan.jobs.items()
    }
    assert found["train"] == found["val"] == found["test"]
    assert len(found["test"]) == 23


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.text(min_size=1, max_size=150), min_size=6, max_size=12))
def test_any_object_numbers_make_keys_that_fit(
    numbers: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("images")
    (folder / "0.jpg").touch()
    artworks = [
        Artwork(sample_key(number), number, folder / f"{index}.jpg", {"type": ("vase",)})
        for index, number in enumerate(numbers)
    ]
    plan = make_plan(artworks, PackSettings(out=folder / "out"))
    found = [job.artwork for jobs in plan.jobs.values() for job in jobs]
    assert len({artwork.key for artwork in found}) == len(numbers)
    assert max(len(artwork.key) for artwork in found) <= MAX_KEY_LENGTH
    assert sorted(artwork.object_number.encode() for artwork in found) == sorted(
        number.encode("utf-8", "backslashreplace") for number in numbers
    )


def test_digest_sees_every_change(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(12)
    settings = _settings(tmp_path)
    changed: list[list[Artwork | Reject]] = [
        artworks[:-1],
        [*artworks, Reject("B.1", "", "", "no-image-named", "line 3")],
        *(
            [dataclasses.replace(artworks[0], **fields), *artworks[1:]]
            for fields in (
                {"labels": {"type": ("cup",)}},
                {"raw_labels": {"type": ("Cup",)}},
                {"title": "A cup"},
                {"date": "1650"},
                {"source": "met"},
                {"image": tmp_path / "images" / "other.jpg"},
                {"object_number": "A.00"},
            )
        ),
    ]
    digests = {make_plan(found, settings).digest for found in [artworks, *changed]}
    assert len(digests) == 1 + len(changed)
    assert make_plan(iter(artworks), settings).digest in digests
    assert make_plan(artworks, _settings(tmp_path, seed=1)).digest not in digests


def test_nothing_to_pack_is_said_in_a_sentence(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(8)
    with pytest.raises(ArttlError, match="--source table read no artwork"):
        make_plan([], _settings(tmp_path))
    with pytest.raises(
        ArttlError, match=r"no artwork of m\.csv \(8 in all\) has a label for artist \(column 'maker'\)"
    ):
        make_plan(artworks, _settings(tmp_path, tasks=("artist=maker",), metadata=Path("m.csv")))
    with pytest.raises(ArttlError, match=r"no row .* \(1 in all\), .* because of outside-folder"):
        make_plan(
            [Reject("A.1", "", "../a.jpg", "outside-folder", "line 2")], _settings(tmp_path, tasks=("type",))
        )
    with pytest.raises(ArttlError, match=r"no artwork .* \(8 in all\) has a label"):
        make_plan([dataclasses.replace(artwork, labels={}) for artwork in artworks], _settings(tmp_path))
    lost = [dataclasses.replace(artwork, image=Path("/nowhere") / artwork.image.name) for artwork in artworks]
    with pytest.raises(ArttlError, match=r"no image .* \(8 in all\), .* /nowhere/0\.jpg; check --images"):
        make_plan(lost, _settings(tmp_path))
