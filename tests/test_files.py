from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults import full_disk, path_of, states_of_kills

from arttl import files
from arttl.errors import ArttlError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written(tmp_path) -> None:
    files.write_bytes(tmp_path / "a", [b"1", b"2"])
    files.write_text(tmp_path / "b", "é\r\n")
    files.write_json(tmp_path / "c", {"é": 1})
    files.write_json(tmp_path / "d", [1], indent=None)
    assert [(tmp_path / name).read_bytes() for name in "abcd"] == [
        b"12",
        b"\xc3\xa9\r\n",
        '{\n "é": 1\n}\n'.encode(),
        b"[1]",
    ]
    assert names(tmp_path) == ["a", "b", "c", "d"]


def write_file(out: Path) -> None:
    files.write_bytes(out, b"new")


def write_folder(out: Path) -> None:
    with files.whole_folder(out) as unfinished:
        (unfinished / "inner").mkdir()
        for name in ("one", "inner/two"):
            (unfinished / name).write_text("new")


def content(out: Path) -> object:
    if out.is_dir():
        return {
            path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()
        }
    return out.read_bytes() if out.exists() else None


@pytest.mark.parametrize("write", [write_file, write_folder])
@pytest.mark.parametrize("replaces", [False, True])
def test_a_full_disk_and_a_kill_at_every_operation(tmp_path, write, replaces) -> None:
    """What has the final name is the old or the new, whole; a failure leaves nothing else, nor does a later success."""
    root, states = tmp_path / "root", tmp_path / "states"
    out = root / "out"

    def prepare() -> None:
        for path in root.glob("*"):
            files.remove(path)
        root.mkdir(exist_ok=True)
        if replaces:
            write(out)

    prepare()
    old = content(out)
    write(out)
    new = content(out)
    number = 1
    while True:
        prepare()
        sentence = full_disk(root, number, lambda: write(out))
        if sentence is None:
            break
        assert sentence == f"{out} cannot be written: No space left on device"
        assert content(out) in (old, new, None)
        write(out)
        assert content(out) == new and names(root) == ["out"]
        number += 1
    assert number > (4 if write is write_file else 7)
    prepare()
    for state in states_of_kills(root, states, lambda: write(out)):
        assert content(state / "out") in (old, new, None)
        write(state / "out")
        assert content(state / "out") == new and names(state) == ["out"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path) -> None:
    files.write_text(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), files.whole_file(tmp_path / "a") as temporary:
        temporary.write_text("new")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), files.whole_folder(tmp_path / "b") as temporary:
        (temporary / "x").write_text("new")
        raise ZeroDivisionError
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("block", ["whole_file", "whole_folder"])
def test_what_another_process_writes_is_left_until_it_is_dead(tmp_path, block) -> None:
    script = f"""
import sys, time
from pathlib import Path
from arttl import files
with files.{block}(Path(sys.argv[1])) as temporary:
    (temporary if "{block}" == "whole_file" else temporary / "x").write_text("half")
    print("here", flush=True)
    time.sleep(600)
"""
    out = tmp_path / "out"
    other = subprocess.Popen([sys.executable, "-c", script, str(out)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "here\n"
    write = write_file if block == "whole_file" else write_folder
    write(out)
    assert len(names(tmp_path)) == 2
    other.kill()
    other.wait()
    assert len(names(tmp_path)) == 2
    write(out)
    assert names(tmp_path) == ["out"]


def test_names_that_are_like_those_of_what_is_unfinished_are_left_alone(tmp_path) -> None:
    for name in (".out.unfinished", "out.00000000-1.unfinished", ".out.00000000-99999999.part"):
        (tmp_path / name).write_text("mine")
    files.write_text(tmp_path / "out", "")
    files.remove_leftovers(tmp_path)
    assert len(names(tmp_path)) == 4


def test_lines_are_appended_after_what_a_kill_left_whole(tmp_path) -> None:
    path = tmp_path / "lines"
    assert files.read_lines(path) == []
    files.append_lines(path, ["{}", '{"a": "é"}'])
    with path.open("a") as file:
        file.write('{"torn')
    assert files.read_lines(path) == ["{}", '{"a": "é"}']
    files.append_lines(path, [json.dumps([1])])
    assert path.read_text(encoding="utf-8") == '{}\n{"a": "é"}\n[1]\n'


def test_a_folder_that_is_not_there_is_named(tmp_path) -> None:
    path = tmp_path / "missing" / "a"
    with pytest.raises(ArttlError, match=f"^{path} cannot be written: No such file or directory$"):
        files.write_text(path, "")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArttlError, match="file/x cannot be written: Not a directory"):
        files.make_folder(tmp_path / "file" / "x")


@pytest.mark.skipif(os.name != "posix", reason="there are no pipes with names elsewhere")
def test_a_file_replaces_no_folder_and_no_device(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    os.mkfifo(tmp_path / "pipe")  # as /dev/null is, which whoever is root would replace
    for name, kind in (("folder", "a folder"), ("pipe", "a device or a pipe")):
        with pytest.raises(ArttlError, match=f"{name} cannot be written: it is {kind}; name a file"):
            files.write_text(tmp_path / name, "new")
    assert names(tmp_path) == ["folder", "pipe"] and names(tmp_path / "folder") == ["mine"]


def test_a_folder_replaces_a_link_to_one(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "mine")
    write_folder(tmp_path / "out")
    assert not (tmp_path / "out").is_symlink() and names(tmp_path / "out") == ["inner", "one"]
    assert names(tmp_path) == ["mine", "out"] and names(tmp_path / "mine") == []


def test_what_a_killed_process_left_of_safetensors_is_removed(tmp_path) -> None:
    for name in (".tmpA1b2C3", ".tmpfile", "tmpA1b2C3"):
        (tmp_path / name).write_text("")
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == [".tmpfile", "tmpA1b2C3"]


def test_removing_a_folder_and_a_link_to_one(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    files.remove(tmp_path / "link")
    assert names(tmp_path) == ["a"]
    files.remove(tmp_path / "a")
    files.remove(tmp_path / "a")
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="folders are not flushed elsewhere")
def test_everything_is_flushed_before_it_gets_its_name(tmp_path, monkeypatch) -> None:
    done: list[str] = []
    for name in ("fsync", "rename", "replace"):
        real = getattr(os, name)

        def call(path, *more, name=name, real=real) -> None:
            where = path_of(path) if isinstance(path, int) else Path(path)
            done.append(f"{name} {where.name}")
            real(path, *more)

        monkeypatch.setattr(os, name, call)
    write_folder(tmp_path / "out")
    flushed, renamed = done[:-2], done[-2]
    assert {"fsync one", "fsync two", "fsync inner"} <= set(flushed) and len(flushed) == 4
    assert renamed.startswith("re") and done[-1] == f"fsync {tmp_path.name}"
