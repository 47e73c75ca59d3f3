from __future__ import annotations

import csv
import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arttl.pictures import near_duplicates as near_duplicates_module
from arttl.pictures.near_duplicates import (
    NEAR,
    bits,
    joined,
    near_duplicates,
    near_duplicates_csv,
    near_pairs,
    perceptual_hash,
)

_HASHES = st.lists(
    # Few bases and few flipped bits, so that near ones come often.
    st.tuples(
        st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]), st.lists(st.integers(0, 63), max_size=8)
    ).map(lambda drawn: drawn[0] ^ sum({1 << bit for bit in drawn[1]})),
    max_size=30,
)


def _distance(first: int, second: int) -> int:
    return bin(first ^ second).count("1")


@settings(max_examples=150, deadline=None)
@given(numbers=_HASHES, most=st.integers(0, 12))
def test_pairs_are_those_that_brute_force_finds(numbers: list[int], most: int) -> None:
    distinct = sorted(set(numbers))
    expected = [
        [first, second]
        for first in range(len(distinct))
        for second in range(first + 1, len(distinct))
        if _distance(distinct[first], distinct[second]) <= most
    ]
    assert near_pairs(np.array(distinct, dtype=np.uint64), most).tolist() == expected


@settings(max_examples=150, deadline=None)
@given(numbers=_HASHES, seed=st.integers(0, 1000))
def test_groups_are_the_components_of_near_rows(numbers: list[int], seed: int) -> None:
    given_groups = np.random.RandomState(seed).randint(0, max(len(numbers), 1), len(numbers))
    component = list(range(len(numbers)))
    for _ in numbers:  # labels spread along every link until nothing changes
        for first in range(len(numbers)):
            for second in range(len(numbers)):
                near = _distance(numbers[first], numbers[second]) <= NEAR
                if near or given_groups[first] == given_groups[second]:
                    component[first] = component[second] = min(component[first], component[second])
    found = joined(given_groups, np.array(numbers, dtype=np.uint64)).tolist()
    assert len({*zip(component, found, strict=True)}) == len(set(component)) == len(set(found))


def test_bits() -> None:
    numbers = np.random.RandomState(0).randint(0, 2**63, 500).astype(np.uint64) << np.uint64(1)
    assert bits(numbers).tolist() == [bin(number).count("1") for number in numbers.tolist()]


def _reference_hash(picture: Image.Image) -> int:
    """By the definition, in double precision, term by term."""
    grey = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    places = np.arange(32) + 0.5
    low = np.empty((8, 8))
    for row in range(8):
        for column in range(8):
            waves = np.outer(np.cos(np.pi * row * places / 32), np.cos(np.pi * column * places / 32))
            low[row, column] = np.round((grey * waves).sum())
    above = low > np.sort(low.ravel())[31]
    return int("".join("1" if bit else "0" for bit in above.ravel()), 2)


def test_the_hash_is_the_definition_s(soft_picture: Callable[..., Image.Image]) -> None:
    for seed in range(20):
        picture = soft_picture(90 + seed, 70, seed=seed)
        # Rounding may turn a bit where single and double precision differ.
        assert _distance(perceptual_hash(picture), _reference_hash(picture)) <= 1
    assert perceptual_hash(Image.new("RGB", (50, 50), "white")) == perceptual_hash(
        Image.new("L", (9, 300), 255)
    )


def test_other_sizes_and_qualities_are_near_and_other_pictures_are_not(
    soft_picture: Callable[..., Image.Image], jpeg_bytes: Callable[..., bytes]
) -> None:
    hashes = []
    for seed in range(40):
        picture = soft_picture(200, 150, seed=seed)
        again = Image.open(io.BytesIO(jpeg_bytes(picture.resize((120, 91)), quality=60)))
        hashes.append(perceptual_hash(picture))
        assert _distance(hashes[-1], perceptual_hash(again)) <= NEAR
        assert _distance(hashes[-1], perceptual_hash(picture.convert("CMYK"))) <= NEAR
    assert len(near_pairs(np.unique(np.array(hashes, dtype=np.uint64)))) == 0


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    far = 0xFFFF << 40
    found = near_duplicates(np.array([far, 7, 2**63, 5, far ^ 1, 3, 2**32 - 1, 0], dtype=np.uint64))
    rows = list(zip(found.groups.tolist(), found.rows.tolist(), found.distances.tolist(), strict=True))
    assert rows == [(1, 0, 0), (1, 4, 1), (2, 1, 0), (2, 2, 4), (2, 3, 1), (2, 5, 1), (2, 7, 3)]
    monkeypatch.setattr(near_duplicates_module, "_ROWS_AT_ONCE", 3)
    names = np.array(["a,", "b", "雪", "d", "e", "f", "g", "h"])
    text = b"".join(
        near_duplicates_csv(
            found,
            lambda some: {
                "key": names[some].tolist(),
                "object_number": [name.upper() for name in names[some].tolist()],
                "split": ["train"] * len(some),
            },
        )
    )
    table = list(csv.reader(io.StringIO(text.decode())))
    assert table[0] == ["group", "key", "object_number", "split", "distance"]
    assert table[1:] == [
        [str(group), names[row], names[row].upper(), "train", str(distance)] for group, row, distance in rows
    ]
    for few in ([], [5]):
        assert len(near_duplicates(np.array(few, dtype=np.uint64)).rows) == 0


@pytest.mark.slow
def test_a_hundred_thousand_hashes() -> None:
    random = np.random.RandomState(0)
    hashes = random.randint(0, 2**63, 100_000).astype(np.uint64)
    flipped = hashes[:500] ^ (np.uint64(1) << random.randint(0, 63, 500).astype(np.uint64))
    groups = joined(np.arange(100_500), np.concatenate([hashes, flipped]))
    assert (groups[100_000:] == groups[:500]).all()
    assert len(np.unique(groups)) == 100_000
