from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.records.rijks_ground_truth import ground_truth_in, read_ground_truth
from arttl.shards.rejects import Reject
from arttl.sources.remarks import PassedOver
from arttl.sources.rijks2014 import read_rijks2014
from arttl.sources.settings import SourceSettings

_HEAD = '<record xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>T</dc:title>'
_RECORDS = {
    "0000001_SK-A-1": "<dc:creator>schilder: Dürer, Albrecht</dc:creator><dc:creator>prentmaker: X</dc:creator>"
    "<dc:type>schilderij</dc:type><dc:type>portret</dc:type><dc:format>materiaal: doek</dc:format>"
    "<dc:format>techniek: schilderen</dc:format><dc:format>Materiaal: olieverf</dc:format>"
    "<dc:format>hoogte 20 cm</dc:format>",
    "0000002_BK.2": "<dc:creator>pottenbakker: anoniem</dc:creator><dc:creator>x: Y</dc:creator><dc:type/>",
    "0000003_RP-P-3": "<dc:creator>anoniem</dc:creator><dc:type>prent</dc:type>",
    "0000004_RP-P-4": "<dc:creator>",
}
_NAMES = {
    "Cnames": ["Dürer, Albrecht", "X", "anoniem", "unknown"],
    "Tnames": ["schilderij", "prent", "tekening"],
    "Mnames": ["papier", "雪"],
}
_TYPES = np.array([[1, 0, 2], [0, 0, 0], [0, 1, 0], [0, 1, 0]], dtype=np.float64)
_MATERIALS = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=np.float64)
_FIELDS: dict[str, Any] = {
    "N": np.array([[4.0]]),
    "set": np.array([[1], [2], [3], [1]], dtype=np.float64),
    "C": np.array([[1], [3], [4], [2]], dtype=np.float64),
    "Y": np.array([[1650, 1650], [-10, 20], [1700, 1710], [1, 2]], dtype=np.float64),
}


def _write_version_5(path: Path, *, sparse: bool) -> None:
    tables = {"T": _TYPES, "M": _MATERIALS}
    if sparse:
        tables = {name: scipy.sparse.csc_matrix(table) for name, table in tables.items()}
    names = {name: np.array(found, dtype=object)[:, None] for name, found in _NAMES.items()}
    scipy.io.savemat(path, {"gt": {**_FIELDS, **tables, **names}})


def _write_version_7_3(path: Path, *, sparse: bool) -> None:
    """As MATLAB does it: after 512 bytes, columns first, cells as references, characters as UTF-16 units."""
    with h5py.File(path, "w", userblock_size=512) as file:
        gt = file.create_group("gt")
        for name, values in _FIELDS.items():
            gt.create_dataset(name, data=values.T)
        for name, table in (("T", _TYPES), ("M", _MATERIALS)):
            if sparse:
                columns = scipy.sparse.csc_matrix(table)
                group = gt.create_group(name)
                group.attrs["MATLAB_sparse"] = np.uint64(table.shape[0])
                group.create_dataset("data", data=columns.data)
                group.create_dataset("ir", data=columns.indices.astype(np.uint64))
                group.create_dataset("jc", data=columns.indptr.astype(np.uint64))
            else:
                gt.create_dataset(name, data=table.T)
        for name, strings in _NAMES.items():
            references = []
            for index, text in enumerate(strings):
                units = np.frombuffer(text.encode("utf-16-le"), dtype="<u2")
                cell = file.create_dataset(f"#refs#/{name}{index}", data=units[:, None])
                references.append(cell.ref)
            gt.create_dataset(name, data=np.array(references, dtype=h5py.ref_dtype)[None, :])
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(126, b" ") + b"\0\2IM")


@pytest.fixture
def ground_truth(tmp_path: Path) -> Path:
    _write_version_5(tmp_path / "rijksgt.mat", sparse=True)
    return tmp_path / "rijksgt.mat"


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    for name in ("jpg2", "xml"):
        (tmp_path / name).mkdir()
    for stem, fields in _RECORDS.items():
        (tmp_path / "jpg2" / f"{stem}.jpg").touch()
        (tmp_path / "xml" / f"{stem}.xml").write_text(f"{_HEAD}{fields}</record>", encoding="utf-8")
    return tmp_path


