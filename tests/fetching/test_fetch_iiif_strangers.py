"""IIIF: documents that are broken, endless or hostile cost a line in failures.csv and nothing else."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from iiif_fetch_cases import failures, fetch
from iiif_stand_in import send, sends, status


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
