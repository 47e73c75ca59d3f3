"""Features of networks that have seen the labels are refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from arttl.auditing.command import audit
from arttl.auditing.seen import check_unseen
from arttl.auditing.settings import AuditSettings
from arttl.errors import ArttlError
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore
from arttl.inference.predictions import Predictions
from arttl.models import Backbone, MultiTaskModel, Provenance, default_preprocess
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet

NETWORK = "test_resnet"


def write_run(
    folder: Path, mode: str, weights: str, shards: Path, *, of_shards: bool = True, predictions: bool = True
) -> Path:
    """A run folder as `arttl train` leaves it, as far as the audit reads it."""
    manifest = Manifest.read(shards)
    tasks = TaskSet.from_manifest(manifest, ["type"])
    backbone = Backbone(NETWORK)
    model = MultiTaskModel(backbone, tasks, default_preprocess(backbone, 32), Provenance(mode, weights))
    model.save(folder / "best")
    if predictions:
        rows = manifest.rows("test")
        made = Predictions.of_rows(
            tasks, manifest, rows, {"type": np.zeros((len(rows), tasks["type"].outputs), np.float32)}
        )
        if not of_shards:
            made.keys[:] = [f"other-{key}" for key in made.keys]
        made.write(folder / "predictions.parquet")
    return folder


def check_store(store: FeatureStore, *, trained_elsewhere: bool) -> list[str]:
    return check_unseen(
        str(store.directory), store.recipe.weights, store.manifest, trained_elsewhere=trained_elsewhere
    )


def features_of_run(run: Path, shards: Path, out: Path) -> FeatureStore:
    return compute_features(
        FeatureSettings(shards=shards, out=out, backbone=NETWORK, weights=str(run), threads=1, stages="last")
    )


def test_a_network_that_was_trained_on_these_labels_is_refused_whatever_is_said(
    small_shards: Path, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "fine-tune", "random weights", small_shards)
    store = features_of_run(run, small_shards, tmp_path / "features")
    key = Manifest.read(small_shards).keys[Manifest.read(small_shards).rows("test")[0]]
    for trained_elsewhere in (False, True):
        with pytest.raises(
            ArttlError, match=re.escape(f"on this collection, as its predictions of {key} show")
        ):
            check_store(store, trained_elsewhere=trained_elsewhere)
    settings = AuditSettings(folders=(store.directory,), out=tmp_path / "audit", trained_elsewhere=True)
    with pytest.raises(ArttlError, match="on this collection"):
        audit(settings)
    of_shards = settings.replace(folders=(small_shards,))
    with pytest.raises(
        ArttlError, match=re.escape(f"--model {run} was trained ({run / 'best'}) on this collection")
    ):
        audit(of_shards.replace(model=run))
    with pytest.raises(
        ArttlError, match=re.escape(f"--weights {run} was trained ({run}) on this collection")
    ):
        audit(of_shards.replace(backbone=NETWORK, weights=str(run)))
    assert {path.name for path in tmp_path.iterdir()} == {"run", "features"}  # nothing was computed


@pytest.mark.parametrize("mode", ["fine-tune", "scratch"])
def test_without_a_run_the_user_has_to_say_that_the_labels_are_new(
    mode: str, small_shards: Path, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", mode, "random weights", small_shards, predictions=False)
    store = features_of_run(run, small_shards, tmp_path / "features")
    with pytest.raises(ArttlError, match=r"no run folder to say on which objects.*--trained-elsewhere"):
        check_store(store, trained_elsewhere=False)
    (sentence,) = check_store(store, trained_elsewhere=True)
    assert f"was trained ({run}) on other objects" in sentence
    shutil.rmtree(run)
    with pytest.raises(ArttlError, match="no run folder to say on which objects"):
        check_store(store, trained_elsewhere=False)


def test_a_run_on_other_objects_speaks_for_itself(small_shards: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "fine-tune", "random weights", small_shards, of_shards=False)
    store = features_of_run(run / "best", small_shards, tmp_path / "features")
    (sentence,) = check_store(store, trained_elsewhere=False)
    assert f"was trained ({run / 'best'}) on other objects" in sentence


def test_a_frozen_network_is_as_its_own_weights_are(small_shards: Path, tmp_path: Path) -> None:
    frozen = write_run(tmp_path / "frozen", "off-the-shelf", "random weights", small_shards)
    assert check_store(features_of_run(frozen, small_shards, tmp_path / "a"), trained_elsewhere=False) == []
    tuned = write_run(tmp_path / "tuned", "fine-tune", "random weights", small_shards)
    probed = write_run(tmp_path / "probed", "off-the-shelf", f"backbone of {tuned}", small_shards)
    store = features_of_run(probed, small_shards, tmp_path / "b")
    with pytest.raises(ArttlError, match=re.escape(f"trained ({tuned}) on this collection")):
        check_store(store, trained_elsewhere=False)
    fused = write_run(
        tmp_path / "fused",
        "off-the-shelf",
        f"test_efficientnet: random; test_resnet: backbone of {tuned}",
        small_shards,
    )
    store = features_of_run(fused, small_shards, tmp_path / "c")
    with pytest.raises(ArttlError, match=re.escape(f"trained ({tuned}) on this collection")):
        check_store(store, trained_elsewhere=False)


def test_models_that_name_one_another_are_refused(small_shards: Path, tmp_path: Path) -> None:
    first = write_run(
        tmp_path / "a", "off-the-shelf", f"backbone of {tmp_path / 'b'}", small_shards, predictions=False
    )
    write_run(tmp_path / "b", "off-the-shelf", f"backbone of {first}", small_shards, predictions=False)
    store = features_of_run(first, small_shards, tmp_path / "features")
    with pytest.raises(ArttlError, match="no run folder to say on which objects"):
        check_store(store, trained_elsewhere=False)


def test_weights_of_a_file_are_used_and_noted(small_shards: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "fine-tune", "random weights", small_shards)
    file = tmp_path / "mine.safetensors"
    shutil.copy(run / "best" / "model.safetensors", file)
    store = features_of_run(file, small_shards, tmp_path / "features")
    (sentence,) = check_store(store, trained_elsewhere=False)
    assert "features has the weights of mine.safetensors" in sentence
