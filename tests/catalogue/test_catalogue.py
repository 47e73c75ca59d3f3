from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.artworks import ArchivedArtwork, Artwork
from arttl.catalogue.catalogue import Catalogue, LabelColumn
from arttl.catalogue.jobs import Job
from arttl.pictures.picture_file import PictureFile

_TEXT = st.text(max_size=20)
_LABELS = st.lists(_TEXT, min_size=1, max_size=3).map(tuple)
_ARTWORKS = st.builds(
    Artwork,
    key=st.text("abcXYZ019_-", min_size=1, max_size=95),
    object_number=_TEXT,
    # Halves of characters too, which JSON can hold and no file's name.
    image=st.text(st.characters(exclude_characters="\0/"), max_size=30).map(Path),
    labels=st.dictionaries(st.sampled_from(("type", "material")), _LABELS),
    raw_labels=st.dictionaries(st.sampled_from(("type", "material")), _LABELS),
    title=st.none() | _TEXT,
    date=st.none() | _TEXT,
    source=st.none() | _TEXT,
    split=st.none() | st.sampled_from(("train", "val", "test")),
    group=st.none() | _TEXT,
)


@settings(max_examples=25, deadline=None)
@given(artworks=st.lists(_ARTWORKS, min_size=1, max_size=4), files=st.data())
def test_artworks_come_back_as_they_were(artworks: list[Artwork], files: st.DataObject) -> None:
    names = [files.draw(_TEXT) for _ in artworks]
    catalogue = Catalogue()
    for row, (artwork, name) in enumerate(zip(artworks, names, strict=True)):
        assert catalogue.add(Job(artwork, name), artwork.group or "") == row
    assert len(catalogue) == len(artworks)
    rows = np.arange(len(artworks))[::-1]
    jobs = catalogue.jobs(rows)
    expected = [Job(artworks[row], names[row]) for row in rows]
    assert list(jobs) == [jobs[place] for place in range(len(rows))] == expected
    assert list(jobs[1:]) == expected[1:]
    assert [catalogue.image(int(row)) for row in rows] == [PictureFile.of(job.artwork) for job in expected]
    groups = catalogue.groups(rows)
    for first, of_first in zip(expected, groups, strict=True):
        for second, of_second in zip(expected, groups, strict=True):
            same = (first.artwork.group or "") == (second.artwork.group or "")
            assert (of_first == of_second) == same


def _artwork(key: str, **fields: object) -> Artwork:
    return Artwork(key, key, Path(f"{key}.jpg"), {"type": ("vase",)}, **fields)  # type: ignore[arg-type]


def test_rows_can_be_replaced_and_renamed() -> None:
    catalogue = Catalogue()
    for key in "abc":
        catalogue.add(Job(_artwork(key), key), group=key)
    hashes = catalogue.key_hashes()
    assert len(set(hashes.tolist())) == 3
    catalogue.rename(1, "a")
    assert catalogue.key_hashes()[1] == hashes[0]
    assert (catalogue.job(1).artwork.key, catalogue.job(1).artwork.object_number) == ("a", "b")
    changed = dataclasses.replace(_artwork("c"), labels={"type": ("bowl", "vase")})
    catalogue.replace(2, Job(changed, "c"))
    assert catalogue.job(2).artwork == changed
    places, codes = catalogue.labels["type"].entries(np.arange(3))
    assert places.tolist() == [0, 1, 2, 2]
    assert [catalogue.labels["type"].names[code] for code in codes] == ["vase", "vase", "bowl", "vase"]
    assert catalogue.groups(np.array([2, 0, 2])).tolist() in ([0, 1, 0], [1, 0, 1])


def test_members_of_archives() -> None:
    catalogue = Catalogue()
    artwork = ArchivedArtwork("a", "a", Path("x.tar"), {}, member="1/a.jpg", offset=512, size=7, group="g")
    catalogue.add(Job(artwork, "x.tar/1/a.jpg"), "g")
    assert catalogue.job(0).artwork == artwork
    assert catalogue.image(0) == PictureFile(Path("x.tar"), (512, 7))


def test_content_does_not_say_where_images_lie() -> None:
    catalogue = Catalogue()
    here = catalogue.add(Job(_artwork("a"), "a.jpg"), "a")
    there = catalogue.add(
        Job(dataclasses.replace(_artwork("a"), image=Path("/elsewhere/a.jpg")), "a.jpg"), "a"
    )
    other = catalogue.add(Job(_artwork("a"), "b.jpg"), "a")
    assert catalogue.content(here) == catalogue.content(there) != catalogue.content(other)


def test_perceptual_hashes_travel_with_their_jobs() -> None:
    catalogue = Catalogue()
    for key in "abc":
        catalogue.add(Job(_artwork(key), key), key)
    catalogue.set_near_hashes(np.array([0, 2]), np.array([0, 2**64 - 1], dtype=np.uint64))
    assert [job.near_hash for job in catalogue.jobs(np.arange(3))] == [0, None, 2**64 - 1]


def test_a_file_takes_what_memory_should_not(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    long = "x" * 2**20
    for index in range(20):
        catalogue.add(Job(_artwork(f"k{index}", title=f"{index} {long}"), "f"), "g")
    assert catalogue.job(3).artwork.title == f"3 {long}"
    assert catalogue.job(19).artwork.title == f"19 {long}"
    assert not list(tmp_path.iterdir()), "the temporary file has no name, so that nobody has to remove it"


def test_label_columns() -> None:
    column = LabelColumn()
    column.set(1, ("b", "a"))
    column.set(3, ("a",))
    rows = np.arange(5)[::-1]
    assert column.known(rows).tolist() == [False, True, False, True, False]
    places, codes = column.entries(rows)
    assert places.tolist() == [1, 3, 3]
    assert [column.names[code] for code in codes] == ["a", "b", "a"]
    column.set(1, ("c",))
    assert column.entries(np.array([1]))[1].tolist() == [column.names.index("c")]
    none = column.entries(np.zeros(0, dtype=np.int64))
    assert none[0].tolist() == none[1].tolist() == []
