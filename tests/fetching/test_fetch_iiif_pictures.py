"""IIIF: which pictures are asked for, in which sizes, and what is made of what arrives."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from iiif_fetch_cases import failures, fetch, size_of
from iiif_stand_in import Served, endless, jpeg, sends, status, without_length
from PIL import Image

from arttl.fetching.iiif_image import ImageService, read_service, request_address, size_requests
from arttl.iiif.manifest import read_info
from arttl.iiif.pictures import Picture


@pytest.mark.parametrize(
    ("served", "size"),
    [
        (Served(900, 600), (512, 341)),
        (Served(600, 900), (341, 512)),
        (Served(900, 600, version=3), (512, 341)),
        (Served(900, 600, level=1), (512, 341)),
        (Served(600, 900, level=1), (341, 512)),
        (Served(900, 600, version=3, level=1), (512, 341)),
        (Served(300, 200), (300, 200)),
        (Served(300, 200, version=3), (300, 200)),
        (Served(300, 200, level=0), (300, 200)),
        (Served(900, 600, level=0), (900, 600)),
        (Served(900, 600, level=0, sizes=((90, 60), (600, 400), (750, 500))), (600, 400)),
        (Served(900, 600, version=3, level=0, sizes=((90, 60), (600, 400))), (600, 400)),
        (Served(900, 600, level=0, sizes=((90, 60), (300, 200))), (300, 200)),
        (Served(900, 600, info={"maxWidth": 300}), (300, 200)),
        (Served(900, 600, version=3, info={"maxArea": 60_000}), (300, 200)),
        (Served(1, 1), (1, 1)),
    ],
)
def test_the_size_of_a_picture(museum, tmp_path: Path, served: Served, size: tuple[int, int]) -> None:
    museum.images["image"] = served
    fetched = fetch(tmp_path, museum.manifest("a", "image"))
    assert (fetched.pictures, fetched.failures) == (1, 0)
    assert size_of(next((tmp_path / "images").iterdir())) == size


def test_a_server_that_does_not_do_what_it_says(museum, tmp_path: Path) -> None:
    """The manifest says level 2 and a large picture; the picture is small, and larger sizes are refused."""
    museum.images["image"] = Served(300, 200, level=2)
    address = museum.manifest("a", "image")
    body = museum.documents["/a/manifest"]["items"][0]["items"][0]["items"][0]["body"]
    body |= {"width": 9000, "height": 6000}
    assert fetch(tmp_path, address).failures == 0
    assert size_of(next((tmp_path / "images").iterdir())) == (300, 200)
    assert museum.requests[1:] == [
        "/image/image/full/!512,512/0/default.jpg",
        "/image/image/info.json",
        "/image/image/full/full/0/default.jpg",
    ]


def test_a_server_of_level_2_is_asked_once(museum, tmp_path: Path) -> None:
    fetch(tmp_path, museum.manifest("a", "image"))
    assert museum.requests == ["/a/manifest", "/image/image/full/!512,512/0/default.jpg"]


def test_a_picture_of_no_service(museum, tmp_path: Path) -> None:
    museum.documents["/files/a.png"] = png = io.BytesIO()
    Image.new("RGB", (40, 30)).save(png, "PNG")
    museum.documents["/files/a.png"] = png.getvalue()
    museum.always["/files/a.png"] = sends(png.getvalue(), "image/png")
    address = museum.manifest("a", "image")
    body = {"id": f"{museum.address}/files/a.png", "type": "Image"}
    museum.documents["/a/manifest"]["items"][0]["items"][0]["items"][0]["body"] = body
    assert fetch(tmp_path, address).pictures == 1
    (picture,) = (tmp_path / "images").iterdir()
    assert picture.read_bytes() == png.getvalue() and picture.suffix == ".png"


def test_a_service_that_is_gone_leaves_the_file(museum, tmp_path: Path) -> None:
    address = museum.manifest("a", "image")
    del museum.images["image"]
    museum.always["/image/image/full/max/0/default.jpg"] = sends(jpeg(40, 30))
    assert fetch(tmp_path, address).pictures == 1
    assert size_of(next((tmp_path / "images").iterdir())) == (40, 30)


def test_a_part_of_a_picture_is_never_replaced_by_the_whole(museum, tmp_path: Path) -> None:
    address = museum.manifest("a", "image")
    annotation = museum.documents["/a/manifest"]["items"][0]["items"][0]["items"][0]
    selector = {"type": "ImageApiSelector", "region": "0,0,300,300"}
    annotation["body"] = {"type": "SpecificResource", "source": annotation["body"], "selector": selector}
    fetched = fetch(tmp_path, address)
    assert (fetched.pictures, fetched.failures) == (0, 1)
    assert not any(path.startswith("/image/image/full/") for path in museum.requests)
    assert "/image/image/0,0,300,300/full/0/default.jpg" in museum.requests
    museum.always["/image/image/0,0,300,300/full/0/default.jpg"] = sends(jpeg(300, 300))
    assert fetch(tmp_path, address).pictures == 1


def test_pictures_that_do_not_arrive_whole(museum, tmp_path: Path) -> None:
    whole = jpeg(512, 341)
    path = "/image/image/full/!512,512/0/default.jpg"
    address = museum.manifest("a", "image")
    museum.faults[path] = [
        status(503, Retry_After="0"),
        sends(whole[:1000], length=len(whole)),
        without_length(whole[:1000]),
    ]
    assert fetch(tmp_path / "patient", address).failures == 0
    assert next((tmp_path / "patient" / "images").iterdir()).read_bytes() == whole
    museum.always[path] = without_length(whole[:1000])
    assert fetch(tmp_path / "cut", address).pictures == 0
    assert failures(tmp_path / "cut") == {"image/image": "the picture is cut"}
    museum.always[path] = endless()
    assert fetch(tmp_path / "endless", address, most_mib=1).pictures == 0
    assert failures(tmp_path / "endless") == {"image/image": "it has more than 1,048,576 bytes"}
    assert not list(tmp_path.rglob("*.unfinished"))


@pytest.mark.parametrize(
    ("service", "region", "most", "requests"),
    [
        (ImageService(2, 2, 900, 600), "full", 512, ["!512,512", "512,", "full", "max"]),
        (ImageService(3, 2, 900, 600), "full", 512, ["!512,512", "512,", "max", "full"]),
        (ImageService(2, 1, 600, 900), "full", 512, [",512", "full", "max"]),
        (ImageService(1, 1, 600, 900), "full", 512, [",512", "full", "max"]),
        (ImageService(2, 2, 900, 600), "full", 0, ["full", "max"]),
        (ImageService(2, 2, 0, 0), "full", 512, ["!512,512", "512,", "full", "max"]),
        (
            ImageService(2, 0, 900, 600, features=frozenset(("sizeByW",))),
            "full",
            512,
            ["512,", "full", "max"],
        ),
        (ImageService(2, 2, 900, 600), "0,0,300,300", 512, ["full", "max"]),
        (ImageService(2, 2, 900, 600), "pct:0,0,50,50", 400, ["!400,400", "400,", "full", "max"]),
        (ImageService(2, 2, 900, 600), "square", 512, ["!512,512", "512,", "full", "max"]),
        (
            ImageService(2, 0, 900, 600, ((800, 533), (450, 300))),
            "full",
            512,
            ["800,", "800,533", "full", "max"],
        ),
        (
            ImageService(3, 0, 900, 600, ((800, 533), (450, 300))),
            "full",
            512,
            ["800,533", "800,", "max", "full"],
        ),
        (ImageService(2, 0, 900, 600, ((800, 533), (450, 300))), "0,0,600,600", 512, ["full", "max"]),
    ],
)
def test_sizes_to_ask_for(service: ImageService, region: str, most: int, requests: list[str]) -> None:
    assert size_requests(service, Picture("", "https://x.example", region=region), most) == requests


def test_what_info_json_says() -> None:
    info = {
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": "https://x.example/image/1/",
        "width": 900,
        "height": "600",
        "profile": [
            "http://iiif.io/api/image/2/level1.json",
            {"supports": ["sizeByConfinedWh", 7], "maxWidth": 700, "maxArea": -1},
        ],
        "sizes": [{"width": 90, "height": 60}, {"width": "x"}, None, {"width": 10**12, "height": 5}],
    }
    expected = ImageService(2, 1, 900, 600, ((90, 60),), frozenset(("sizeByConfinedWh", "7")), 700)
    assert read_service(info) == expected
    picture = read_info(info)
    assert (picture.service, picture.version) == ("https://x.example/image/1", 2)
    assert (
        request_address(picture, expected, "!512,512")
        == "https://x.example/image/1/full/!512,512/0/default.jpg"
    )
    assert request_address(picture, ImageService(1), "512,").endswith("/full/512,/0/native.jpg")
    for broken in ({}, {"profile": 7, "sizes": {}, "width": float("nan"), "maxWidth": "wide"}):
        assert read_service(broken).longest > 10**9
