from __future__ import annotations

from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources.folders import read_folders
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings


def _make(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def _items(folder: Path, **changes: object) -> list[Artwork | Reject | PassedOver | Note]:
    return list(read_folders(SourceSettings(source="folders", images=folder, **changes)))  # type: ignore[arg-type]


def _read(folder: Path, **changes: object) -> list[Artwork | Reject]:
    return [item for item in _items(folder, **changes) if not isinstance(item, PassedOver | Note)]


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    folder = _make(
        tmp_path, "vase/1.jpg", "vase/more/2.jpg", "bowl/3.png", "bowl/Thumbs.db", "bowl/.x", ".y/z.jpg"
    )
    found = [artwork for artwork in _read(folder) if isinstance(artwork, Artwork)]
    assert [(a.object_number, a.labels, a.image.relative_to(folder).as_posix()) for a in found] == [
        ("bowl/3", {"class": ("bowl",)}, "bowl/3.png"),
        ("vase/1", {"class": ("vase",)}, "vase/1.jpg"),
        ("vase/more/2", {"class": ("vase",)}, "vase/more/2.jpg"),
    ]
    first = _read(folder, tasks=("type",))[0]
    assert isinstance(first, Artwork)
    assert first.labels == {"type": ("bowl",)}


def test_folders_of_splits(tmp_path: Path) -> None:
    folder = _make(tmp_path, "train/vase/1.jpg", "Valid/vase/2.jpg", "test/bowl/3.jpg")
    found = [artwork for artwork in _read(folder, split="official") if isinstance(artwork, Artwork)]
    assert [(a.object_number, a.split, a.labels["class"]) for a in found] == [
        ("Valid/vase/2", "val", ("vase",)),
        ("test/bowl/3", "test", ("bowl",)),
        ("train/vase/1", "train", ("vase",)),
    ]
    _make(tmp_path, "vase/4.jpg")
    with pytest.raises(ArttlError, match="vase is not the folder of a split, as --split official needs"):
        _read(folder, split="official")


def test_folders_of_splits_are_no_classes_when_all_pictures_are_divided_anew(tmp_path: Path) -> None:
    folder = _make(tmp_path, "train/vase/1.jpg", "val/bowl/more/2.jpg", "val/3.jpg")
    note, first, loose, second = _items(folder, split="stratified")
    assert (
        isinstance(note, Note) and "train and val are splits; the classes are the folders inside" in note.text
    )
    assert isinstance(loose, Reject) and loose.file == "val/3.jpg"
    assert isinstance(first, Artwork) and isinstance(second, Artwork)
    assert [(a.split, a.labels["class"]) for a in (first, second)] == [(None, ("vase",)), (None, ("bowl",))]
    _make(tmp_path, "vase/4.jpg")  # not all are named after splits
    labels = {a.labels["class"] for a in _read(folder, split="stratified") if isinstance(a, Artwork)}
    assert labels == {("train",), ("val",), ("vase",)}


def test_what_is_left_out(tmp_path: Path) -> None:
    folder = _make(tmp_path / "images", "vase/1.jpg", "loose.jpg")
    (folder / "link").symlink_to(_make(tmp_path / "elsewhere", "a.jpg"))
    *_, reject = sorted(_read(folder), key=lambda found: isinstance(found, Reject))
    assert reject == Reject("loose", "", "loose.jpg", "bad-row", "the file is in no class's folder")
    assert len(_read(folder)) == 2
    _make(folder, "vase/notes.txt", "vase/._1.jpg", "vase/without", "vase/2.heic", "vase/desktop.ini")
    passed_over = [(item.kind, item.name) for item in _items(folder) if isinstance(item, PassedOver)]
    assert passed_over == [
        ("symbolic links to folders", "link"),
        ("hidden files and folders", "vase/._1.jpg"),
        ("files without the suffix of a picture", "vase/notes.txt"),
        ("files without the suffix of a picture", "vase/without"),
    ]
    assert len(_read(folder)) == 3
    with pytest.raises(ArttlError, match="has one task, the folder's name; --tasks gives 2"):
        _read(folder, tasks=("a", "b"))
    with pytest.raises(ArttlError, match="needs --images"):
        list(read_folders(SourceSettings(source="folders")))
