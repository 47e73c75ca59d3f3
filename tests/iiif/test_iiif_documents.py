from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from iiif_cases import SERVICE, canvas_3, image_3, manifest_2, manifest_3

from arttl.iiif.manifest import kind_of, read_info, read_manifest, read_references
from arttl.iiif.pictures import picture_of_request
from arttl.iiif.resources import object_numbers
from arttl.iiif.text import in_language, read_texts
from arttl.records.json_records import parse_document


def test_languages_that_a_value_does_not_have() -> None:
    both = read_texts({"fr": ["huile"], "none": ["1650"]})
    assert [text.plain for text in in_language(both, "en")] == ["1650"]
    assert [text.plain for text in in_language(both, "fr")] == ["huile"]
    only = read_texts({"fr": ["huile"], "nl": ["olieverf"]})
    assert [text.plain for text in in_language(only, "en")] == ["huile"]


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("<p>oil on <i>canvas</i></p>", "oil on canvas"),
        ("<span>R&amp;D</span>", "R&D"),
        ("oil<br/>canvas", "oil canvas"),
        ("<20 cm, <unknown>", "<20 cm, <unknown>"),
        ("&lt;i&gt; is a tag", "<i> is a tag"),
        ("AT&T &copy2020 &nothing;", "AT&T &copy2020 &nothing;"),
        ('<a href="https://x.example/?a=1&amp;b=2" target=_blank>oil</a>', "oil"),
        ("<!-- hidden -->oil", "oil"),
        ("a\r\nb", "a b"),
        ("oil\ud83d", "oil?"),
    ],
)
def test_html_is_removed(raw: str, plain: str) -> None:
    (text,) = read_texts(raw)
    assert text.plain == plain


def test_numbers_and_empty_values() -> None:
    assert [text.plain for text in read_texts([1650, True, None, "", " ", "<p></p>", 1.5])] == [
        "1650",
        "true",
        "1.5",
    ]


def test_numbers_keep_their_digits() -> None:
    document = parse_document(b'{"value": [1907.10, 1650]}', "a")
    assert [text.plain for text in read_texts(document["value"])] == ["1907.10", "1650"]


def test_a_hostile_text_takes_no_time() -> None:
    started = time.process_time()
    for text in ("<a " * 10**6, "<!--" * 10**6, "&" * 10**6, "<p>" * 10**6, "<a href=" + "'" * 10**6):
        read_texts([text] * 5)
    assert time.process_time() - started < 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    (
                        *(
                            "@value",
                            "@language",
                            "en",
                            "none",
                            "id",
                            "@id",
                            "type",
                            "@type",
                            "items",
                            "sequences",
                            "body",
                        ),
                        *(
                            "canvases",
                            "images",
                            "resource",
                            "service",
                            "metadata",
                            "label",
                            "value",
                            "motivation",
                            "target",
                        ),
                        *(
                            "selector",
                            "profile",
                            "provider",
                            "requiredStatement",
                            "manifests",
                            "members",
                            "first",
                            "on",
                        ),
                    )
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=60,
    )
)
def test_any_document_is_read_without_a_traceback(document: Any) -> None:
    kind_of(document)
    if isinstance(document, dict):
        manifest = read_manifest(document)
        for canvas in manifest.canvases():
            assert (canvas.picture is None) == bool(canvas.problem)
        read_references(document)
        read_info(document)
    assert all(text.plain for text in read_texts(document))


def services_of(document: dict[str, Any]) -> list[tuple[str, int]]:
    canvases = read_manifest(document).canvases()
    return [(canvas.picture.service, canvas.others) for canvas in canvases if canvas.picture]


def test_choices_take_the_first_option() -> None:
    options = [image_3(f"{SERVICE}-{kind}") for kind in ("natural", "xray")]
    assert services_of(manifest_3({}, canvas_3({"type": "Choice", "items": options}))) == [
        (f"{SERVICE}-natural", 1)
    ]
    second = manifest_2()
    annotation = second["sequences"][0]["canvases"][0]["images"][0]
    annotation["resource"] = {"@type": "oa:Choice", "default": annotation["resource"], "item": [options[1]]}
    assert services_of(second) == [(SERVICE, 1)]


