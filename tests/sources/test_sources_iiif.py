from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from iiif_cases import SERVICE, canvas_3, image_3, manifest_2, manifest_3

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.iiif.manifest import read_manifest
from arttl.shards.rejects import Reject
from arttl.sources.iiif import guess_labels, read_iiif
from arttl.sources.registry import open_source
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings


def read(tmp_path: Path, *documents: Any, **settings: Any) -> list[Any]:
    """Everything that the source yields for documents saved one per file."""
    folder = tmp_path / "manifests"
    folder.mkdir(exist_ok=True)
    for index, document in enumerate(documents):
        (folder / f"{index:04}.json").write_text(json.dumps(document), encoding="utf-8")
    return list(read_iiif(SourceSettings(source="iiif", metadata=folder, **{"dry_run": True, **settings})))


def artworks_of(items: list[Any]) -> list[Artwork]:
    return [item for item in items if isinstance(item, Artwork)]


def rejects_of(items: list[Any]) -> list[tuple[str, str, str]]:
    return [(item.object_number, item.reason, item.detail) for item in items if isinstance(item, Reject)]


def notes_of(items: list[Any]) -> list[str]:
    return [item.text for item in items if isinstance(item, Note)]


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


def test_the_object_number(tmp_path: Path) -> None:
    def number(pairs: Any, **more: Any) -> str:
        settings = {name: more.pop(name) for name in ("object_number",) if name in more}
        return artworks_of(read(tmp_path, manifest_3(pairs, **more), **settings))[0].object_number

    assert number({"Accession Number": "1926.224"}) == "1926.224"
    assert number({"Object number:": "SK-A-1", "Inv. Nr.": "other"}) == "SK-A-1"
    assert number({"Shelfmark": "Ms 12"}) == "27992"
    assert number({"Shelfmark": "Ms 12"}, object_number="shelfmark") == "Ms 12"
    assert number({"Accession Number": "https://x.example/1"}) == "27992"
    assert number({}, id="https://x.example/iiif/ark%3A%2F123%2Fabc/manifest.json") == "ark:/123/abc"
    assert number({}, id="https://x.example/manifest?id=A12&version=3") == "A12"
    assert number({}, id="https://x.example/object/12/manifest?iiifVersion=2") == "12"
    assert number({}, id="https://x.example/manifest.json") == "https://x.example/manifest.json"
    assert number({}, id="") == "0000"
    with pytest.raises(
        ArttlError, match=r"no manifest of .* has a pair with the label 'Shelf' \(--object-number\)"
    ):
        number({"Shelfmark": "Ms 12"}, object_number="Shelf")


def test_manifests_with_the_same_last_part_stay_apart(tmp_path: Path) -> None:
    addresses = [
        f"https://{host}.example/{kind}/1/manifest" for host in ("a", "b") for kind in ("paintings", "prints")
    ]
    documents = [manifest_3({}, id=address) for address in [*addresses, addresses[0]]]
    numbers = [artwork.object_number for artwork in artworks_of(read(tmp_path, *documents))]
    assert numbers == ["1", "prints/1", "paintings/1", addresses[3], "1"]


def test_identifiers_that_are_no_addresses_do_not_join_manifests(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "object.json").write_text(json.dumps(manifest_3({}, id="manifest.json")))
    items = list(read_iiif(SourceSettings(metadata=tmp_path, dry_run=True)))
    numbers = [artwork.object_number for artwork in artworks_of(items)]
    assert numbers == ["object", "object.json", "object.json#3"]


def test_a_missing_object_number_of_a_flag_is_a_reject(tmp_path: Path) -> None:
    items = read(tmp_path, manifest_3({"Ref": "1"}), manifest_3({"Other": "2"}), object_number="Ref")
    assert [artwork.object_number for artwork in artworks_of(items)] == ["1"]
    assert rejects_of(items) == [("", "no-object-number", "0001.json")]


