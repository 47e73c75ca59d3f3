from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.artworks import ArchivedArtwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources.remarks import PassedOver
from arttl.sources.settings import SourceSettings
from arttl.sources.webdataset import read_webdataset


def _write(path: Path, members: list[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def _items(folder: Path, **changes: Any) -> list[ArchivedArtwork | Reject | PassedOver]:
    values: dict[str, Any] = {"source": "webdataset", "images": folder, "split": "official", **changes}
    return list(read_webdataset(SourceSettings(**values)))


def _read(folder: Path, **changes: Any) -> list[ArchivedArtwork | Reject]:
    return [item for item in _items(folder, **changes) if not isinstance(item, PassedOver)]


def _bytes(artwork: ArchivedArtwork) -> bytes:
    return artwork.image.read_bytes()[artwork.offset : artwork.offset + artwork.size]


def test_what_webdataset_itself_writes(tmp_path: Path) -> None:
    with webdataset.TarWriter(str(tmp_path / "train-0000.tar")) as writer:
        for index in range(4):
            fields = {"number": f"SK.{index}", "genre": ["a", f"雪{index}"], "made": {"year": 1600 + index}}
            writer.write(
                {"__key__": f"in/{index:04d}", "jpg": b"picture %d" % index, "cls": index, "json": fields}
            )
    first, second, *_ = _read(tmp_path)
    assert isinstance(first, ArchivedArtwork) and isinstance(second, ArchivedArtwork)
    assert (first.object_number, first.labels, first.split) == ("in/0000", {"class": ("0",)}, "train")
    assert (second.member, _bytes(second)) == ("in/0001.jpg", b"picture 1")
    found = _read(
        tmp_path,
        tasks=("genre", "year=made.year"),
        object_number="number",
        date="made.year",
        group_column="number",
    )
    assert isinstance(found[3], ArchivedArtwork)
    assert (found[3].object_number, found[3].key) == ("SK.3", found[3].key)
    assert found[3].labels == {"genre": ("a", "雪3"), "year": ("1603",)}
    assert (found[3].date, found[3].group) == ("1603", "SK.3")


def test_numbers_in_the_json_keep_their_digits(tmp_path: Path) -> None:
    text = b'{"number": 1907.10, "sizes": [1.50, 2]}'
    _write(tmp_path / "train.tar", [("a.jpg", b"picture"), ("a.json", text)])
    (artwork,) = _read(tmp_path, tasks=("sizes",), object_number="number")
    assert isinstance(artwork, ArchivedArtwork)
    assert (artwork.object_number, artwork.labels) == ("1907.10", {"sizes": ("1.50", "2")})


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.text(), min_size=1, max_size=4),
    name=st.text(st.characters(codec="utf-8"), max_size=30),
)
def test_any_text_in_the_json_survives(
    labels: list[str], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tars")
    text = json.dumps({"genre": labels, "name": name}).encode()
    _write(folder / "test.tar", [("1.png", b"x"), ("1.json", text)])
    (artwork,) = _read(folder, tasks=("genre",), title="name")
    assert isinstance(artwork, ArchivedArtwork)
    assert artwork.labels["genre"] == tuple(labels)
    assert (artwork.title, artwork.split) == (name, "test")


def test_splits_from_names_of_tars_and_folders(tmp_path: Path) -> None:
    for name in ("a_valid_00.tar", "train/0.tar", "x/Test-1.tar"):
        _write(tmp_path / name, [(f"{Path(name).stem}.jpg", b"x"), (f"{Path(name).stem}.cls", b"1")])
    splits = {found.object_number: found.split for found in _read(tmp_path)}  # type: ignore[union-attr]
    assert splits == {"a_valid_00": "val", "0": "train", "Test-1": "test"}
    _write(tmp_path / "more.tar", [("1.jpg", b"x"), ("1.cls", b"1")])
    with pytest.raises(ArttlError, match=r"more\.tar names no split .* give --split paper"):
        _read(tmp_path)
    assert len(_read(tmp_path, split="paper")) == 4


def test_splits_from_a_field(tmp_path: Path) -> None:
    members = []
    for index, split in enumerate(("training", "dev", "")):
        members += [(f"{index}.jpg", b"x"), (f"{index}.json", json.dumps({"s": split, "t": "x"}).encode())]
    tar = _write(tmp_path / "0.tar", members)
    found = _read(tmp_path, split="column=s", tasks=("t",))
    assert [artwork.split for artwork in found] == ["train", "val", None]  # type: ignore[union-attr]
    _write(tar, [("0.jpg", b"x"), ("0.json", b'{"s": "holdout", "t": "x"}')])
    with pytest.raises(
        ArttlError, match=r"0\.tar/0\.jpg has 'holdout' in the column 's' \(--split column=s\)"
    ):
        _read(tmp_path, split="column=s", tasks=("t",))


def test_samples_that_cannot_be_used(tmp_path: Path) -> None:
    members = [
        ("good.jpg", b"x"),
        ("good.cls", b"1"),
        ("text only.cls", b"1"),
        ("bad.jpg", b"x"),
        ("bad.json", b"{"),
        ("list.jpg", b"x"),
        ("list.json", b"[1]"),
        ("deep.jpg", b"x"),
        ("deep.json", b"[" * 100_000),
        ("large.jpg", b"x"),
        ("large.txt", bytes(2**23 + 1)),
        ("good.jpg", b"y"),
        ("good.cls", b"2"),
        ("no suffix", b""),
    ]
    tar = _write(tmp_path / "train.tar", members)
    with tarfile.open(tar, "a") as archive:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    good, *rejects = _read(tmp_path)
    assert isinstance(good, ArchivedArtwork)
    details = {one.file: one.detail for one in rejects if isinstance(one, Reject) and one.reason == "bad-row"}
    assert list(details) == [
        *("train.tar/text only", "train.tar/bad.jpg", "train.tar/list.jpg", "train.tar/deep.jpg"),
        *("train.tar/large.jpg", "train.tar/good.jpg"),
    ]
    assert len(details) == len(rejects)
    assert details["train.tar/text only"] == "the sample has no picture"
    assert "is not JSON" in details["train.tar/bad.jpg"]
    assert details["train.tar/good.jpg"] == "a second sample of this name in one tar"


def test_what_is_passed_over(tmp_path: Path) -> None:
    members = [
        ("1.jpg", b"x"),
        ("1.png", b"y"),
        ("1.cls", b"1"),
        ("1.npy", b"z"),
        ("SK-A.1.jpg", b"x"),
        ("SK-A.1.cls", b"1"),
        ("SK-A.2.jpg", b"y"),
        ("SK-A.2.cls", b"1"),
        ("._2.jpg", b"resource fork"),
        ("in/", b""),
        ("plain", b""),
    ]
    tar = _write(tmp_path / "train.tar", members)
    with tarfile.open(tar, "a") as archive:
        link = tarfile.TarInfo("3.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "1.jpg"
        archive.addfile(link)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    (tmp_path / "val.tar").mkdir()
    (tmp_path / "._train.tar").write_bytes(b"resource fork")
    passed_over = [(item.kind, item.name) for item in _items(tmp_path) if isinstance(item, PassedOver)]
    cut = "pictures that belong to another's sample, cut at the first dot of their name"
    assert sorted(passed_over, key=lambda item: item[1]) == sorted(
        [
            ("hidden files", "._train.tar"),
            ("folders and broken links with the name of a tar", "val.tar"),
            ("second pictures of a sample", "train.tar/1.png"),
            ("members that are neither pictures, texts nor JSON", "train.tar/1.npy"),
            (cut, "train.tar/SK-A.2.jpg"),
            ("hidden members", "train.tar/._2.jpg"),
            ("members without a suffix", "train.tar/in/"),
            ("members without a suffix", "train.tar/plain"),
            ("members that are links or special files", "train.tar/3.jpg"),
        ],
        key=lambda item: item[1],
    )


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"holds no \.tar file"):
        _read(tmp_path)
    _write(tmp_path / "train.tar", [("1.jpg", b"x"), ("1.txt", b"a"), ("1.json", b'{"g": 1}')])
    with pytest.raises(
        ArttlError, match=r"no sample of .* has 'cls' \(--tasks class=cls\); they have: txt, g"
    ):
        _read(tmp_path)
    cut = (tmp_path / "train.tar").read_bytes()[:700]
    (tmp_path / "train.tar").write_bytes(cut)
    with pytest.raises(ArttlError, match=r"train\.tar cannot be read as a tar"):
        _read(tmp_path, tasks=("g",))
    (tmp_path / "train.tar").unlink()
    with tarfile.open(tmp_path / "train.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x.jpg"))
    with pytest.raises(
        ArttlError, match=r"train\.tar\.gz cannot be read as a tar: it is compressed; unpack it first"
    ):
        _read(tmp_path)
