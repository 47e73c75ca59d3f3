"""IIIF manifests: labels in their forms and languages, makers, and documents that hold none."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from iiif_cases import SERVICE, manifest_2, manifest_3
from iiif_source_cases import artworks_of, notes_of, read

from arttl.errors import ArttlError
from arttl.sources.iiif import guess_labels, read_iiif
from arttl.sources.remarks import PassedOver
from arttl.sources.settings import SourceSettings


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    pair = {
        "label": {"en": ["Medium"], "nl": ["Materiaal"]},
        "value": {"en": ["oil on canvas"], "nl": ["olieverf op doek"]},
    }
    for column, language, label in (
        ("Medium", None, "oil on canvas"),
        ("medium", "en", "oil on canvas"),
        ("MATERIAAL", "nl", "olieverf op doek"),
        ("Materiaal", "nl-BE", "olieverf op doek"),
    ):
        items = read(tmp_path, manifest_3([pair]), tasks=(f"material={column}",), language=language)
        (artwork,) = artworks_of(items)
        assert artwork.labels == artwork.raw_labels == {"material": (label,)}
    assert (artwork.key, artwork.object_number) == ("27992", "27992")
    digest = hashlib.sha256(SERVICE.encode()).hexdigest()[:12]
    assert artwork.image.name == f"27992-{digest}.jpg"
    assert (artwork.title, artwork.source) == ("A landscape", "https://museum.example/iiif/27992/manifest")
    assert "task material is read from: Medium (1)" in notes_of(items)


@pytest.mark.parametrize(
    "value",
    [
        "oil",
        ["oil"],
        {"@value": "oil", "@language": "en"},
        [{"@value": "oil", "@language": "en"}, {"@value": "olieverf", "@language": "nl"}],
        {"en": ["oil"], "nl": ["olieverf"]},
        {"@none": ["oil"]},
        {"none": ["oil"]},
        {"none": "oil"},
        {"en-GB": ["oil"]},
        [{"value": "oil", "language": "en"}],
    ],
)
def test_the_three_forms_of_texts(tmp_path: Path, value: Any) -> None:
    for document in (
        manifest_3([{"label": "Medium", "value": value}]),
        manifest_2([{"label": "Medium", "value": value}]),
    ):
        for language in (None, "en"):
            (artwork,) = artworks_of(read(tmp_path, document, tasks=("material=Medium",), language=language))
            assert artwork.labels == {"material": ("oil",)}


def test_a_language_that_is_missing_is_said(tmp_path: Path) -> None:
    pair = {"label": {"fr": ["Technique"]}, "value": {"fr": ["huile"]}}
    items = read(tmp_path, manifest_3([pair]), tasks=("material=technique",), language="en")
    assert artworks_of(items)[0].labels == {"material": ("huile",)}
    assert (
        "--tasks material: values are not given in --language en, and are taken as they are, such as 'huile'"
        in notes_of(items)
    )


def test_several_values_are_several_labels(tmp_path: Path) -> None:
    def labels(value: Any, **settings: Any) -> tuple[str, ...]:
        document = manifest_3([{"label": "Medium", "value": value}])
        return artworks_of(read(tmp_path, document, tasks=("material=Medium",), **settings))[0].labels[
            "material"
        ]

    assert labels({"en": ["oil", "canvas"]}) == ("oil", "canvas")
    assert labels("oil; canvas") == ("oil; canvas",)
    assert labels("oil; canvas", label_separator=";") == ("oil", "canvas")
    assert labels("oil<br>on canvas") == ("oil on canvas",)
    for separator in ("<br>", "\n", "\\n"):
        assert labels("oil<br>on canvas", label_separator=separator) == ("oil", "on canvas")
        assert labels("<ul><li>oil</li><li>canvas</li></ul>", label_separator=separator) == ("oil", "canvas")
    pairs = [{"label": "Medium", "value": "oil"}, {"label": "Medium ", "value": "canvas"}]
    (artwork,) = artworks_of(read(tmp_path, manifest_3(pairs), tasks=("material=Medium",)))
    assert artwork.labels == {"material": ("oil", "canvas")}
    items = read(tmp_path, manifest_3({"Artist": "A. Painter\nDutch, 1600-1650"}), tasks=("artist",))
    assert artworks_of(items)[0].labels == {"artist": ("A. Painter Dutch, 1600-1650",)}
    assert any(note.startswith("values of several lines are not divided") for note in notes_of(items))


def test_labels_of_pairs_are_compared_without_case_and_encoding(tmp_path: Path) -> None:
    document = manifest_3([{"label": {"de": ["Künstler:"]}, "value": "A"}])
    for column in ("künstler", "Ku\u0308nstler", "KÜNSTLER"):
        (artwork,) = artworks_of(read(tmp_path, document, tasks=(f"artist={column}",)))
        assert artwork.labels == {"artist": ("A",)}
    with pytest.raises(
        ArttlError, match=r"label 'Kunstler' \(--tasks artist\) \(did you mean 'Künstler:'\?\)"
    ):
        read(tmp_path, document, tasks=("artist=Kunstler",))


def test_identifiers_of_vocabularies(tmp_path: Path) -> None:
    aat = "http://vocab.getty.edu/aat/300015050"
    document = manifest_3(
        [
            {
                "label": "Medium",
                "value": [f'<a href="{aat}">oil paint</a>', '<a href="/search?q=canvas">canvas</a>'],
            },
            {"label": "Artist", "value": ["Rembrandt", "http://vocab.getty.edu/ulan/500011051"]},
        ]
    )
    items = read(tmp_path, document, tasks=("material=Medium", "artist=Artist"))
    (artwork,) = artworks_of(items)
    assert artwork.labels == {"material": ("oil paint", "canvas"), "artist": ("Rembrandt",)}
    assert artwork.identifiers == {
        "material": {"oil paint": (aat,)},
        "artist": {"Rembrandt": ("http://vocab.getty.edu/ulan/500011051",)},
    }
    assert any(
        note.startswith("web addresses in the place of labels are left out") for note in notes_of(items)
    )


def test_makers_with_qualifiers_are_attributions(tmp_path: Path) -> None:
    ulan = "http://vocab.getty.edu/ulan/500011051"
    values = [
        "Rembrandt",
        f'Circle of <a href="{ulan}">Rembrandt</a>',
        "Jan Muller after Cornelis van Haarlem",
        "formerly attributed to Ferdinand Bol",
        f'Artist: <a href="{ulan}">Rembrandt van Rijn</a>, Dutch<br>Publisher: Clement de Jonghe',
    ]
    documents = [
        manifest_3([{"label": "People", "value": value}], id=f"https://x.example/{number}")
        for number, value in enumerate(values)
    ]
    for tasks in (("artist",), ("artist=People",), ("creator=people",)):
        items = read(tmp_path, *documents, tasks=tasks)
        task = tasks[0].partition("=")[0]
        assert [artwork.labels for artwork in artworks_of(items)] == [
            {task: ("Rembrandt",)},
            {task: ()},
            {task: ("Jan Muller",)},
            {task: ()},
            {task: ("Rembrandt van Rijn, Dutch",)},
        ]
        assert [artwork.attributions for artwork in artworks_of(items)] == [
            (),
            (("Circle of", "Rembrandt"),),
            (("after", "Cornelis van Haarlem"),),
            (("formerly attributed to", "Ferdinand Bol"),),
            (("Publisher", "Clement de Jonghe"),),
        ]
        assert (
            f"{task}: 4 makers are kept as attributions (circle of (1), after (1), formerly attributed to (1),"
            " publisher (1)) and are no labels; see --attributed" in notes_of(items)
        )
    assert artworks_of(items)[1].identifiers == {"creator": {"Rembrandt": (ulan,)}}
    attributed = artworks_of(read(tmp_path, *documents, tasks=("artist",), attributed=True))
    assert [artwork.labels["artist"] for artwork in attributed] == [
        ("Rembrandt",),
        ("Rembrandt",),
        ("Jan Muller", "Cornelis van Haarlem"),
        (),
        ("Rembrandt van Rijn, Dutch",),
    ]
    (tmp_path / "manifests" / "0000.json").write_text(json.dumps(manifest_3({"Title": "after Rembrandt"})))
    assert artworks_of(read(tmp_path, tasks=("title=Title",)))[0].labels == {"title": ("after Rembrandt",)}


def test_collections_and_other_documents(tmp_path: Path) -> None:
    collection = {
        "id": "https://museum.example/collection",
        "type": "Collection",
        "items": [
            {"id": manifest_3()["id"], "type": "Manifest"},
            {"id": "https://museum.example/iiif/2/manifest", "type": "Manifest"},
            manifest_3({}, id="https://museum.example/iiif/3/manifest"),
        ],
    }
    items = read(tmp_path, collection, manifest_3(), {"some": "thing"}, [1, 2])
    assert [artwork.object_number for artwork in artworks_of(items)] == ["3", "27992"]
    passed = [(item.kind, item.name) for item in items if isinstance(item, PassedOver)]
    assert passed == [
        ("JSON documents that are not of IIIF", "0002.json"),
        ("JSON documents that are not of IIIF", "record 1 of 0003.json"),
        ("JSON documents that are not of IIIF", "record 2 of 0003.json"),
        (
            "manifests that a collection names and that are not saved",
            "https://museum.example/iiif/2/manifest",
        ),
    ]


def test_deep_documents(tmp_path: Path) -> None:
    document: Any = manifest_3({"Medium": "oil"})
    for level in range(20):
        document = {"id": f"https://x.example/{level}", "type": "Collection", "items": [document]}
    assert len(artworks_of(read(tmp_path, document))) == 1
    for level in range(20, 40):
        document = {"id": f"https://x.example/{level}", "type": "Collection", "items": [document]}
    with pytest.raises(ArttlError, match="holds lists or objects too deep within others"):
        read(tmp_path, document)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[{}]", r"holds no IIIF manifest, but 1 other JSON document$"),
        (
            "a.json",
            '{"type": "Collection", "items": [{"type": "Manifest", "id": "https://x.example/1"}]}',
            r"but 1 collection; arttl fetch iiif downloads what a collection names",
        ),
        ("a.json", "{", "is not JSON"),
        (
            "a.json",
            "<lido xmlns='http://www.lido-schema.org'/>",
            "a.json is not JSON but .*; use --source lido",
        ),
        ("a.txt", "https://x.example/1", "is read from the disk only: arttl fetch iiif downloads"),
    ],
)
def test_metadata_that_hold_no_manifest(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ArttlError, match=message):
        list(read_iiif(SourceSettings(metadata=tmp_path / name, dry_run=True)))


def test_settings_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="needs --metadata"):
        list(read_iiif(SourceSettings(dry_run=True)))
    with pytest.raises(ArttlError, match="is read from the disk only"):
        list(read_iiif(SourceSettings(metadata=Path("https://x.example/1"), dry_run=True)))
    with pytest.raises(ArttlError, match="--source iiif needs --images"):
        list(read_iiif(SourceSettings(metadata=tmp_path)))


def test_tasks_are_guessed(tmp_path: Path) -> None:
    documents = [
        manifest_3({"Artist / Maker": "A", "Medium": "oil", "Dimensions": "3 cm"}),
        manifest_3({"Creator": "B", "Materials & Techniques": "wood"}, id="https://x.example/2"),
    ]
    items = read(tmp_path, *documents, tasks=("material", "artist"))
    assert [artwork.labels for artwork in artworks_of(items)] == [
        {"material": ("oil",), "artist": ("A",)},
        {"material": ("wood",), "artist": ("B",)},
    ]
    assert "task material is read from: Medium (1), Materials & Techniques (1)" in notes_of(items)
    settings = SourceSettings(source="iiif", metadata=tmp_path / "manifests")
    guessed, (sentence,) = guess_labels(settings)
    assert guessed.tasks == ("material", "artist") and "material artist" in sentence
    assert guess_labels(settings.replace(tasks=("x=Medium",))) == (settings.replace(tasks=("x=Medium",)), [])
    (tmp_path / "b.json").write_text(json.dumps(manifest_3({"Shelfmark": "1"})))
    with pytest.raises(ArttlError, match="name them with --tasks TASK=LABEL; the labels are: Shelfmark"):
        guess_labels(SourceSettings(source="iiif", metadata=tmp_path / "b.json"))


def test_many_manifests_are_read_quickly(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(
        "\n".join(
            json.dumps(manifest_3({"Medium": "oil"}, id=f"https://x.example/{index}/manifest"))
            for index in range(2000)
        )
    )
    started = time.process_time()
    items = list(read_iiif(SourceSettings(metadata=tmp_path / "m.jsonl", dry_run=True, tasks=("material",))))
    assert len(artworks_of(items)) == 2000
    assert time.process_time() - started < 2