@pytest.mark.parametrize(
    ("more", "institution"),
    [
        ({"provider": [{"type": "Agent", "label": {"en": ["Museum A", "1 Street"]}}]}, "Museum A"),
        ({"provider": [{"label": {"en": ["A"]}}, {"label": {"en": ["B"]}}]}, None),
        ({"requiredStatement": {"label": {"en": ["Held By"]}, "value": {"none": ["Museum B"]}}}, "Museum B"),
        ({"requiredStatement": {"label": {"en": ["Attribution"]}, "value": {"en": ["Courtesy of B"]}}}, None),
        ({"attribution": "Digital image courtesy of the museum."}, None),
        (
            {
                "metadata": [{"label": "Repository", "value": "Museum C"}],
                "provider": [{"label": {"en": ["An aggregator"]}}],
            },
            "Museum C",
        ),
    ],
)
def test_the_institution(tmp_path: Path, more: dict[str, Any], institution: str | None) -> None:
    (artwork,) = artworks_of(read(tmp_path, manifest_3(**more)))
    assert artwork.institution == institution


def test_the_flag_gives_the_institution_where_the_manifest_does_not(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps([manifest_3(), manifest_3(id="https://x.example/2")]))
    reading = open_source(
        SourceSettings(source="iiif", metadata=tmp_path / "m.json", institution="M", dry_run=True)
    )
    assert [artwork.institution for artwork in reading if isinstance(artwork, Artwork)] == ["M", "M"]


def test_the_date(tmp_path: Path) -> None:
    assert artworks_of(read(tmp_path, manifest_3({"Date": "1884/86"})))[0].date == "1884/86"
    assert artworks_of(read(tmp_path, manifest_3({}, navDate="1884-01-01T00:00:00Z")))[0].date is None


def test_title_and_date_of_other_pairs(tmp_path: Path) -> None:
    document = manifest_3({"Made": "ca. 1650", "Name": "Landscape with ice"})
    (artwork,) = artworks_of(read(tmp_path, document, title="name", date="made"))
    assert (artwork.title, artwork.date) == ("Landscape with ice", "ca. 1650")
    with pytest.raises(ArttlError, match=r"has a pair with the label 'Mad' \(--date\) \(did you mean 'Made'"):
        read(tmp_path, document, date="Mad")


def test_first_or_all_canvases(tmp_path: Path) -> None:
    canvases = [canvas_3(image_3(f"{SERVICE}-{number}"), number=number) for number in (1, 2, 3)]
    canvases[2]["metadata"] = [{"label": "Medium", "value": "ivory"}]
    document = manifest_3({"Medium": "wood"}, *canvases)
    items = read(tmp_path, document, tasks=("material=Medium",))
    assert [artwork.labels for artwork in artworks_of(items)] == [{"material": ("wood",)}]
    assert any(
        note.startswith("2 canvases after the first of their manifest are left out")
        for note in notes_of(items)
    )
    every = artworks_of(read(tmp_path, document, tasks=("material=Medium",), all_canvases=True))
    assert [artwork.object_number for artwork in every] == ["27992"] * 3
    assert [artwork.key for artwork in every] == ["27992", *(sample_key("27992", part=part) for part in "23")]
    assert [artwork.labels["material"] for artwork in every] == [("wood",), ("wood",), ("ivory",)]
    assert len({artwork.image.name for artwork in every}) == 3