def _read(folder: Path, **changes: object) -> list[Artwork | Reject | PassedOver]:
    values = {"metadata": folder / "xml", "images": folder / "jpg2", **changes}
    return list(read_rijks2014(SourceSettings(source="rijks2014", **values)))  # type: ignore[arg-type]


def test_labels_as_the_paper_reads_them(challenge: Path) -> None:
    first, second, third, broken = _read(challenge)
    assert isinstance(first, Artwork)
    assert (first.object_number, first.key, first.title) == ("SK-A-1", "SK-A-1", "T")
    assert first.labels == {
        "material": ("doek", "olieverf"),
        "type": ("schilderij", "portret"),
        "artist": ("Dürer, Albrecht", "X"),
    }
    assert first.raw_labels["artist"] == ("schilder: Dürer, Albrecht", "prentmaker: X")
    assert isinstance(second, Artwork)
    assert second.labels == {"material": (), "type": (), "artist": ()}
    assert isinstance(third, Artwork)
    assert third.labels == {"material": (), "type": ("prent",), "artist": ()}
    assert isinstance(broken, Reject)
    assert (broken.object_number, broken.reason) == ("RP-P-4", "bad-row")
    assert "0000004_RP-P-4.xml is not well-formed XML" in broken.detail


def test_pictures_and_records_without_each_other(challenge: Path) -> None:
    (challenge / "xml" / "0000003_RP-P-3.xml").unlink()
    (challenge / "jpg2" / "0000001_SK-A-1.jpg").unlink()
    rejects = [found for found in _read(challenge) if isinstance(found, Reject)]
    assert [(reject.object_number, reject.reason) for reject in rejects] == [
        ("RP-P-3", "no-record"),
        ("RP-P-4", "bad-row"),
        ("SK-A-1", "missing"),
    ]


def test_other_files_are_passed_over_and_no_rows_of_the_ground_truth(
    challenge: Path, ground_truth: Path
) -> None:
    for name in ("jpg2/._0000001_SK-A-1.jpg", "jpg2/Thumbs.db", "xml/readme.txt"):
        (challenge / name).touch()
    (challenge / "jpg2" / "0000003_RP-P-3.jpg").rename(challenge / "jpg2" / "0000003_RP-P-3.JPG")
    (challenge / "xml" / "0000003_RP-P-3.xml").rename(challenge / "xml" / "0000003_RP-P-3.XML")
    items = _read(challenge, split="official", ground_truth=ground_truth)
    passed_over = [(item.kind, item.name) for item in items if isinstance(item, PassedOver)]
    assert passed_over == [
        ("files beside the *.jpg of jpg2", "._0000001_SK-A-1.jpg"),
        ("files beside the *.jpg of jpg2", "Thumbs.db"),
        ("files beside the *.xml of xml", "readme.txt"),
    ]
    artworks = [item for item in items if isinstance(item, Artwork)]
    assert [artwork.image.name for artwork in artworks if artwork.image.exists()][-1] == "0000003_RP-P-3.JPG"


@pytest.mark.parametrize("write", [_write_version_5, _write_version_7_3])
@pytest.mark.parametrize("sparse", [False, True])
def test_the_ground_truth(write: Callable[..., None], sparse: bool, tmp_path: Path) -> None:
    write(tmp_path / "gt.mat", sparse=sparse)
    truth = ground_truth_in(tmp_path / "gt.mat")
    assert truth.splits == ["train", "val", "test", "train"]
    assert truth.creators == [("Dürer, Albrecht",), (), (), ("X",)]
    assert truth.types == [("schilderij", "tekening"), (), ("prent",), ("prent",)]
    assert truth.materials == [("雪",), ("papier", "雪"), ("papier",), ()]
    assert [list(pair) for pair in truth.years] == _FIELDS["Y"].tolist()


