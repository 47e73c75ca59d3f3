"""The MAMe data set's table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources.mame import read_mame
from arttl.sources.registry import guess_settings, open_source
from arttl.sources.settings import SourceSettings

_HEADER = "Image file,Medium,Museum,Museum-based instance ID,Subset,Width,Height,Product size,Aspect ratio\n"
_TABLE = _HEADER + (
    "1.jpg,Woven fabric ,Museum A,1998.3,train,10.0,20.0,200.0,0.5\n"
    "b.jpeg,Oil on canvas,Museum B,1998.3,test,10.0,20.0,200.0,0.5\n"
    "c.jpg,Gold,Museum B,7.1,val,10.0,20.0,200.0,0.5\n"
    "gone.jpg,Gold,Museum B,7.2,val,10.0,20.0,200.0,0.5\n"
    "../x.jpg,Gold,Museum B,7.3,val,10.0,20.0,200.0,0.5\n"
    ",Gold,Museum B,7.4,val,10.0,20.0,200.0,0.5\n"
    "d.jpg,Gold,Museum B,,val,10.0,20.0,200.0,0.5\n"
)


def _settings(tmp_path: Path, **changes: object) -> SourceSettings:
    (tmp_path / "data").mkdir(exist_ok=True)
    for name in ("1.jpg", "b.jpeg", "c.jpg"):
        (tmp_path / "data" / name).touch()
    (tmp_path / "MAMe_dataset.csv").write_text(_TABLE)
    values = {"source": "mame", "metadata": tmp_path / "MAMe_dataset.csv", "images": tmp_path / "data"}
    return SourceSettings(**{**values, **changes})  # type: ignore[arg-type]


def test_artworks(tmp_path: Path) -> None:
    items = list(open_source(_settings(tmp_path, split="official")))
    artworks = [item for item in items if isinstance(item, Artwork)]
    assert [(a.object_number, a.institution, a.split, a.labels) for a in artworks] == [
        ("1998.3", "Museum A", "train", {"material": ("Woven fabric",)}),
        ("1998.3", "Museum B", "test", {"material": ("Oil on canvas",)}),
        ("7.1", "Museum B", "val", {"material": ("Gold",)}),
    ]
    assert [a.image.name for a in artworks] == ["1.jpg", "b.jpeg", "c.jpg"]
    # The two objects of one number are two.
    assert len({a.key for a in artworks}) == 3
    apart = read_mame(_settings(tmp_path, split="by-institution"))
    assert len({item.group for item in apart if isinstance(item, Artwork)}) == 3
    assert [(r.object_number, r.reason) for r in items if isinstance(r, Reject)] == [
        ("7.2", "missing"),
        ("7.3", "outside-folder"),
        ("7.4", "no-image-named"),
        ("", "no-object-number"),
    ]


def test_the_official_split_only_where_it_is_asked_for(tmp_path: Path) -> None:
    artworks = [item for item in read_mame(_settings(tmp_path)) if isinstance(item, Artwork)]
    assert {artwork.split for artwork in artworks} == {None}


def test_the_table_is_told_from_other_tables(tmp_path: Path) -> None:
    settings = _settings(tmp_path, source="table")
    with pytest.raises(
        ArttlError, match=r"MAMe_dataset\.csv is the table of the MAMe data set: use --source mame"
    ):
        guess_settings(settings)
    changed, _ = guess_settings(settings.replace(object_number="Museum-based instance ID"))
    assert (changed.image, changed.tasks) == ("Image file", ("material=Medium",))


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="needs --metadata"):
        list(read_mame(_settings(tmp_path, metadata=None)))
    with pytest.raises(ArttlError, match=r"has one field, material .*not 'Museum'"):
        list(read_mame(_settings(tmp_path, tasks=("museum=Museum",))))
    settings = _settings(tmp_path)
    (tmp_path / "MAMe_dataset.csv").write_text(_TABLE.replace(",Subset", ",Fold"))
    with pytest.raises(ArttlError, match=r"no column 'Subset' \(--source mame\)"):
        list(read_mame(settings))
    settings = settings.replace(split="official")
    (tmp_path / "MAMe_dataset.csv").write_text(_TABLE.replace(",train,", ",other,"))
    with pytest.raises(ArttlError, match=r"line 2 of .* has 'other' in the column 'Subset'"):
        list(read_mame(settings))


@pytest.mark.real
def test_the_real_table(real_data: Path) -> None:
    settings = SourceSettings(
        source="mame",
        metadata=real_data / "metadata" / "table" / "mame-toy.csv",
        split="official",
        dry_run=True,
    )
    artworks = [item for item in open_source(settings) if isinstance(item, Artwork)]
    assert len(artworks) == 3480
    mediums = Counter(artwork.labels["material"] for artwork in artworks)
    assert len(mediums) == 29
    assert set(mediums.values()) == {120}
    assert mediums[("Woven fabric",)] == 120
    assert Counter(artwork.split for artwork in artworks) == {"train": 1450, "val": 580, "test": 1450}
    assert Counter(artwork.institution for artwork in artworks) == {
        "Metropolitan Museum of Art": 2224,
        "The Cleveland Museum of Art": 720,
        "Los Angeles County Museum of Art": 536,
    }
    # One number of two museums' objects, and two photographs of one object.
    twice = [artwork for artwork in artworks if artwork.object_number == "1998.377"]
    assert len({artwork.institution for artwork in twice}) == len({a.key for a in twice}) == 2
    assert len({a.key for a in artworks if a.object_number == "46.38.5"}) == 1
