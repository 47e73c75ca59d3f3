"""Passes over shards, and the stores they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_features import features_of
from peak_memory import peak_memory

import arttl
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.frozen.store import FeatureStore
from arttl.models.stages import LAST_LAYER, PooledStages
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS

PASS = ["--backbone", "test_resnet", "--weights", "none", "--input-size", "32", "--threads", "1"]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"}


def test_row_i_is_what_the_network_says_of_sample_i(small_shards: Path, tmp_path: Path) -> None:
    store = features_of(small_shards, tmp_path / "f")
    manifest = Manifest.read(small_shards)
    network = PooledStages(store.load_backbone(), store.stages).eval()
    seen = 0
    for split in SPLITS:
        loader = arttl.open_loader(
            manifest, split, ("type",), preprocess=store.preprocess, batch_size=7, shuffle=False, threads=1
        )
        for batch in loader:
            with torch.inference_mode():
                stages = network(batch.images)
            rows = batch.rows[batch.valid]
            for stage, values in zip(store.stages, stages, strict=True):
                torch.testing.assert_close(
                    store.values(stage)[rows], values[batch.valid], rtol=1e-4, atol=1e-5
                )
            seen += len(rows)
    assert seen == sum(labels is not None for labels in manifest.labels("type"))
    assert store.values(LAST_LAYER).shape == (len(manifest), store.stages[LAST_LAYER])
    assert list(features_of(small_shards, tmp_path / "last", stages="last").stages) == [LAST_LAYER]


def test_a_store_needs_neither_shards_nor_pickle(two_stores, monkeypatch) -> None:
    store, _ = two_stores
    assert store.manifest.keys and store.manifest.task_names == ("material", "type", "artist")
    for path in store.directory.glob("*.npy"):
        assert np.load(path, allow_pickle=False).dtype == np.float32
    assert FeatureStore.open(store.directory).recipe == store.recipe


def test_the_same_pass_is_not_computed_twice_and_another_replaces_it_only_when_asked(
    small_shards: Path, tmp_path: Path, capsys
) -> None:
    first = features_of(small_shards, tmp_path / "f")
    before = (tmp_path / "f" / "features.json").stat().st_mtime_ns
    assert features_of(small_shards, tmp_path / "f", batch_size=5).recipe.key == first.recipe.key
    assert "holds them already" in capsys.readouterr().out
    assert (tmp_path / "f" / "features.json").stat().st_mtime_ns == before
    with pytest.raises(
        ArttlError, match=r"holds features of backbone test_resnet, not test_efficientnet; .*--overwrite"
    ):
        features_of(small_shards, tmp_path / "f", backbone="test_efficientnet")
    again = features_of(small_shards, tmp_path / "f", backbone="test_efficientnet", overwrite=True)
    assert again.backbone_name == "test_efficientnet" and again.recipe.key != first.recipe.key
    (tmp_path / "other").mkdir()
    with pytest.raises(ArttlError, match="is not a features folder"):
        features_of(small_shards, tmp_path / "other")


@pytest.mark.parametrize(
    "change", ["backbone", "preprocess", "stages", "precision", "shards_sha256", "weights_sha256"]
)
def test_everything_that_decides_the_numbers_is_in_the_key(two_stores, change: str) -> None:
    recipe = two_stores[0].recipe
    value = {"backbone": "x", "preprocess": {"size": 1}, "stages": {"pooled": 3}}.get(change, "other")
    changed = replace(recipe, **{change: value})
    assert changed.key != recipe.key and changed.difference(recipe) != "the same recipe"
    assert replace(recipe, weights="elsewhere").key == recipe.key


def test_damage_is_found(small_shards: Path, tmp_path: Path) -> None:
    store = features_of(small_shards, tmp_path / "f")
    path = tmp_path / "f" / "stage-1.npy"
    whole = bytearray(path.read_bytes())
    place = len(whole) - 5  # of the last row, in the third block of 64
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ArttlError, match="are damaged from row 128 on"):
        FeatureStore.open(tmp_path / "f")
    path.write_bytes(whole[:-4])
    with pytest.raises(ArttlError, match=r"stage-1.npy is damaged or not an array of features; remove"):
        FeatureStore.open(tmp_path / "f")
    path.write_bytes(whole)
    description = tmp_path / "f" / "features.json"
    text = description.read_text()
    description.write_text(json.dumps({**json.loads(text), "format_version": 7}))
    with pytest.raises(ArttlError, match="has feature format 7; this version reads 1"):
        FeatureStore.open(tmp_path / "f")
    description.write_text("{}")
    with pytest.raises(ArttlError, match="has feature format None"):
        FeatureStore.open(tmp_path / "f")
    description.write_text(text)
    (tmp_path / "f" / "manifest.parquet").write_bytes(b"other")
    with pytest.raises(ArttlError, match="is not the one the features were made of"):
        FeatureStore.open(tmp_path / "f")
    assert store.recipe.backbone == "test_resnet"
    with pytest.raises(ArttlError, match="holds no finished features; make them with `arttl features`"):
        FeatureStore.open(tmp_path)


def test_other_weights_than_the_features_were_made_with_are_refused(
    small_shards: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    store = features_of(small_shards, tmp_path / "f")
    state = load_file(tmp_path / "f" / "backbone.safetensors")
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    save_file({**state, name: state[name] + 1}, tmp_path / "f" / "backbone.safetensors")
    with pytest.raises(ArttlError, match="is not the network the features were made with"):
        store.load_backbone()


def test_a_description_that_names_a_giant_takes_no_memory(small_shards: Path, tmp_path: Path) -> None:
    features_of(small_shards, tmp_path / "f")
    path = tmp_path / "f" / "features.json"
    document = json.loads(path.read_text())
    path.write_text(
        json.dumps({**document, "recipe": {**document["recipe"], "backbone": "convnext_xxlarge"}})
    )
    before = peak_memory()
    with pytest.raises(ArttlError, match=r"is damaged or of another network \(.* by features.json\)"):
        FeatureStore.open(tmp_path / "f").load_backbone()
    assert peak_memory() - before < 500_000  # kB, of 3.4 GB


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 0}, "--batch-size must be at least 1, not 0"),
        ({"backbone": "resnet5"}, "--backbone 'resnet5' is not a network of timm"),
        ({"shards": Path("/nowhere")}, "/nowhere is not a folder of shards"),
        (
            {"backbone": "test_convnext", "input_size": 10},
            r"cannot take pictures of 10 px .*give --input-size 32",
        ),
    ],
)
def test_input_that_cannot_be_used_is_one_sentence(small_shards, tmp_path, changes, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        features_of(changes.pop("shards", small_shards), tmp_path / "f", **changes)
    assert not list(tmp_path.iterdir())


def test_features_that_overflow_stop_with_the_sample_named(small_shards, tmp_path, monkeypatch) -> None:
    def broken(self, images):
        stages = [torch.zeros(len(images), width) for width in self.widths.values()]
        stages[-1][2, 1] = float("inf")
        return stages

    monkeypatch.setattr(PooledStages, "forward", broken)
    monkeypatch.setattr(
        "arttl.frozen.extract.stage_widths", lambda backbone, size: {"act1": 32, "pooled": 96}
    )
    key = Manifest.read(small_shards).keys[2]
    with pytest.raises(
        ArttlError, match=rf"the features of sample {key} are not finite or above 1e\+15 at stage pooled"
    ):
        features_of(small_shards, tmp_path / "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.slow
def test_a_killed_pass_keeps_its_blocks_and_ends_as_an_uninterrupted_one(
    small_shards, tmp_path, capsys
) -> None:
    whole = features_of(small_shards, tmp_path / "whole", block_size=8)
    argv = [small_shards, *PASS, "--block-size", "8", "--out", tmp_path / "f"]
    script = "import sys; from arttl.cli import run_command; sys.exit(run_command('features', sys.argv[1:]))"
    command = [sys.executable, "-c", script, *map(str, argv)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    listed = tmp_path / ".f.unfinished" / "blocks.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (listed.is_file() and listed.read_text().count("\n") >= 2):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "f").exists()
    kept = listed.read_text().splitlines()
    assert 2 <= len(kept) < 20, "the pass was over before it was killed"
    # One block on the disk is not what was listed, and one line was being written: both are computed again.
    array = np.load(tmp_path / ".f.unfinished" / "stage-0.npy", mmap_mode="r+")
    array[json.loads(kept[0])["block"] * 8] += 1
    array.flush()
    del array
    with listed.open("a") as file:
        file.write('{"block": 19, "sha')
    config = (tmp_path / ".f.unfinished" / "config.yaml").read_text()
    argv = [str(small_shards), *PASS, "--block-size", "8", "--out", str(tmp_path / "f"), "--overwrite"]
    assert run_command("features", argv) == 0
    assert (tmp_path / "f" / "config.yaml").read_text() == config and "overwrite: false" in config
    assert f"{len(kept) - 1} of 20 blocks were done by an interrupted pass" in capsys.readouterr().out
    assert bytes_of(tmp_path / "f") == bytes_of(whole.directory)
    assert FeatureStore.open(tmp_path / "f").recipe == whole.recipe
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "whole"]


@pytest.mark.slow
def test_two_processes_give_the_features_of_one(small_shards: Path, tmp_path: Path) -> None:
    one = features_of(small_shards, tmp_path / "one", batch_size=16)
    script = tmp_path / "features.py"
    script.write_text("import sys; from arttl.cli import run_command; sys.exit(run_command('features'))")
    argv = [small_shards, *PASS, "--block-size", "64", "--batch-size", "8", "--out", tmp_path / "two"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, script, *map(str, argv)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("network    test_resnet") == 1
    two = FeatureStore.open(tmp_path / "two")
    assert two.recipe.key == one.recipe.key
    for stage in one.stages:
        torch.testing.assert_close(two.values(stage), one.values(stage), rtol=1e-4, atol=1e-5)


def test_bfloat16_is_another_recipe_with_near_features(small_shards, two_stores, tmp_path) -> None:
    half = features_of(small_shards, tmp_path / "f", mixed_precision="bf16")
    full = two_stores[0]
    assert half.recipe.precision == "bf16" and half.recipe.key != full.recipe.key
    difference = (half.values(LAST_LAYER) - full.values(LAST_LAYER)).abs().mean()
    assert 0 < difference < 0.05 * full.values(LAST_LAYER).abs().mean()


def test_features_at_the_faster_precision(small_shards, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("arttl.inference.precision._measured", lambda *_: {"no": 1.0, "bf16": 3.0})
    chosen = features_of(small_shards, tmp_path / "a", mixed_precision="auto")
    given = features_of(small_shards, tmp_path / "b", mixed_precision="bf16")
    assert chosen.recipe.key == given.recipe.key and chosen.recipe.precision == "bf16"
    assert torch.equal(chosen.values(LAST_LAYER), given.values(LAST_LAYER))
