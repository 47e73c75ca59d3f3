from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arttl.errors import ArttlError
from arttl.sources.settings import SourceSettings
from arttl.sources.synthetic import TASKS, DrawnObject, drawn_objects, read_synthetic, synthetic_artworks


@pytest.fixture(scope="module")
def drawn() -> list[DrawnObject]:
    return list(drawn_objects(150))


def test_same_seed_same_objects_whatever_the_count(drawn: list[DrawnObject]) -> None:
    for one, other in zip(drawn, drawn_objects(12), strict=False):
        assert (one.object_number, one.labels, one.title) == (other.object_number, other.labels, other.title)
        assert one.photograph.box == other.photograph.box
        assert np.array_equal(np.asarray(one.photograph.picture), np.asarray(other.photograph.picture))
    assert [o.true_labels for o in drawn_objects(12, seed=1)] != [o.true_labels for o in drawn[:12]]


def test_long_tails_missing_labels_and_several_labels(drawn: list[DrawnObject]) -> None:
    missing = {task: sum(task not in found.labels for found in drawn) / len(drawn) for task in TASKS}
    assert 0.15 < missing["material"] < 0.35
    assert 0.25 < missing["artist"] < 0.45
    assert missing["type"] < 0.1
    for task, classes in (("material", 11), ("type", 9), ("artist", 8)):
        counts = Counter(label for found in drawn for label in found.true_labels[task]).most_common()
        assert len(counts) == classes
        assert counts[0][1] >= 5 * counts[-1][1]
    assert {len(found.true_labels["material"]) for found in drawn} == {1, 2}
    assert all(found.labels.items() <= found.true_labels.items() for found in drawn)


def test_the_box_is_where_the_object_is(drawn: list[DrawnObject]) -> None:
    """Around its box a picture is backdrop: smooth. Within it there is far more going on."""
    inside, outside = [], []
    for found in drawn[:60]:
        pixels = np.asarray(found.photograph.picture).astype(float).mean(axis=2)
        left, top, right, bottom = found.photograph.box
        height, width = pixels.shape
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert max(width, height) == 96
        steps = np.abs(np.diff(pixels, axis=1))
        mask = np.zeros_like(steps, dtype=bool)
        mask[top:bottom, max(0, left - 1) : right] = True
        inside.append(steps[mask].mean())
        outside.append(steps[~mask].mean())
    assert min(np.array(inside) / np.array(outside)) > 1.3
    assert np.median(np.array(inside) / np.array(outside)) > 4


def test_artworks_in_a_folder(tmp_path: Path) -> None:
    artworks = list(synthetic_artworks(tmp_path / "drawn", count=5))
    assert [artwork.object_number for artwork in artworks] == [f"S.{index:04d}" for index in range(5)]
    for artwork, found in zip(artworks, drawn_objects(5), strict=True):
        assert artwork.labels == found.labels
        with Image.open(artwork.image) as picture:
            assert picture.format == "JPEG"
            difference = np.asarray(picture).astype(int) - np.asarray(found.photograph.picture)
        assert np.abs(difference).mean() < 6
        assert "." not in artwork.key


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="needs --images"):
        next(read_synthetic(SourceSettings(source="synthetic")))
    (tmp_path / "file").touch()
    with pytest.raises(ArttlError, match="cannot draw the collection into"):
        next(synthetic_artworks(tmp_path / "file"))
