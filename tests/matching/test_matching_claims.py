from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from arttl.artworks import ArchivedArtwork, Artwork
from arttl.matching.claims import Claims, LooselyNamed

# Object number, picture, rank and name of each artwork, and whether it is in the catalogue.
_ARTWORKS = st.lists(
    st.tuples(
        st.sampled_from("ABCD"),
        st.sampled_from("xyz"),
        st.integers(0, 3),
        st.sampled_from("mn"),
        st.booleans(),
    ),
    max_size=12,
)


def _claims(artworks: list[tuple[str, str, int, str, bool]]) -> Claims:
    claims = Claims()
    for row, (number, file, rank, name, is_kept) in enumerate(artworks):
        path = Path("images", file)
        image = LooselyNamed.of(path, rank, name) if rank else path
        claims.add(Artwork("k", number, image, {}), row if is_kept else None)
    return claims


@given(_ARTWORKS)
def test_contests_as_counted_picture_by_picture(artworks: list[tuple[str, str, int, str, bool]]) -> None:
    expected = []
    for file in sorted({file for _, file, *_ in artworks}):
        uses = [(row, artwork) for row, artwork in enumerate(artworks) if artwork[1] == file]
        if len({number for _, (number, *_) in uses}) < 2:
            continue
        best = min(rank for _, (_, _, rank, _, _) in uses)
        winners = [artwork for _, artwork in uses if artwork[2] == best]
        numbers = {number for number, *_ in winners}
        names = {name for _, _, rank, name, _ in winners if rank}
        if len(names) > 1 and len(numbers) > 1:
            numbers = set()
        losing = [row for row, artwork in uses if artwork[0] not in numbers and artwork[4]]
        first = {number: row for row, (number, *_) in reversed(uses) if number in numbers}
        keeping = sorted(row for row in first.values() if artworks[row][4])
        expected.append((losing, keeping, len(numbers)))
    contests = [
        (contest.losing, contest.keeping, contest.objects) for contest in _claims(artworks).contests()
    ]
    assert sorted(contests) == sorted(expected)


def test_spellings_of_a_number_are_one_object() -> None:
    contests = _claims([("\u00e9", "x", 0, "", True), ("e\u0301", "x", 0, "", True)]).contests()
    assert list(contests) == []


def test_pictures_in_archives_are_each_of_their_own_sample() -> None:
    claims = Claims()
    for row, number in enumerate("AB"):
        claims.add(ArchivedArtwork("k", number, Path("x.tar"), {}, member="1.jpg"), row)
    assert list(claims.contests()) == []


def test_a_loosely_named_path_is_a_path() -> None:
    path = LooselyNamed.of(Path("images") / "a b.jpg", 3, "a_b")
    assert (path, path.rank, path.called) == (Path("images/a b.jpg"), 3, "a_b")
    assert (path.name, path.relative_to("images").as_posix(), path.with_suffix("").name) == (
        "a b.jpg",
        "a b.jpg",
        "a b",
    )
    assert hash(path) == hash(Path("images/a b.jpg"))
