"""Members of tars, beside `tarfile` itself, and archives that are not whole."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.tar_members import read_members

_NAMES = st.text(st.sampled_from("ab/é雪. _"), min_size=1, max_size=150).filter(
    lambda name: name.strip("/") and not name.startswith("/")
)
_FORMATS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


def _tar(members: list[tuple[str, int, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, size, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "elsewhere" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            member.size = size if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


@settings(deadline=None)
@given(
    members=st.lists(
        st.tuples(
            _NAMES,
            st.integers(0, 2000),
            st.sampled_from(
                [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
            ),
        ),
        max_size=8,
    ),
    form=_FORMATS,
)
def test_the_members_are_those_of_tarfile(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, int, bytes]], form: int
) -> None:
    path: Path = tmp_path_factory.mktemp("tar") / "a.tar"
    try:
        path.write_bytes(_tar(members, form))
    except ValueError:  # a name that ustar cannot hold
        return
    with tarfile.open(path) as archive:
        expected = [
            (member.name, _kind(member), member.offset_data, member.size * member.isreg())
            for member in archive
        ]
    read = [(member.name, member.kind, member.offset, member.size) for member in read_members(path)]
    # tarfile takes the slash from the end of some names.
    assert [(name.rstrip("/"), *rest) for name, *rest in read] == [
        (name.rstrip("/"), *rest) for name, *rest in expected
    ]


def _kind(member: tarfile.TarInfo) -> str:
    if member.isreg():
        return "file"
    return "folder" if member.isdir() else "link" if member.islnk() or member.issym() else "other"


def test_one_wrong_byte_in_a_header_is_no_end(tmp_path: Path) -> None:
    """`tarfile` ends there: 25 of 40 samples are lost without a word."""
    path = tmp_path / "a.tar"
    data = bytearray(
        _tar([(f"{index}.jpg", 600, tarfile.REGTYPE) for index in range(40)], tarfile.USTAR_FORMAT)
    )
    position = 15 * 3 * 512
    data[position + 3] ^= 1
    path.write_bytes(data)
    with tarfile.open(path) as archive:
        assert len(archive.getmembers()) == 15
    with pytest.raises(ArttlError, match=f"the header at byte {position:,} is damaged"):
        list(read_members(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[: 2 * 1024], "it is cut off at byte 2,048"),
        (lambda data: data[:1700], "the member at byte 1,024 is cut off"),
        (lambda data: data + data, "bytes follow; unpack joined archives"),
        (lambda data: data + b"x", "bytes follow"),
        (lambda data: b"\x1f\x8b" + data, "it is compressed; unpack it first"),
        (lambda data: b"", "it is cut off at byte 0"),
    ],
)
def test_archives_that_are_not_whole(change, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.tar"
    path.write_bytes(
        change(_tar([("a.jpg", 500, tarfile.REGTYPE), ("b.jpg", 500, tarfile.REGTYPE)], tarfile.USTAR_FORMAT))
    )
    with pytest.raises(ArttlError, match=message):
        list(read_members(path))


@pytest.mark.parametrize("size", [200_000, 1_000_000, 3_000_000])
def test_a_large_pax_header_costs_no_time(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a.jpg")
        member.pax_headers = {"comment": "1" * size}
        archive.addfile(member, io.BytesIO())
    path.write_bytes(buffer.getvalue())
    started = time.process_time()
    if size > 2**20:
        with pytest.raises(ArttlError, match="the extended header at byte 0 has"):
            list(read_members(path))
    else:
        assert [member.name for member in read_members(path)] == ["a.jpg"]
    assert time.process_time() - started < 1


@given(st.binary(max_size=3000))
def test_noise_is_one_sentence(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path: Path = tmp_path_factory.mktemp("noise") / "a.tar"
    path.write_bytes(data)
    try:
        list(read_members(path))
    except ArttlError as error:
        assert str(path) in str(error)
