from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from iiif_stand_in import Served, endless, jpeg, send, sends, serving, status, without_length
from PIL import Image
from rich.console import Console

from arttl.artworks import Artwork
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.fetching.http import PoliteClient
from arttl.fetching.iiif import FetchedPictures, IiifSettings, fetch_iiif
from arttl.fetching.iiif_image import ImageService, read_service, request_address, size_requests
from arttl.iiif.manifest import read_info
from arttl.iiif.pictures import Picture
from arttl.iiif.resources import document_name
from arttl.sources.iiif import read_iiif
from arttl.sources.settings import SourceSettings


@pytest.fixture
def museum():
    with serving() as stand_in:
        yield stand_in


def fetch(out: Path, *addresses: str, **settings: Any) -> FetchedPictures:
    client = settings.pop("client", None) or PoliteClient(rate=1e6, retries=3, pause=0.0, seconds=5.0)
    return fetch_iiif(IiifSettings(addresses, out, **settings), console=Console(quiet=True), client=client)


def failures(out: Path) -> dict[str, str]:
    """Path of an address to the reason."""
    with (out / "failures.csv").open(newline="") as file:
        return {
            row["address"].partition("1:")[2].partition("/")[2]: row["reason"] for row in csv.DictReader(file)
        }


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_manifests_arrive_as_their_source_reads_them(museum, tmp_path: Path) -> None:
    manifests = [museum.manifest(f"A.{number}", f"image{number}") for number in range(3)]
    inner = museum.collection("inner", *manifests[1:])
    fetched = fetch(tmp_path, museum.collection("top", manifests[0], inner))
    assert (fetched.manifests, fetched.pictures, fetched.failures) == (3, 3, 0)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(
            "manifests",
            "collections",
            "images",
            "pictures.csv",
            "failures.csv",
            "request.json",
            "fetched.json",
        )
    }
    count = len(museum.requests)
    settings = SourceSettings(
        metadata=tmp_path / "manifests", images=tmp_path / "images", tasks=("material",)
    )
    artworks = [item for item in read_iiif(settings) if isinstance(item, Artwork)]
    assert sorted(artwork.object_number for artwork in artworks) == ["A.0", "A.1", "A.2"]
    for artwork in artworks:
        assert artwork.labels == {"material": ("oil",)} and size_of(artwork.image) == (512, 341)
        assert artwork.source in manifests
    assert len(museum.requests) == count, "the source opened an address"
    with (tmp_path / "pictures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["manifest"] for row in rows} == set(manifests)
    assert {row["file"] for row in rows} == {path.name for path in (tmp_path / "images").iterdir()}


def test_what_is_there_is_not_asked_for_again(museum, tmp_path: Path) -> None:
    address = museum.collection("top", museum.manifest("a", "image"))
    fetch(tmp_path, address)
    before, count = tree(tmp_path), len(museum.requests)
    assert fetch(tmp_path, address).pictures == 1
    assert len(museum.requests) == count and tree(tmp_path) == before
    with pytest.raises(
        ArttlError, match=r"--max-side 100: .* the pictures here have another; name another --out"
    ):
        fetch(tmp_path, address, max_side=100)


def test_a_folder_that_is_not_complete_does_not_look_so(museum, tmp_path: Path, monkeypatch) -> None:
    address = museum.manifest("a", "image")
    fetch(tmp_path, address)
    next((tmp_path / "images").iterdir()).unlink()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PoliteClient, "get", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        fetch(tmp_path, address)
    assert not (tmp_path / "fetched.json").exists()
    assert fetch(tmp_path, address).pictures == 1


def test_first_or_all_canvases_and_a_limit(museum, tmp_path: Path) -> None:
    address = museum.collection("top", *(museum.manifest(name, f"{name}1", f"{name}2") for name in "abc"))
    assert fetch(tmp_path / "first", address).pictures == 3
    assert fetch(tmp_path / "all", address, all_canvases=True).pictures == 6
    assert fetch(tmp_path / "two", address, limit=2).manifests == 2


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


def test_other_kinds_of_addresses(museum, tmp_path: Path) -> None:
    museum.images |= {"one": Served(), "two": Served(version=3), "three": Served()}
    museum.always["/files/photo.jpg"] = sends(jpeg(70, 50))
    lines = [
        "# addresses",
        f"{museum.address}/image/one/info.json",
        "",
        f"  {museum.address}/image/two/full/100,/0/default.jpg  ",
        f"{museum.address}/files/photo.jpg",
        museum.manifest("a", "three"),
    ]
    (tmp_path / "addresses.txt").write_text("\n".join(lines), encoding="utf-8-sig")
    fetched = fetch(tmp_path / "out", str(tmp_path / "addresses.txt"))
    assert (fetched.manifests, fetched.pictures, fetched.failures) == (1, 4, 0)
    assert sorted(map(size_of, (tmp_path / "out" / "images").iterdir())) == [(70, 50), *[(512, 341)] * 3]
    count = len(museum.requests)
    assert fetch(tmp_path / "out", str(tmp_path / "addresses.txt")).pictures == 4
    assert len(museum.requests) == count


def test_saved_manifests(museum, tmp_path: Path, monkeypatch) -> None:
    museum.manifest("a", "image")
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a.json").write_text(json.dumps(museum.documents["/a/manifest"]))
    fetched = fetch(tmp_path / "out", str(saved))
    assert (fetched.manifests, fetched.pictures, fetched.failures) == (1, 0, 1)
    assert "127.0.0.1, which is not public and is refused" in next(iter(failures(tmp_path / "out").values()))
    assert museum.requests == [], "a saved manifest made us open an address on this machine"
    monkeypatch.setattr("arttl.fetching.http._is_public", lambda number: True)
    assert fetch(tmp_path / "out", str(saved / "a.json")).pictures == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://museum.example/a", r"'ftp://museum.example/a' is not an address of http or https"),
        ("nowhere.txt", "'.*nowhere.txt' does not exist; arttl fetch iiif takes addresses of http or https"),
        (
            "nowhere.json",
            "'.*nowhere.json' does not exist; arttl fetch iiif takes addresses of http or https",
        ),
        ("empty", r"ADDRESSES .*empty holds no file named \*.json"),
        ("lines.txt", "line 2 of .*lines.txt is not an address of http or https: 'museum.example/a'"),
        ("latin.txt", "is not UTF-8 text"),
    ],
)
def test_addresses_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "lines.txt").write_text("\nmuseum.example/a\n")
    (tmp_path / "latin.txt").write_bytes(b"# \xe9\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArttlError, match=message):
        fetch(tmp_path / "out", text if "://" in text else str(tmp_path / text))
    assert not (tmp_path / "out").exists() or (tmp_path / text).exists()
    with pytest.raises(ArttlError, match="needs an address"):
        fetch(tmp_path / "out")


def test_what_fails_does_not_stop_the_rest(museum, tmp_path: Path) -> None:
    names = ("gone", "html", "json", "unwell", "large", "cut", "picture", "page", "good")
    addresses = {name: museum.manifest(name, f"image-{name}") for name in names}
    museum.always |= {
        "/gone/manifest": status(404),
        "/html/manifest": sends(b"<html>not here</html>", "text/html"),
        "/json/manifest": sends(b'{"some": "thing"}', "application/json"),
        "/unwell/manifest": status(503),
        "/large/manifest": sends(b"{}", length=10**12),
        "/cut/manifest": sends(b'{"id":', length=100),
        "/image/image-picture/full/!512,512/0/default.jpg": sends(b"GIF89a" + bytes(50)),
        "/image/image-page/full/!512,512/0/default.jpg": sends(b"<html>", "text/html"),
    }
    fetched = fetch(tmp_path, museum.collection("top", *addresses.values()))
    assert (fetched.manifests, fetched.pictures, fetched.failures) == (3, 1, 8)
    reasons = failures(tmp_path)
    for path, reason in {
        "gone/manifest": "HTTP 404",
        "html/manifest": "what the server sent is not JSON",
        "json/manifest": "neither a manifest, a collection, an info.json nor a picture",
        "unwell/manifest": "HTTP 503",
        "large/manifest": "it has 1,000,000,000,000 bytes, more than",
        "cut/manifest": "the connection ended after 6 of 100 bytes",
        "image/image-picture": "no picture that can be used: GIF",
        "image/image-page": "the server sent text/html in the place of a picture",
    }.items():
        assert reason in reasons[path], path
    museum.always.clear()
    assert (fetched := fetch(tmp_path, museum.collection("top", *addresses.values()))).failures == 0
    assert fetched.pictures == len(names)


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


def test_collections_that_go_in_circles_or_deep(museum, tmp_path: Path) -> None:
    one, two = f"{museum.address}/one", f"{museum.address}/two"
    manifest = museum.manifest("a", "image")
    museum.collection("one", one, two, manifest, manifest)
    museum.collection("two", one, two)
    fetched = fetch(tmp_path / "circle", one)
    assert (fetched.manifests, fetched.failures) == (1, 0)
    assert museum.requests.count("/one") == museum.requests.count("/two") == 1
    for level in range(40):
        museum.collection(f"deep{level}", f"{museum.address}/deep{level + 1}")
    assert fetch(tmp_path / "deep", f"{museum.address}/deep0").failures == 1
    assert failures(tmp_path / "deep") == {
        "deep20": "the collection is too deep within others, or one of too many"
    }


def test_pages_of_a_collection_are_not_deep(museum, tmp_path: Path) -> None:
    for number in range(30):
        further = {"next": f"{museum.address}/page{number + 1}"} if number < 29 else {}
        museum.collection(f"page{number}", museum.manifest(f"m{number}", "image"), **further)
    museum.collection("top", first=f"{museum.address}/page0")
    fetched = fetch(tmp_path, f"{museum.address}/top")
    assert (fetched.manifests, fetched.failures) == (30, 0)


def test_a_manifest_that_names_itself(museum, tmp_path: Path) -> None:
    address = museum.manifest("a", "image")
    museum.documents["/a/manifest"]["items"][0]["items"][0]["items"][0]["body"] = {
        "id": address,
        "type": "Image",
    }
    assert fetch(tmp_path, address).pictures == 0
    assert failures(tmp_path) == {"a/manifest": "the server sent application/json in the place of a picture"}


def test_hostile_identifiers_stay_in_the_folder(museum, tmp_path: Path) -> None:
    names = ["../../../escaped", "..", "%2e%2e%2fescaped", "a" * 3000, ".bashrc", "con", "a/b\\c", "né\u202e"]
    for name in names:
        museum.documents[f"/{name}/manifest"] = None
    addresses = []
    for index, name in enumerate(names):
        museum.manifest(f"m{index}", "image")
        document = museum.documents[f"/m{index}/manifest"]
        body = document["items"][0]["items"][0]["items"][0]["body"]
        body["service"] = [
            {"id": f"{museum.address}/image/{name}", "type": "ImageService3", "profile": "level2"}
        ]
        body["id"] = f"{museum.address}/files/{name}.jpg"
        document["id"] = f"{museum.address}/{name}"
        addresses.append(f"{museum.address}/m{index}/manifest")
    (tmp_path / "addresses.txt").write_text("\n".join(addresses))
    out = tmp_path / "deep" / "er" / "out"
    fetched = fetch(out, str(tmp_path / "addresses.txt"))
    assert fetched.manifests == len(names)
    outside = {path for path in tmp_path.rglob("*") if path.is_file() and out not in path.parents}
    assert outside == {tmp_path / "addresses.txt"}
    assert all(len(path.name) < 100 and not path.name.startswith(".") for path in out.rglob("*"))


def test_a_public_manifest_cannot_name_private_hosts(museum, tmp_path: Path, monkeypatch) -> None:
    """A manifest of a server that counts as public, whose pictures and manifests are said to be on this machine."""
    import arttl.fetching.http as http

    public = "93.184.215.14"
    resolve, connect = http.socket.getaddrinfo, http.socket.create_connection
    port = int(museum.address.rpartition(":")[2])
    monkeypatch.setattr(
        http.socket,
        "getaddrinfo",
        lambda host, *more, **named: resolve(public if host == "museum.example" else host, *more, **named),
    )
    monkeypatch.setattr(
        http.socket,
        "create_connection",
        lambda address, *more: connect(("127.0.0.1", port) if address[0] == public else address, *more),
    )
    private = museum.manifest("private", "image")
    museum.collection(
        "top", private, "http://169.254.169.254/manifest", "http://museum.example/public/manifest"
    )
    museum.manifest("public", "image")
    fetched = fetch(tmp_path, "http://museum.example/top")
    assert (fetched.manifests, fetched.pictures) == (1, 0)
    assert museum.requests == ["/top", "/public/manifest"]
    with (tmp_path / "failures.csv").open(newline="") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    assert len(reasons) == 3 and all("which is not public and is refused" in reason for reason in reasons)


def test_entries_of_a_collection_that_cannot_be_opened_are_failures(museum, tmp_path: Path) -> None:
    address = museum.collection("top", museum.manifest("a", "image"))
    others = [
        *("file:///etc/passwd", "ftp://museum.example/1", "urn:uuid:12", "/relative/manifest"),
        *("data:application/json,{}", "https:///no-host", "not an address"),
    ]
    items = museum.documents["/top"]["items"]
    items += [{"id": other, "type": "Manifest"} for other in others]
    items += [
        {"type": "Manifest"},
        {"id": "file:///without/type"},
        7,
        {"id": "file:///c", "type": "Collection"},
    ]
    fetched = fetch(tmp_path, address)
    assert (fetched.manifests, fetched.failures) == (1, len(others) + 4)
    with (tmp_path / "failures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [*others, f"{address}#9", "file:///without/type", f"{address}#11", "file:///c"]
    assert sorted(row["address"] for row in rows) == sorted(expected)
    assert {(row["named_by"], row["reason"]) for row in rows} == {
        (address, "it is not an address of http or https")
    }


def test_an_entry_without_a_type_is_fetched(museum, tmp_path: Path) -> None:
    address = museum.collection("top", museum.manifest("a", "image"))
    del museum.documents["/top"]["items"][0]["type"]
    assert fetch(tmp_path, address).pictures == 1


def test_a_huge_manifest_is_refused(museum, tmp_path: Path) -> None:
    def huge(handler: Any) -> None:
        send(handler, b'{"type": "Manifest", "items": [' + b'"x",' * (5 * 2**20) + b'"x"]}')

    museum.always["/huge/manifest"] = huge
    assert fetch(tmp_path, f"{museum.address}/huge/manifest", most_mib=64).manifests == 0
    assert failures(tmp_path) == {"huge/manifest": "it is no picture, and has more than 16,777,216 bytes"}


def test_a_full_disk_stops_everything(museum, tmp_path: Path, monkeypatch) -> None:
    def full(path: Path, *_: Any) -> None:
        from arttl.files import WriteError

        raise WriteError(path, "No space left on device")

    address = museum.manifest("a", "image")
    monkeypatch.setattr("arttl.fetching.iiif.write_bytes", full)
    with pytest.raises(ArttlError, match="cannot be written: No space left on device"):
        fetch(tmp_path, address)
    assert not (tmp_path / "fetched.json").exists()


@pytest.mark.slow
def test_a_killed_fetch_is_resumed_to_the_same_bytes(museum, tmp_path: Path) -> None:
    address = museum.collection("top", *(museum.manifest(f"m{number}", f"i{number}") for number in range(12)))
    whole = tmp_path / "whole"
    fetch(whole, address)

    def slow(handler: Any) -> None:
        time.sleep(0.15)
        send(handler, jpeg(512, 341), "image/jpeg")

    museum.always = {f"/image/i{number}/full/!512,512/0/default.jpg": slow for number in range(12)}
    killed = tmp_path / "killed"
    code = "import sys; from arttl.cli import run_command; sys.exit(run_command('fetch', sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "iiif", address, "--out", str(killed), "--rate", "1000"]
    for count in (1, 4, 8):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(list(killed.glob("images/*.jpg"))) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert count <= len(list(killed.glob("images/*.jpg"))) < 12
        assert not (killed / "fetched.json").exists()
    museum.always = {}
    fetch(killed, address)
    assert tree(killed) == tree(whole)


def test_the_command(museum, tmp_path: Path, capsys) -> None:
    address = museum.collection("top", *(museum.manifest(f"m{number}", f"i{number}") for number in range(8)))
    out = tmp_path / "out"
    argv = ["iiif", address, "--out", str(out), "--rate", "1000", "--retries", "0"]
    assert run_command("fetch", argv) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"8 manifests and 8 pictures in {out}\n")
    command = shown.splitlines()[-1].partition("arttl shards ")[2].split()
    assert run_command("shards", [*command[:-1], str(tmp_path / "shards"), "--dry-run"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "tasks guessed from the labels of the metadata: material" in shown
    assert "task material is read from: Medium (8)" in shown
    museum.always["/image/i7/full/!512,512/0/default.jpg"] = status(503)
    assert run_command("fetch", [*argv[:2], "--out", str(tmp_path / "other"), *argv[4:]]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("8 manifests and 7 pictures in")
    assert captured.err.startswith("error: 1 address could not be fetched;")  # and no spinner before it
    del museum.documents["/m7/manifest"]
    assert (
        run_command("fetch", ["iiif", f"{museum.address}/m7/manifest", "--out", str(tmp_path / "none")]) == 2
    )
    assert capsys.readouterr().out == f"0 manifests and 0 pictures in {tmp_path / 'none'}\n"
    museum.collection("empty")
    assert run_command("fetch", ["iiif", f"{museum.address}/empty", "--out", str(tmp_path / "empty")]) == 2
    assert "there is no manifest and no picture" in capsys.readouterr().err


def test_the_collections_of_the_command(capsys) -> None:
    assert run_command("fetch", []) == 0
    shown = capsys.readouterr().out
    assert "  rijks2014 " in shown and "  iiif      " in shown
    assert run_command("fetch", ["iif"]) == 2
    assert "no command 'iif' (did you mean 'iiif'?)" in capsys.readouterr().err


def test_names_of_documents() -> None:
    names = {document_name(f"https://m.example/{path}/manifest.json") for path in ("a/1", "b/1", "1", "../1")}
    assert len(names) == 4 and all(name.startswith("1-") and name.endswith(".json") for name in names)


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


def test_credentials_in_an_address_are_not_kept(tmp_path: Path, capsys) -> None:
    assert (
        run_command(
            "fetch", ["iiif", "http://someone:secret@127.0.0.1:9/m.json", "--out", str(tmp_path / "i")]
        )
        == 2
    )
    captured = capsys.readouterr()
    texts = [path.read_text() for path in (tmp_path / "i").rglob("*") if path.is_file()]
    assert "127.0.0.1:9/m.json" in "".join(texts)
    assert "secret" not in "".join([*texts, captured.out, captured.err])
