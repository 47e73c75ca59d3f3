"""A run with `--mixed-precision auto` that is resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arttl.inference import precision
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
