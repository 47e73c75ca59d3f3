from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.explain import visual_backprop
from arttl.explain.command import VisualizeSettings, visualize
from arttl.explain.overlay import overlay
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.packing.manifest import Manifest
from arttl.packing.pictures import read_picture
from arttl.tasks import Task, TaskSet, Vocabulary


@pytest.fixture
def model(tmp_path) -> Path:
    torch.manual_seed(0)
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,))),
            Task("material", "multi-label", Vocabulary(("c", "d"), (1, 1), (0,))),
        ]
    )
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def pictures(tmp_path) -> tuple[Path, Path]:
    """Two files of one name in two folders, one of them a PNG with alpha."""
    random = np.random.default_rng(0)
    paths = (tmp_path / "a" / "vase.jpg", tmp_path / "b" / "vase.png")
    for path, channels in zip(paths, (3, 4), strict=True):
        path.parent.mkdir()
        Image.fromarray(random.integers(256, size=(90, 120, channels), dtype=np.uint8)).save(path)
    return paths


def test_overlays_of_files_do_not_overwrite_each_other(model, pictures, tmp_path) -> None:
    out = tmp_path / "maps"
    argv = ["--model", str(model), "--images", *map(str, pictures), "--out", str(out)]
    assert run_command("visualize", argv) == 0
    assert sorted(path.name for path in out.iterdir()) == ["panel.png", "vase-2.png", "vase.png"]


def test_the_overlay_is_the_models_own_map(model, pictures, tmp_path) -> None:
    import arttl

    visualize(VisualizeSettings(model=model, images=pictures[:1], out=tmp_path))
    loaded = arttl.load_model(model)
    tensor = loaded.preprocess.apply(read_picture(pictures[0]))
    heat = visual_backprop(loaded, tensor[None])[0].numpy()
    expected = overlay(loaded.preprocess.denormalise(tensor[None])[0], heat)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "vase.png")), expected)


def test_samples_of_shards_and_two_models_side_by_side(model, small_shards, tmp_path) -> None:
    settings = VisualizeSettings(
        model=model, shards=small_shards, count=10, compare="none", out=tmp_path / "two"
    )
    written = visualize(settings)
    manifest = Manifest.read(small_shards)
    test = {manifest.keys[row] for row in manifest.rows("test")}
    assert len(written) == 11 and {path.stem for path in written[:-1]} <= test
    two = Image.open(written[-1])
    visualize(VisualizeSettings(model=model, shards=small_shards, count=10, out=tmp_path / "one"))
    assert two.width > Image.open(tmp_path / "one" / "panel.png").width


@pytest.mark.parametrize("content", [b"", b"<html>not a picture</html>", b"\xff\xd8\xff\xe0broken"])
def test_a_file_that_is_no_picture_is_named(model, tmp_path, content: bytes) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(ArttlError, match=r"x\.jpg cannot be used"):
        visualize(VisualizeSettings(model=model, images=(tmp_path / "x.jpg",), out=tmp_path / "maps"))
    assert not (tmp_path / "maps").exists()


def test_files_or_shards_but_not_both(model, small_shards) -> None:
    with pytest.raises(ArttlError, match="one of the two"):
        VisualizeSettings(model=model)
    with pytest.raises(ArttlError, match="one of the two"):
        VisualizeSettings(model=model, images=(Path("a.jpg"),), shards=small_shards)
