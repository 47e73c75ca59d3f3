from __future__ import annotations

from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources.registry import open_source
from arttl.sources.sabatelli2018 import unescape
from arttl.sources.settings import SourceSettings

# The layout of the published repository's example, its first and eighth rows, and some that its rules drop.
_CSV = r""",ImageId,dc_creator,dc_materiaal,dc_type
0,0000001_SK-A-4878," Everdingen, Caesar Bo\xc3\xabtius van",olieverf,schilderij
1,0000009_BK-NM-4821, anoniem,steengoed,stortebeker
2,0000010_RP-P-1.2, ,papier,
3,plain, Rembrandt,papier,prent
4,../0000011_X, Rembrandt,papier,prent
5,, Rembrandt,papier,prent
"""


def _read(tmp_path: Path, **changes: object) -> list[Artwork | Reject]:
    (tmp_path / "meta.csv").write_text(_CSV, encoding="utf-8")
    values = {"source": "sabatelli2018", "metadata": tmp_path / "meta.csv", "images": tmp_path, **changes}
    return list(open_source(SourceSettings(**values)))  # type: ignore[arg-type]


def test_the_published_layout(tmp_path: Path) -> None:
    *artworks, outside, unnamed = _read(tmp_path)
    first, second, third, fourth = (artwork for artwork in artworks if isinstance(artwork, Artwork))
    assert first.object_number == "SK-A-4878"
    assert first.image == tmp_path / "0000001_SK-A-4878.jpg"
    assert first.labels == {
        "material": ("olieverf",),
        "type": ("schilderij",),
        "artist": ("Everdingen, Caesar Boëtius van",),
    }
    assert first.raw_labels["artist"] == (r" Everdingen, Caesar Bo\xc3\xabtius van",)
    assert second.labels == {"material": ("steengoed",), "type": ("stortebeker",)}
    assert second.raw_labels["artist"] == (" anoniem",)
    assert third.labels == {"material": ("papier",)}
    assert third.object_number == "RP-P-1.2"
    assert "." not in third.key
    assert (fourth.object_number, fourth.labels["artist"]) == ("plain", ("Rembrandt",))
    assert [r.reason for r in (outside, unnamed) if isinstance(r, Reject)] == [
        "outside-folder",
        "no-image-named",
    ]


def test_pictures_that_no_row_names_are_counted(tmp_path: Path) -> None:
    for name in ("0000001_SK-A-4878.jpg", "0000002_SK-A-1.jpg", "._x.jpg"):
        (tmp_path / name).touch()
    _read(tmp_path)
    reading = open_source(
        SourceSettings(source="sabatelli2018", metadata=tmp_path / "meta.csv", images=tmp_path)
    )
    assert sum(isinstance(item, Artwork) for item in reading) == 4
    assert reading.sentences()[-3:] == [
        "passed over: hidden files and folders (._x.jpg)",
        "passed over: files without the suffix of a picture (meta.csv)",
        "passed over: pictures that no record names (0000002_SK-A-1.jpg)",
    ]


@pytest.mark.parametrize("tasks", [("artist",), ("artist=dc_creator",)])
def test_tasks_by_name_and_by_column(tasks: tuple[str, ...], tmp_path: Path) -> None:
    first = _read(tmp_path, tasks=tasks)[0]
    assert isinstance(first, Artwork)
    assert set(first.labels) == {"artist"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"D\xc3\xbcrer", "Dürer"),
        (r"\xe9\x9b\xaa", "雪"),
        (r"\xC3\xAB", "ë"),
        (r"lone \xc3 byte", r"lone \xc3 byte"),
        (r"\xzz \x1", r"\xzz \x1"),
        ("none", "none"),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    assert unescape(text) == expected


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="needs --metadata"):
        _read(tmp_path, metadata=None)
    with pytest.raises(ArttlError, match=r"no column 'date' \(--tasks date\)"):
        _read(tmp_path, tasks=("date",))
    (tmp_path / "other.csv").write_text("id,dc_type\n1,vase\n")
    with pytest.raises(ArttlError, match=r"no column 'ImageId' \(--source sabatelli2018\)"):
        _read(tmp_path, metadata=tmp_path / "other.csv")
