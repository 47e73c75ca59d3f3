from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.pictures.duplicates import same_bytes
from arttl.pictures.picture_file import PictureFile

_PIECE = st.sampled_from([b"", b"a", b"b", b"\0", b"x" * 4096, b"y" * 4096, b"z" * 9000])


def _found(paths: list[Path], rows: list[int]) -> list[list[int]]:
    return [
        found.tolist()
        for found in same_bytes(np.array(rows, dtype=np.int64), lambda row: PictureFile(paths[row]))
    ]


@settings(max_examples=60, deadline=None)
@given(contents=st.lists(st.lists(_PIECE, max_size=4).map(b"".join), min_size=1, max_size=12))
def test_as_the_digests_of_whole_files_say(
    contents: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    paths = []
    expected: dict[str, list[int]] = defaultdict(list)
    for row, content in enumerate(contents):
        paths.append(folder / str(row))
        paths[-1].write_bytes(content)
        if content:
            expected[hashlib.sha256(content).hexdigest()].append(row)
    assert _found(paths, list(range(len(contents)))) == [rows for rows in expected.values() if len(rows) > 1]


def test_equal_ends_are_not_enough(tmp_path: Path) -> None:
    ends = b"a" * 5000
    for name, middle in (("0", b"x"), ("1", b"y"), ("2", b"x")):
        (tmp_path / name).write_bytes(ends + middle * 10_000 + ends)
    paths = [tmp_path / str(row) for row in range(3)]
    assert _found(paths, [0, 1, 2]) == [[0, 2]]
    assert _found(paths, [1, 2]) == []


def test_only_candidates_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in range(6):
        (tmp_path / str(row)).write_bytes(bytes(100 + (row if row < 4 else 50)))
    opened: set[str] = set()
    whole = Path.open

    def watched(path: Path, *arguments: object, **options: object) -> object:
        opened.add(path.name)
        return whole(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", watched)
    assert _found([tmp_path / str(row) for row in range(6)], list(range(6))) == [[4, 5]]
    assert opened == {"4", "5"}


def test_what_cannot_be_read_equals_nothing(tmp_path: Path) -> None:
    for name in ("empty", "empty too"):
        (tmp_path / name).touch()
    for name in ("folder", "folder too"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe")
    names = ["empty", "empty too", "folder", "folder too", "pipe", "pipe", "lost", "lost", "nul\0", "x" * 300]
    assert _found([tmp_path / name for name in names], list(range(len(names)))) == []
    assert _found([], []) == []


def test_parts_of_a_file(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b"head" + b"a" * 9000 + b"a" * 9000 + b"b" * 9000)
    places = [
        PictureFile(archive, (4, 9000)),
        PictureFile(archive, (9004, 9000)),
        PictureFile(archive, (18004, 9000)),
    ]
    (tmp_path / "alone").write_bytes(b"b" * 9000)
    places.append(PictureFile(tmp_path / "alone"))
    found = [rows.tolist() for rows in same_bytes(np.arange(4), lambda row: places[row])]
    assert found == [[0, 1], [2, 3]]
