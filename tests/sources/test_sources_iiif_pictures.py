"""IIIF manifests: which picture of which canvas is an artwork's."""

from __future__ import annotations

import json
from pathlib import Path

from iiif_cases import SERVICE, canvas_3, image_3, manifest_3
from iiif_source_cases import artworks_of, notes_of, read, rejects_of

from arttl.artworks import sample_key
from arttl.iiif.manifest import read_manifest
from arttl.sources.remarks import PassedOver


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


def test_info_json_is_a_picture_without_labels(tmp_path: Path) -> None:
    info = {"@context": "http://iiif.io/api/image/2/context.json", "@id": SERVICE, "width": 10, "height": 10}
    (artwork,) = artworks_of(read(tmp_path, info))
    assert (artwork.object_number, set(artwork.labels.values())) == ("27992", {()})