def test_it_is_the_same_from_the_process_with_limits(tmp_path: Path) -> None:
    _write_version_7_3(tmp_path / "gt.mat", sparse=True)
    assert read_ground_truth(tmp_path / "gt.mat") == ground_truth_in(tmp_path / "gt.mat")


def test_a_length_that_takes_all_memory_and_time_is_refused(ground_truth: Path) -> None:
    two = struct.pack("<IIii", 5, 8, 2, 1)
    raw = ground_truth.read_bytes()
    assert two in raw  # the shape of the names of materials
    ground_truth.write_bytes(raw.replace(two, struct.pack("<IIii", 5, 8, 2, 0xB000001)))
    with pytest.raises(
        ArttlError, match=r"gt\.mat is (damaged|not the challenge's rijksgt\.mat: Unable to allocate)"
    ):
        read_ground_truth(ground_truth)


def test_official_split_and_labels(challenge: Path, ground_truth: Path) -> None:
    tasks = ("artist=gt.creator", "type=gt.type", "technique=dc:format[techniek]")
    found = _read(challenge, ground_truth=ground_truth, split="official", tasks=tasks)
    artworks = [artwork for artwork in found if isinstance(artwork, Artwork)]
    assert [(a.split, a.date, a.labels["artist"]) for a in artworks] == [
        ("train", "1650", ("Dürer, Albrecht",)),
        ("val", "-10-20", ()),
        ("test", "1700-1710", ()),
    ]
    assert list(artworks[0].labels) == ["artist", "type", "technique"]
    assert artworks[0].labels["technique"] == ("schilderen",)


def test_what_does_not_fit(challenge: Path, tmp_path: Path) -> None:
    _write_version_5(tmp_path / "gt.mat", sparse=False)
    (challenge / "jpg2" / "0000009_X.jpg").touch()
    for changes, sentence in (
        ({"ground_truth": tmp_path / "gt.mat"}, r"gt\.mat has 4 rows and --images .*jpg2 5 pictures"),
        ({"split": "official"}, "--split official needs --ground-truth"),
        ({"tasks": ("a=gt.type",)}, "--tasks a needs --ground-truth"),
        ({"tasks": ("a=gt.tipe",)}, r"no 'gt\.tipe' \(did you mean 'gt\.type'\?\)"),
        ({"metadata": tmp_path / "gt.mat"}, "needs --metadata FOLDER"),
        ({"ground_truth": tmp_path / "none.mat"}, r"none\.mat does not exist"),
    ):
        with pytest.raises(ArttlError, match=sentence):
            _read(challenge, **changes)


@pytest.mark.parametrize("kind", ["noise", "other struct", "cut", "link", "outside", "shape"])
def test_files_that_are_no_ground_truth(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "gt.mat"
    if kind == "noise":
        path.write_bytes(bytes(range(256)) * 10)
    elif kind == "other struct":
        scipy.io.savemat(path, {"gt": {"set": np.ones((3, 1))}})
    elif kind == "shape":
        names = {name: np.array(found, dtype=object)[:, None] for name, found in _NAMES.items()}
        scipy.io.savemat(path, {"gt": {**_FIELDS, "T": _TYPES[:, :2], "M": _MATERIALS, **names}})
    elif kind == "cut":
        _write_version_7_3(path, sparse=False)
        path.write_bytes(path.read_bytes()[:3000])
    else:
        _write_version_7_3(tmp_path / "other.mat", sparse=False)
        _write_version_7_3(path, sparse=False)
        with h5py.File(path, "r+") as file:
            del file["gt/C"]
            if kind == "link":
                file["gt/C"] = h5py.ExternalLink(str(tmp_path / "other.mat"), "/gt/C")
            else:
                (tmp_path / "raw").write_bytes(bytes(32))
                file.create_dataset("gt/C", (1, 4), "f8", external=[(str(tmp_path / "raw"), 0, 32)])
    with pytest.raises(
        ArttlError, match=r"gt\.mat is not the challenge's rijksgt\.mat|gt\.mat cannot be read"
    ):
        ground_truth_in(path)
