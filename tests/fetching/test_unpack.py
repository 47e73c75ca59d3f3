from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from archive_cases import make_tar, make_zip
from folder_contents import contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.fetching import unpack as unpack_module
from arttl.fetching.unpack import kind_of, unpack

WANTED = (".jpg", ".xml")
MEMBERS = {
    "set/jpg2/1_A.jpg": b"one",
    "set/jpg2/2_B.JPG": b"two" * 1000,
    "set/README.txt": b"no",
    "3.xml": b"<x/>",
}


def make(path: Path, members: dict[str, bytes]) -> Path:
    return make_zip(path, members) if path.suffix == ".zip" else make_tar(path, members)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2"])
def test_members_go_under_their_last_two_names(tmp_path, name: str) -> None:
    archive = make(tmp_path / name, MEMBERS)
    assert kind_of(archive) is not None
    assert unpack(archive, tmp_path / "out", WANTED) == 3
    assert contents(tmp_path / "out") == {
        "jpg2/1_A.jpg": b"one",
        "jpg2/2_B.JPG": b"two" * 1000,
        "a/3.xml": b"<x/>",
    }


def test_a_file_that_is_no_archive(tmp_path) -> None:
    (tmp_path / "rijksgt.mat").write_bytes(b"MATLAB 5.0")
    assert kind_of(tmp_path / "rijksgt.mat") is None


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "a/../../evil.jpg", "/tmp/evil.jpg", "C:/evil.jpg", "..\\evil.jpg", "\\evil.jpg"]
)
@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_member_that_points_out_of_the_folder(tmp_path, name: str, form: str) -> None:
    inside = tmp_path / "deep" / "out"
    archive = make(tmp_path / form, {"1.jpg": b"fine", name: b"evil"})
    with pytest.raises(ArttlError, match=r"is refused: its member .* points out of its folder"):
        unpack(archive, inside, WANTED)
    assert not list(tmp_path.rglob("*evil*")) and not Path("/tmp/evil.jpg").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar(tmp_path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar", {"1.jpg": b""}, kind, "/etc/passwd")
    with pytest.raises(ArttlError, match=r"its member '1.jpg' is a link, a device or another special file"):
        unpack(archive, tmp_path / "out", WANTED)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip(tmp_path, mode: int) -> None:
    archive = make_zip(tmp_path / "a.zip", {"1.jpg": b"/etc/passwd"}, mode)
    with pytest.raises(ArttlError, match=r"its member '1.jpg' is a link or a device"):
        unpack(archive, tmp_path / "out", WANTED)
    assert not (tmp_path / "out").exists()


def test_a_link_made_first_is_not_written_through(tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("set/jpg2")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("set/jpg2/1.jpg"))
    with pytest.raises(ArttlError, match="is refused"):
        unpack(tmp_path / "a.tar", tmp_path / "out", WANTED)
    assert not list(outside.iterdir())


@pytest.mark.parametrize("form", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("name", ["1.jpg", "1.txt"])  # what is passed over must not be inflated either
def test_a_bomb(tmp_path, monkeypatch, form: str, name: str) -> None:
    monkeypatch.setattr(unpack_module, "ALLOWANCE", 1 << 20)
    zeros = {name: bytes(32 << 20)}
    archive = (
        make_zip(tmp_path / form, zeros, deflate=True)
        if form == "a.zip"
        else make_tar(tmp_path / form, zeros)
    )
    assert archive.stat().st_size < 100_000
    with pytest.raises(ArttlError, match=r"is refused: it unpacks to more than"):
        unpack(archive, tmp_path / "out", WANTED)
    assert contents(tmp_path) == {form: archive.read_bytes()}


def test_a_zip_that_lies_about_a_size(tmp_path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"1.jpg": bytes(8 << 20)}, deflate=True)
    data = bytearray(archive.read_bytes())
    size = struct.pack("<I", 8 << 20)
    for at in (data.find(size), data.rfind(size)):
        data[at : at + 4] = struct.pack("<I", 100)
    archive.write_bytes(data)
    with pytest.raises(ArttlError, match=r"longer than it says|damaged"):
        unpack(archive, tmp_path / "out", WANTED)
    assert sum(map(len, contents(tmp_path / "out").values())) <= 100


def test_a_tar_with_a_header_that_would_fill_the_memory(tmp_path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(1 << 16))
    with pytest.raises(ArttlError, match="a header in it is larger than any could be"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", WANTED)


@pytest.mark.parametrize(("at", "values"), [(28, b"\0\0\0\0\6"), (46, b"\x82")])
def test_a_zip_whose_directory_has_a_name_that_is_none(tmp_path, at: int, values: bytes) -> None:
    """Of no letters, which are a comment instead; and of bytes that are no UTF-8."""
    archive = make_zip(tmp_path / "a.zip", {"ü.jpg": b"x" * 9})
    raw = bytearray(archive.read_bytes())
    start = raw.rindex(b"PK\x01\x02") + at
    raw[start : start + len(values)] = values
    archive.write_bytes(raw)
    with pytest.raises(ArttlError, match=r"a\.zip is damaged"):
        unpack(archive, tmp_path / "out", WANTED)


def test_two_members_of_one_name(tmp_path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.jpg", b"one")
        archive.writestr("1.jpg", b"two")
    with pytest.raises(ArttlError, match=r"it brings '1.jpg', and there is one of that name already"):
        unpack(tmp_path / "a.zip", tmp_path / "out", WANTED)


def test_an_encrypted_member(tmp_path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"1.jpg": b"secret"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(ArttlError, match=r"its member '1.jpg' is encrypted"):
        unpack(archive, tmp_path / "out", WANTED)


@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_ends_in_one_sentence_or_the_right_files(
    tmp_path_factory, form: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    archive = make(folder / form, MEMBERS)
    raw = bytearray(archive.read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(6, len(raw) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(raw)
    try:
        unpack(archive, folder / "out", WANTED)
    except ArttlError as error:
        assert str(archive) in str(error) and "\n" not in str(error)
    assert {path.name for path in folder.iterdir()} <= {form, "out"}