def test_details_painted_on_a_picture() -> None:
    base, detail = image_3(f"{SERVICE}-base"), image_3(f"{SERVICE}-detail")
    parts = ("", "#xywh=10,10,50,50")
    assert services_of(manifest_3({}, canvas_3(base, detail, targets=parts))) == [(f"{SERVICE}-base", 1)]
    parts = ("#xywh=0,0,400,300", "#xywh=0,0,200,300")
    assert services_of(manifest_3({}, canvas_3(base, detail, targets=parts))) == [(f"{SERVICE}-base", 1)]
    parts = ("#xywh=0,0,200,300", "#xywh=200,0,200,300")
    assert services_of(manifest_3({}, canvas_3(base, detail, targets=parts))) == []
    assert services_of(manifest_3({}, canvas_3(base, targets=("#xywh=10,10,50,50",)))) == [
        (f"{SERVICE}-base", 0)
    ]


def test_parts_of_pictures() -> None:
    def picture(selector: Any, source: Any) -> Any:
        body = {"type": "SpecificResource", "source": source, "selector": selector}
        return next(iter(read_manifest(manifest_3({}, canvas_3(body))).canvases()))

    part = picture({"type": "ImageApiSelector", "region": "10,20,30,40"}, image_3()).picture
    assert (part.region, part.rotation) == ("10,20,30,40", "0")
    turned = picture({"type": "ImageApiSelector", "rotation": "90"}, image_3()).picture
    assert (turned.region, turned.rotation) == ("full", "90")
    whole = next(iter(read_manifest(manifest_3()).canvases())).picture
    assert len({part.file_name, turned.file_name, whole.file_name}) == 3
    assert (
        picture({"type": "FragmentSelector", "value": "xywh=1,2,3,4"}, image_3()).picture.region == "1,2,3,4"
    )
    static = {"id": "https://x.example/a.jpg", "type": "Image"}
    for selector in ({"region": "1,2,3,4"}, {"type": "SvgSelector", "value": "<svg/>"}):
        assert picture(selector, static).problem == "a part of a picture is shown that cannot be asked for"
    assert picture({"region": "../../etc", "type": "ImageApiSelector"}, image_3()).picture is None


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"@id": SERVICE, "profile": "http://iiif.io/api/image/2/level1.json"}, (SERVICE, 2, 1)),
        ({"@id": SERVICE + "/", "profile": ["http://iiif.io/api/image/2/level0.json", {}]}, (SERVICE, 2, 0)),
        ({"@id": SERVICE, "@type": "ImageService2", "profile": "level2"}, (SERVICE, 2, 2)),
        (
            {
                "id": SERVICE,
                "type": "ImageService1",
                "profile": "http://library.stanford.edu/iiif/image-api/1.1/conformance.html#level1",
            },
            (SERVICE, 1, 1),
        ),
        ([{"@id": "https://x.example/auth", "profile": "http://iiif.io/api/auth/1/login"}], ("", 0, -1)),
        ({"@id": SERVICE}, (SERVICE, 0, -1)),
        ({"id": SERVICE, "profile": "level2"}, (SERVICE, 0, 2)),
        (
            {"@id": SERVICE, "profile": "http://library.stanford.edu/iiif/image-api/compliance.html#level1"},
            (SERVICE, 1, 1),
        ),
        ({"@id": SERVICE, "profile": ["level2"]}, ("", 0, -1)),
        ({"@id": "ftp://x.example/1", "profile": "http://iiif.io/api/image/2/level1.json"}, ("", 0, -1)),
        (None, ("", 0, -1)),
    ],
)
def test_image_services(service: Any, expected: tuple[str, int, int]) -> None:
    body = {"id": f"{SERVICE}/picture.jpg", "type": "Image", "service": service}
    picture = next(iter(read_manifest(manifest_3({}, canvas_3(body))).canvases())).picture
    assert picture is not None
    assert (picture.service, picture.version, picture.level) == expected


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, ""),
        ({"@type": "dctypes:Image"}, ""),
        ({"type": "StillImage", "format": ""}, ""),
        ({"format": "image/png"}, ""),
        ({"type": "Dataset", "format": "image/tiff"}, ""),
        ({"format": "video/mp4"}, "it holds video/mp4 in the place of a picture"),
        ({"type": "Model", "format": "model/gltf-binary"}, "it holds model in the place of a picture"),
        ({"@type": "cnt:ContentAsText", "chars": "text"}, "it holds contentastext in the place of a picture"),
    ],
)
def test_what_counts_as_a_picture(more: dict[str, Any], problem: str) -> None:
    body = {"id": "https://x.example/a.jpg", **more}
    assert next(iter(read_manifest(manifest_3({}, canvas_3(body))).canvases())).problem == problem


