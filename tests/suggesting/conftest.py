"""A model with promises, for the tests of `arttl predict`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from arttl.inference.labels import predict_labels
from arttl.inference.predict import predict_with_features
from arttl.inference.promises import fit_promises
from arttl.loading import Preprocess, open_loader, read_manifest
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import TaskSet


@pytest.fixture(scope="module")
def model(small_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learnt nothing, with the promises of one whose types of training pictures are all right."""
    torch.manual_seed(0)
    manifest = read_manifest(small_shards)
    tasks = TaskSet.from_manifest(manifest, ("type", "material"), multi_label=("material",))
    network = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).eval()
    loader = open_loader(manifest, "train", tasks, preprocess=network.preprocess, shuffle=False)
    predictions, features = predict_with_features(network, ((batch,) for batch in loader), manifest)
    right = [prediction.names for prediction in predict_labels(tasks["type"], predictions.logits["type"])]
    catalogued = {**predictions.catalogued, "type": right}
    folder = tmp_path_factory.mktemp("predict") / "model"
    network.save(folder)
    fit_promises(replace(predictions, catalogued=catalogued), features, features[::2]).save(folder)
    return folder