def test_canvases_without_a_picture(tmp_path: Path) -> None:
    video = {"id": "https://museum.example/a.mp4", "type": "Video", "format": "video/mp4"}
    elsewhere = {
        "type": "Canvas",
        "items": [{"id": "https://museum.example/page/1", "type": "AnnotationPage"}],
    }
    documents = [
        manifest_3({}, canvas_3()),
        manifest_3({}, canvas_3(video), id="https://x.example/video"),
        manifest_3({}, elsewhere, id="https://x.example/elsewhere"),
        manifest_3({}, canvas_3({"id": "file:///etc/passwd", "type": "Image"}), id="https://x.example/file"),
        manifest_3({}, canvas_3("data:image/png;base64,AAAA"), id="https://x.example/data"),
        {**manifest_3(id="https://x.example/none"), "items": []},
        manifest_3(
            {}, canvas_3(image_3(f"{SERVICE}-1"), image_3(f"{SERVICE}-2")), id="https://x.example/two"
        ),
    ]
    assert rejects_of(read(tmp_path, *documents)) == [
        (
            "27992",
            "no-image-named",
            "canvas 1 of https://museum.example/iiif/27992/manifest: it has no picture",
        ),
        (
            "video",
            "no-image-named",
            "canvas 1 of https://x.example/video: it holds video in the place of a picture",
        ),
        (
            "elsewhere",
            "no-image-named",
            "canvas 1 of https://x.example/elsewhere: its pictures are named in another document",
        ),
        (
            "file",
            "no-image-named",
            "canvas 1 of https://x.example/file: the picture's address 'file:///etc/passwd' is not of the web",
        ),
        (
            "data",
            "no-image-named",
            "canvas 1 of https://x.example/data: the picture's address 'data:image/png;base64,AAAA' is not of the web",
        ),
        ("none", "no-image-named", "0005.json: the manifest has no canvas"),
        ("two", "ambiguous-picture", "canvas 1 of https://x.example/two: 2 pictures are painted on it"),
    ]


def test_choices_take_the_first_option(tmp_path: Path) -> None:
    options = [image_3(f"{SERVICE}-{kind}") for kind in ("natural", "xray")]
    choice = {"type": "Choice", "items": options}
    items = read(tmp_path, manifest_3({}, canvas_3(choice)))
    assert any(note.startswith("other pictures of a canvas") for note in notes_of(items))


def test_thumbnails_are_never_pictures(tmp_path: Path) -> None:
    thumbnail = [image_3(f"{SERVICE}-thumbnail")]
    document = manifest_3({}, {**canvas_3(), "thumbnail": thumbnail}, thumbnail=thumbnail)
    assert [reason for _, reason, _ in rejects_of(read(tmp_path, document))] == ["no-image-named"]


def test_pictures_in_the_folder(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    documents = [
        manifest_3(
            {"Object Number": f"A.{number}"},
            canvas_3(image_3(f"{SERVICE}/{number}")),
            id=f"https://x.example/{number}",
        )
        for number in (1, 2, 3)
    ]
    name = next(iter(read_manifest(documents[0]).canvases())).picture.file_name
    (images / name).write_bytes(b"x")
    (images / "a_2.tif").write_bytes(b"x")
    items = read(tmp_path, *documents, images=images, dry_run=False)
    assert [artwork.image.name for artwork in artworks_of(items)] == [name, "a_2.tif"]
    ((number, reason, detail),) = rejects_of(items)
    assert (number, reason) == ("A.3", "missing") and "arttl fetch iiif downloads it" in detail
    assert not [item for item in items if isinstance(item, PassedOver)], (
        "each picture is one that a record names"
    )
    pages = [canvas_3(image_3(f"{SERVICE}/{number}")) for number in (2, 9)]
    items = read(tmp_path, *documents[1:2], images=images, all_canvases=True, dry_run=False)
    (tmp_path / "manifests" / "0002.json").unlink()
    both = manifest_3({"Object Number": "A.2"}, *pages)
    (tmp_path / "manifests" / "0000.json").write_text(json.dumps(both))
    (tmp_path / "manifests" / "0001.json").unlink()
    items = read(tmp_path, images=images, all_canvases=True, dry_run=False)
    assert len(artworks_of(items)) == 1, "the second page took the picture that is named after the object"


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


def test_info_json_is_a_picture_without_labels(tmp_path: Path) -> None:
    info = {"@context": "http://iiif.io/api/image/2/context.json", "@id": SERVICE, "width": 10, "height": 10}
    (artwork,) = artworks_of(read(tmp_path, info))
    assert (artwork.object_number, set(artwork.labels.values())) == ("27992", {()})


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
