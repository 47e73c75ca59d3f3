"""`arttl.predict` and `model.suggest` for pictures of every kind: the same answers as the command and the loader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import arttl
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.inference.predict import predict_pictures
from arttl.pictures.decoding import read_picture


@pytest.fixture
def photos(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> list[Path]:
    """Small enough that no JPEG is decoded at a reduced scale."""
    folder = tmp_path / "photos"
    folder.mkdir()
    soft_picture(90, 80, seed=1).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    soft_picture(100, 70, seed=2).save(folder / "b.jpg", quality=95, exif=exif)
    soft_picture(70, 110, seed=3).convert("L").save(folder / "c.tif")
    return sorted(folder.iterdir())


def test_every_kind_of_picture_gives_the_same_logits(model: Path, photos: list[Path]) -> None:
    loaded = arttl.load_model(model)
    arrays = [read_picture(path) for path in photos]
    inputs = torch.stack([loaded.preprocesses[0].apply(array) for array in arrays])
    with torch.inference_mode():
        expected = {task: logits.numpy() for task, logits in loaded(inputs).items()}
    artworks = [arttl.Artwork(f"k{i}", f"N.{i}", path, {"type": ("vase",)}) for i, path in enumerate(photos)]
    kinds = {
        "paths": photos,
        "folder": photos[0].parent,
        "names": [str(path) for path in photos],
        "pillow": [Image.open(path) for path in photos],
        "artworks": iter(artworks),
        "tensor": inputs,
    }
    for kind, pictures in kinds.items():
        predictions = arttl.predict(loaded, pictures)
        for task, logits in expected.items():
            np.testing.assert_allclose(predictions.logits[task], logits, atol=2e-5, err_msg=kind)
        if kind == "artworks":
            assert predictions.keys == ["k0", "k1", "k2"] and predictions.object_numbers[1] == "N.1"
            assert predictions.catalogued["type"] == [("vase",)] * 3
            assert predictions.catalogued["material"] == [None] * 3
        elif kind != "tensor":
            assert predictions.keys == [str(path) for path in photos]
    squares = torch.from_numpy(np.stack([array[:64, :64] for array in arrays])).permute(0, 3, 1, 2)
    from_bytes = arttl.predict(loaded, squares)
    direct = torch.stack([loaded.preprocesses[0].apply(array[:64, :64]) for array in arrays])
    np.testing.assert_allclose(
        from_bytes.logits["type"], arttl.predict(loaded, direct).logits["type"], atol=2e-5
    )
    assert from_bytes.keys == ["0", "1", "2"]


def test_a_loader_gives_its_split_with_the_catalogues_labels(model: Path, small_shards: Path) -> None:
    loaded = arttl.load_model(model)
    loader = arttl.open_loader(small_shards, "val", loaded.tasks, preprocess=loaded.preprocesses[0])
    predictions = arttl.predict(loaded, loader)
    assert predictions.rows.tolist() == sorted(loader.rows.tolist())
    assert predictions.catalogued["type"] == [loader.manifest.labels("type")[row] for row in predictions.rows]
    other = arttl.open_loader(small_shards, "val", loaded.tasks)
    with pytest.raises(ArttlError, match=r"open it with preprocess=model\.preprocesses\[0\]"):
        arttl.predict(loaded, other)


def test_suggestions_for_one_picture_are_those_of_the_command(
    model: Path, photos: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "a.jsonl"
    argv = ["--model", str(model), "--images", str(photos[0].parent), "--out", str(out), "--top", "3"]
    assert run_command("predict", [*argv, "--sets", "0.8"]) == 0
    loaded = arttl.load_model(model)
    for line, path in zip(out.read_text().splitlines(), photos, strict=True):
        row = json.loads(line)
        suggestions = loaded.suggest(path, sets=0.8, top=3)
        for task, suggestion in suggestions.items():
            assert row[task]["status"] == suggestion.status
            assert row[task]["set"] == list(suggestion.candidates or ())
            assert [each["label"] for each in row[task]["ranked"]] == [
                label.label for label in suggestion.prediction.ranked
            ]
    (expected,) = predict_pictures(loaded, [[loaded.preprocesses[0].apply(read_picture(photos[2]))]])
    assert loaded.suggest(photos[2])["type"].prediction.names == expected["type"].names


def test_a_picture_that_cannot_be_read_is_named(model: Path, tmp_path: Path, photos: list[Path]) -> None:
    loaded = arttl.load_model(model)
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ArttlError, match=r"cut\.jpg: damaged"):
        arttl.predict(loaded, [photos[0], tmp_path / "cut.jpg"])
    with pytest.raises(ArttlError, match=r"gone\.jpg: missing: no such file"):
        loaded.suggest(tmp_path / "gone.jpg")
    with pytest.raises(ArttlError, match="there are no pictures to predict"):
        arttl.predict(loaded, [])
    with pytest.raises(ArttlError, match=r"a tensor of pictures is \[B, 3, H, W\], not \[3, 8, 8\]"):
        arttl.predict(loaded, torch.zeros(3, 8, 8))


def test_a_model_without_promises_suggests_nothing(model: Path, photos: list[Path], tmp_path: Path) -> None:
    arttl.load_model(model).save(tmp_path / "bare")
    loaded = arttl.load_model(tmp_path / "bare")
    assert loaded.promises is None and loaded.suggest(photos[0])["type"].status == "unsure"
