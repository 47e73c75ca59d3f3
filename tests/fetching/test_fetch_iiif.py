"""`arttl fetch iiif`: what it leaves in its folder, once and when it is given again; addresses and the command."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from folder_contents import contents
from iiif_fetch_cases import failures, fetch, size_of
from iiif_stand_in import Served, jpeg, send, sends, status

from arttl.artworks import Artwork
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.fetching.http import PoliteClient
from arttl.iiif.resources import document_name
from arttl.sources.iiif import read_iiif
from arttl.sources.settings import SourceSettings


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
    before, count = contents(tmp_path), len(museum.requests)
    assert fetch(tmp_path, address).pictures == 1
    assert len(museum.requests) == count and contents(tmp_path) == before
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
    assert contents(killed) == contents(whole)


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


def test_credentials_in_an_address_are_not_kept(tmp_path: Path, capsys) -> None:
    argv = [
        "iiif",
        "http://someone:secret@127.0.0.1:9/m.json",
        "--out",
        str(tmp_path / "i"),
        "--retries",
        "0",
    ]
    assert run_command("fetch", argv) == 2
    captured = capsys.readouterr()
    texts = [path.read_text() for path in (tmp_path / "i").rglob("*") if path.is_file()]
    assert "127.0.0.1:9/m.json" in "".join(texts)
    assert "secret" not in "".join([*texts, captured.out, captured.err])
