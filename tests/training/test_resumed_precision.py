"""A run with `--mixed-precision auto` that is resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from arttl.inference import precision
from arttl.models import Backbone
from arttl.training.settings import TrainSettings
from arttl.training.train import train


def test_it_keeps_the_precision_that_it_was_begun_in(
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = settings.run.out / "environment.json"
    settings = settings.replace(epochs=1, mixed_precision="auto")
    for number, (half, resume) in enumerate([(2.0, False), (0.5, True)]):
        # Another machine, or a cache that was emptied meanwhile.
        monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / f"cache{number}"))
        monkeypatch.setattr(precision, "_measured", lambda *_, half=half: {"no": 1.0, "bf16": half})
        train(settings.replace(resume=resume))
        assert json.loads(environment.read_text())["mixed_precision"] == "bf16"
    assert "precision  bf16: what the run was begun in" in capsys.readouterr().out
    assert not (tmp_path / "cache1" / precision.FILE).exists()
    train(settings.replace(overwrite=True))
    assert json.loads(environment.read_text())["mixed_precision"] == "no"


def test_a_frozen_network_is_measured_as_it_runs(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off-the-shelf by epochs as in 2018: the heads learn, and no gradient reaches the network."""
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    measured = []

    def measure(networks: object, sizes: object, device: object, learns: bool) -> dict[str, float]:
        measured.append(learns)
        return {"no": 1.0, "bf16": 0.5}

    monkeypatch.setattr(precision, "_measured", measure)
    weights = tmp_path / "weights.safetensors"
    save_file(Backbone("test_resnet").network.state_dict(), weights)
    of_2018 = {"mode": "off-the-shelf", "frozen_batchnorm": "batch-statistics", "weights": str(weights)}
    train(settings.replace(epochs=1, mixed_precision="auto", **of_2018))
    assert measured == [False]
