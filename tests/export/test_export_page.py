"""The programs in docs/export.md run as they stand, and give what arttl gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_cases import drawn, need_onnx, small_model

from arttl.export.comparison import Pictures, expected_outputs
from arttl.export.network import ExportedNetwork
from arttl.export.onnx_file import export_onnx
from arttl.export.torch_program import export_torch
from arttl.inference.picture_files import FileBatch, read_batches
from arttl.loading import Preprocess
from arttl.models import MultiTaskModel
from arttl.pictures.picture_file import PictureFile

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def block(word: str) -> str:
    """The first program of the page with a word in it."""
    return next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if word in block)


@pytest.mark.slow
def test_the_program_for_onnx_runtime(tmp_path: Path, monkeypatch, soft_picture, capsys) -> None:
    need_onnx()
    soft_picture(300, 200, seed=1).save(tmp_path / "a.jpg", quality=95)
    soft_picture(170, 310, seed=2).save(tmp_path / "b.jpg", quality=95)
    small = small_model()
    model = MultiTaskModel(small.backbone, small.tasks, Preprocess(size=64)).eval()
    model.calibration = small.calibration
    network = ExportedNetwork(model)
    export_onnx(network, tmp_path / "mine.onnx", drawn(network))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block("onnxruntime"), names)
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    files = FileBatch(0, {number: PictureFile(path) for number, path in enumerate(paths)})
    ((_, images, _),) = read_batches([files], model.preprocesses, threads=1)
    expected = expected_outputs(model, Pictures(2, "", (), images))
    assert names["names"] == list(expected)
    for name, values in zip(names["names"], names["values"], strict=True):
        np.testing.assert_allclose(values, expected[name], atol=0.5 if name == "year made" else 0.005)
    assert "type/größe ['" in capsys.readouterr().out


def test_the_program_for_torch(tmp_path: Path, monkeypatch) -> None:
    small = small_model()
    network = ExportedNetwork(MultiTaskModel(small.backbone, small.tasks, Preprocess(size=224)).eval())
    export_torch(network, tmp_path / "mine.pt2", drawn(network))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block("torch.export.load"), names)
    assert {name: len(values) for name, values in names["outputs"].items()} == dict.fromkeys(
        small.tasks.names, 2
    )
