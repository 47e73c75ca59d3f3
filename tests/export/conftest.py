"""Models and a run to export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from export_cases import TASKS, TEMPERATURES, fused_model, small_model

from arttl.evaluation.classes import class_tables, write_classes
from arttl.evaluation.metrics import measure_predictions, metrics_to_json
from arttl.inference.predictions import Predictions
from arttl.inference.promises import fit_promises
from arttl.loading import Preprocess
from arttl.models import FusedModel, MultiTaskModel, load_fused, load_model
from arttl.runs import RunFolder


@pytest.fixture
def model(tmp_path: Path) -> MultiTaskModel:
    """As read from its folder, `tmp_path / "model"`."""
    small_model().save(tmp_path / "model")
    return load_model(tmp_path / "model")


@pytest.fixture
def fused(tmp_path: Path) -> FusedModel:
    """Two networks that see pictures of two sizes, as read from `tmp_path / "fused"`."""
    fused_model(Preprocess(size=32), Preprocess(size=48, fit="squash")).save(tmp_path / "fused")
    return load_fused(tmp_path / "fused")


@pytest.fixture
def predictions() -> Predictions:
    """Of 60 samples, the first class a little too often."""
    random = np.random.default_rng(0)
    kinds = random.integers(0, 3, 60)
    logits = {
        "type/größe": (random.normal(size=(60, 3)) + 2 * np.eye(3)[kinds] + [0.3, 0, 0]).astype(np.float32),
        "image": random.normal(size=(60, 2)).astype(np.float32),
        "year made": random.normal(size=(60, 1)).astype(np.float32),
        "artist": random.normal(size=(60, 2)).astype(np.float32),
    }
    kind = TASKS["type/größe"].vocabulary.classes
    catalogued = {
        "type/größe": [(kind[index],) if row % 9 else None for row, index in enumerate(kinds.tolist())],
        "image": [("oil",) if row % 2 else ("wood",) for row in range(60)],
        "year made": [str(1600 + row) for row in range(60)],
        "artist": [("x",) if row % 5 else ("nobody",) for row in range(60)],  # no sample of y
    }
    return Predictions(
        tasks=TASKS,
        rows=np.arange(60),
        keys=[f"k{row}" for row in range(60)],
        object_numbers=[f"A.{row}" for row in range(60)],
        logits=logits,
        catalogued=catalogued,
        temperatures=TEMPERATURES,
    )


@pytest.fixture
def run(tmp_path: Path, predictions: Predictions) -> Path:
    """A finished run folder, as commands leave it."""
    folder = RunFolder(tmp_path / "runs" / "mine")
    settings = {
        "shards": "/home/someone/shards/paintings",
        "classes": "min-count=9",
        "epochs": 3,
        "ema": None,
    }
    folder.begin(settings, TASKS)
    model = small_model()
    model.save(folder.best)
    width = model.backbone.num_features
    features = torch.randn(60, width, generator=torch.Generator().manual_seed(0))
    fit_promises(predictions, features, features).save(folder.best)
    figures = metrics_to_json(measure_predictions(predictions, replicates=50))
    folder.finish(
        figures,
        predictions=predictions.write,
        classes=lambda path: write_classes(path, class_tables(predictions)),
    )
    return folder.path