def test_an_address_that_is_a_request_is_taken_for_its_service() -> None:
    body = {"id": f"{SERVICE}/full/843,/0/default.jpg", "type": "Image"}
    picture = next(iter(read_manifest(manifest_3({}, canvas_3(body))).canvases())).picture
    assert picture is not None and picture.service == SERVICE
    assert picture.file_name == next(iter(read_manifest(manifest_3()).canvases())).picture.file_name
    assert picture_of_request("https://x.example/a/0,0,10,10/max/0/default.jpg").region == "0,0,10,10"
    for other in (
        "https://x.example/a.jpg",
        "https://x.example/full/full/0/default.jpg.html",
        "/a/full/max/0/default.jpg",
    ):
        assert picture_of_request(other) is None


def test_annotations_that_paint_nothing_are_no_pictures() -> None:
    canvas = canvas_3(image_3())
    comment = {"type": "Annotation", "motivation": "commenting", "body": image_3(f"{SERVICE}-other")}
    canvas["items"][0]["items"].append(comment)
    assert services_of(manifest_3({}, canvas)) == [(SERVICE, 0)]


def test_collections_of_version_2() -> None:
    pages = {
        "@type": "sc:Collection",
        "manifests": [
            {"@id": "https://x.example/1", "@type": "sc:Manifest"},
            {"@id": "https://x.example/2"},
            "https://x.example/3",
        ],
        "collections": [{"@id": "https://x.example/c", "@type": "sc:Collection"}],
        "members": [
            {"@id": "https://x.example/4", "@type": "sc:Manifest"},
            {"@id": "https://x.example/r", "@type": "sc:Range"},
            {"@id": "file:///etc/passwd", "@type": "sc:Manifest"},
            {"@type": "sc:Manifest"},
        ],
        "first": "https://x.example/page1",
        "next": {"@id": "https://x.example/page2"},
    }
    assert [(entry.kind, entry.address.rpartition("/")[2]) for entry in read_references(pages)] == [
        *(("manifest", number) for number in "123"),
        ("collection", "c"),
        ("manifest", "4"),
        ("", "r"),
        ("manifest", "passwd"),
        ("manifest", ""),
        ("collection", "page1"),
        ("collection", "page2"),
    ]


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (manifest_3(), "manifest"),
        (manifest_2(), "manifest"),
        ({"sequences": []}, "manifest"),
        ({"@type": "sc:Collection"}, "collection"),
        ({"manifests": []}, "collection"),
        ({"id": SERVICE, "type": "ImageService3", "width": 10, "height": 10}, "image"),
        ({"@id": SERVICE, "protocol": "http://iiif.io/api/image", "width": 10, "height": 10}, "image"),
        ({"@id": "abc", "protocol": "http://iiif.io/api/image", "width": 10, "height": 10}, ""),
        ({"@id": SERVICE, "width": 10, "height": 10}, ""),
        ({"type": "HumanMadeObject"}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_kinds_of_documents(document: Any, kind: str) -> None:
    assert kind_of(document) == kind


def test_numbers_from_addresses() -> None:
    assert list(object_numbers("https://m.example/iiif/2/paintings/27992/manifest.json")) == [
        "27992",
        "paintings/27992",
        "2/paintings/27992",
        "iiif/2/paintings/27992",
        "https://m.example/iiif/2/paintings/27992/manifest.json",
    ]
    assert next(object_numbers("http://[")) == "http://["


@example("http://[")
@given(st.text(max_size=60))
def test_every_address_has_a_number_and_a_safe_file_name(address: str) -> None:
    assert next(object_numbers(address)) is not None and list(object_numbers(address))[-1] == address
    picture = next(
        iter(read_manifest(manifest_3({}, canvas_3(f"https://x.example/{address}"))).canvases())
    ).picture
    assert picture is None or (
        Path(picture.file_name).name == picture.file_name and len(picture.file_name) < 90
    )
