"""Every document that a stranger may have written, with a random part spoilt: it is read, or refused in a sentence."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from accelerate import Accelerator
from evaluation_cases import single, task
from malformed import malformed, refuses_or_reads, spoilt
from safetensors.torch import load_file

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.fetching.fetch import list_files
from arttl.fetching.http import Response
from arttl.files import read_lines
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore, StoreWriter
from arttl.inference.predictions import TASKS, TEMPERATURES, Predictions
from arttl.loading import Preprocess, open_loader
from arttl.loading.views import Views
from arttl.models import Backbone, FusedModel, MultiTaskModel, load_trained_model
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.models.folders import save_tensors
from arttl.models.stages import PooledStages, stage_widths
from arttl.packing.commands import InfoSettings, info
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.balancing import Uncertainty
from arttl.training.checkpoints import Checkpoints, Epoch, Learner, Progress

MakeArtworks = Callable[..., list[Artwork]]
TASK_SET = TaskSet([Task("type", "single-label", Vocabulary(("a", "b", "c"), (3, 2, 1), (0,)))])


def spoil(path: Path, seed: int) -> None:
    """Replace a document by a malformed one, made of what it was at first."""
    kept = path.with_name(f"{path.name}.whole")
    if not kept.is_file():
        shutil.copyfile(path, kept)
    path.write_text(malformed(json.loads(kept.read_text()), seed))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from arttl.sources.synthetic import synthetic_artworks

    folder = tmp_path_factory.mktemp("spoilt")
    pack(synthetic_artworks(folder / "images", count=30), PackSettings(out=folder / "shards", workers=1))
    return folder / "shards"


@spoilt(150)
def test_dataset_json(shards: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "s"
    if not folder.is_dir():
        shutil.copytree(shards, folder)
    spoil(folder / "dataset.json", seed)
    refuses_or_reads(lambda: info(InfoSettings(folder=folder)))
    refuses_or_reads(lambda: open_loader(folder, tasks=Manifest.read(folder).task_names[:1], threads=1))


@spoilt(100)
def test_model_json(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "m"
    if not folder.is_dir():
        made = MultiTaskModel(Backbone("test_resnet"), TASK_SET, Preprocess(size=32), head="mlp")
        made.calibration = Calibration("val", {"type": TaskCalibration(2.0, 0.2, 0.1, 9)})
        made.save(folder)
    name = ("model.json", "calibration.json")[seed % 2]
    spoil(folder / name, seed)
    assert refuses_or_reads(lambda: load_trained_model(folder)(torch.zeros(1, 3, 32, 32))) in (True, False)
    shutil.copyfile(folder / f"{name}.whole", folder / name)


@spoilt(100)
def test_fused_json(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "m"
    if not folder.is_dir():
        backbone = Backbone("test_resnet")
        stages = PooledStages(backbone, stage_widths(backbone, 32))
        FusedModel([stages], [Preprocess(size=32)], TASK_SET, {"type": "attention"}).eval().save(folder)
    spoil(folder / "fused.json", seed)
    refuses_or_reads(lambda: load_trained_model(folder)(torch.zeros(1, 3, 32, 32)))


@pytest.fixture(scope="module")
def features(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("features") / "f"
    given = {"backbone": "test_resnet", "weights": "none", "input_size": 32, "threads": 1, "block_size": 8}
    compute_features(FeatureSettings(shards=shards, out=out, **given))  # type: ignore[arg-type]
    return out


@spoilt(100)
def test_features_json(features: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "f"
    if not folder.is_dir():
        shutil.copytree(features, folder)
    spoil(folder / "features.json", seed)

    def read() -> None:
        store = FeatureStore.open(folder)
        for stage in store.stages:
            store.values(stage)
        store.load_backbone()

    refuses_or_reads(read)


@spoilt(150)
def test_the_headers_of_features(features: Path, tmp_path: Path, seed: int) -> None:
    """Parsed as Python's literals by numpy, which raises whatever the parser does."""
    draw = random.Random(seed)
    folder = tmp_path / "f"
    if not folder.is_dir():
        shutil.copytree(features, folder)
    data = bytearray((features / "stage-0.npy").read_bytes())
    for _ in range(draw.choice([1, 2, 5])):
        data[draw.randrange(128)] = draw.choice([*b"([{'\"\\,-9#:", draw.randrange(256)])
    (folder / "stage-0.npy").write_bytes(data)
    refuses_or_reads(lambda: FeatureStore.open(folder))


@spoilt(60)
def test_an_unfinished_pass(features: Path, tmp_path: Path, seed: int) -> None:
    store = FeatureStore.open(features)
    shutil.rmtree(tmp_path / ".f.unfinished", ignore_errors=True)
    backbone = store.load_backbone()
    writer = StoreWriter(tmp_path / "f", store.recipe, store.manifest, 8)
    writer.begin(backbone, {}, overwrite=False)
    writer.write(0, [store.values(stage).numpy()[:8] for stage in store.stages])
    begun, blocks = (tmp_path / ".f.unfinished" / name for name in ("begun.json", "blocks.jsonl"))
    line = json.loads(read_lines(blocks)[0])
    if seed % 2:
        blocks.write_text(malformed(line, seed) + "\n")
    else:
        begun.write_text(malformed(json.loads(begun.read_text()), seed))
    writer = StoreWriter(tmp_path / "f", store.recipe, store.manifest, 8)
    refuses_or_reads(lambda: writer.begin(backbone, {}, overwrite=False))


@spoilt(150)
def test_predictions(tmp_path: Path, seed: int) -> None:
    path, whole = tmp_path / "predictions.parquet", tmp_path / "whole.parquet"
    if not whole.is_file():
        logits = {"type": single(0, 9, 3)[0].astype(np.float32)}
        tasks = TaskSet([Task("type", "single-label", task("single-label", 3).training)])
        keys = [str(number) for number in range(9)]
        labels = {"type": [("class 1",), None, ("class 0",)] * 3}
        Predictions(tasks, np.arange(9), keys, keys, labels, logits, {"type": 2.0}).write(whole)
    table = pq.read_table(whole)
    metadata = dict(table.schema.metadata)
    key = (TASKS, TEMPERATURES)[seed % 2]
    metadata[key] = malformed(json.loads(metadata[key]), seed).encode()
    draw = random.Random(seed)
    if draw.random() < 0.3:  # columns in another order, missing or twice
        names = draw.choices(table.column_names, k=len(table.column_names))
        table = table.select([table.column_names.index(name) for name in names])
    pq.write_table(table.replace_schema_metadata(metadata), path)

    def read() -> None:
        predictions = Predictions.read(path)
        for each in predictions.tasks:
            predictions.labelled(each)
        predictions.write(tmp_path / "again.parquet")

    refuses_or_reads(read)


def test_values_that_are_missing(tmp_path: Path) -> None:
    import pyarrow as pa

    keys = ["a", "b"]
    logits = {"type": np.zeros((2, 3), np.float32)}
    Predictions(TASK_SET, np.arange(2), keys, keys, {"type": [("a",), None]}, logits).write(tmp_path / "p")
    table = pq.read_table(tmp_path / "p")
    for name in ("row", "key", "type.logits"):
        column = pa.array([None, None], table[name].type)
        pq.write_table(table.set_column(table.column_names.index(name), name, column), tmp_path / "q")
        with pytest.raises(ArttlError, match=r"values are missing|Expected all lists"):
            Predictions.read(tmp_path / "q")


def learner() -> Learner:
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    balancing = Uncertainty(torch.ones(2, dtype=torch.float64), 0.1)
    made = Learner(module, torch.optim.AdamW(module.parameters()), None, balancing)
    step(made)
    return made


def step(made: Learner) -> None:
    made.module(torch.ones(1, 3)).sum().backward()
    made.optimizer.step()
    made.balancing.update(torch.ones(2, dtype=torch.float64))
    assert made.balancing.weights().shape == (2,)


@pytest.fixture(scope="module")
def checkpoint(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Views]:
    folder = tmp_path_factory.mktemp("checkpoints")
    opened = open_loader(shards, tasks=("type",), preprocess=Preprocess(size=32), batch_size=4, threads=1)
    views = Views([opened], [0])
    checkpoints = Checkpoints(folder, Accelerator(cpu=True), keep=2)
    made = learner()
    checkpoints.save_best(1, made.module.state_dict())
    progress = Progress(2, 7, [0.5], [Epoch(1, 1.0, 1.0, {"type": 0.5}, True)])
    checkpoints.save(progress, made, views.state_dict())
    return folder, views


def test_a_checkpoint_is_restored(checkpoint: tuple[Path, Views]) -> None:
    folder, views = checkpoint
    restored = Checkpoints(folder, Accelerator(cpu=True), keep=2).restore(learner())
    assert restored is not None
    progress, position, best = restored
    assert (progress.epoch, progress.steps, progress.losses) == (2, 7, [0.5])
    assert progress.best == Epoch(1, 1.0, 1.0, {"type": 0.5}, True)
    assert best is not None and set(best) == {"weight", "bias"}
    views.load_state_dict(position)


@spoilt(200)
def test_checkpoints(checkpoint: tuple[Path, Views], tmp_path: Path, seed: int) -> None:
    (whole, views), folder = checkpoint, tmp_path / "c"
    if not folder.is_dir():
        shutil.copytree(whole, folder)
    spoil(folder / "step-000000007" / "state.json", seed)
    checkpoints, made = Checkpoints(folder, Accelerator(cpu=True), keep=2), learner()

    def resume() -> None:
        restored = checkpoints.restore(made)
        assert restored is not None
        views.load_state_dict(restored[1])
        step(made)

    refuses_or_reads(resume)


@pytest.mark.parametrize("spoilt_state", ["none", "short", "float"])
def test_random_states(checkpoint: tuple[Path, Views], tmp_path: Path, spoilt_state: str) -> None:
    folder = tmp_path / "c"
    shutil.copytree(checkpoint[0], folder)
    states = {
        "none": {},
        "short": {"cpu-0": torch.zeros(8, dtype=torch.uint8)},
        "float": {"cpu-0": torch.zeros(9)},
    }
    save_tensors(folder / "step-000000007" / "random.safetensors", states[spoilt_state])
    with pytest.raises(
        ArttlError, match=r"step-000000007 cannot be read: .*; delete it to use the one before"
    ):
        Checkpoints(folder, Accelerator(cpu=True), keep=2).restore(learner())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"0.exp_avg_sq": None}, "its optimizer has different values for different parameters"),
        ({"0.step": torch.tensor(-5.0)}, "its optimizer has a negative number of steps"),
        ({"0.step": torch.tensor([5.0])}, r"the optimizer's step has the shape \(1,\)"),
        ({"0.exp_avg": torch.zeros(2, 3, 1)}, r"the optimizer's exp_avg has the shape \(2, 3, 1\)"),
        ({"0.exp_avg": torch.tensor(0.0)}, r"the optimizer's exp_avg has the shape \(\)"),
        ({}, "'adam' cannot be used: -5 steps"),
    ],
)
def test_states_of_optimizers(
    checkpoint: tuple[Path, Views], tmp_path: Path, change: dict[str, torch.Tensor | None], reason: str
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(checkpoint[0], folder)
    path = folder / "step-000000007" / "optimizer.safetensors"
    changed = {**load_file(path), **change}
    save_tensors(path, {name: value for name, value in changed.items() if value is not None})
    if not change:
        state = path.with_name("state.json")
        text = re.sub(r'("balancing": .*?"step": )[\d.]+', r"\g<1>-5.0", state.read_text(), flags=re.DOTALL)
        state.write_text(text)
    with pytest.raises(ArttlError, match=rf"step-000000007 cannot be read: .*{reason}"):
        Checkpoints(folder, Accelerator(cpu=True), keep=2).restore(learner())


def test_a_damaged_older_checkpoint_does_not_stop_the_next(
    checkpoint: tuple[Path, Views], tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(checkpoint[0], folder)
    (folder / "step-000000007" / "state.json").write_text("{")
    progress = Progress(2, 8, [0.5], [Epoch(1, 1.0, 1.0, {"type": 0.5}, True)])
    Checkpoints(folder, Accelerator(cpu=True), keep=2).save(progress, learner(), checkpoint[1].state_dict())
    assert (folder / "best-epoch-0001.safetensors").is_file() and (folder / "step-000000008").is_dir()


@spoilt(200)
def test_figshares_listing(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    file = {
        "id": 1,
        "name": "a.zip",
        "size": 3,
        "is_link_only": False,
        "download_url": "https://example.org/a",
    }
    sums = {"supplied_md5": "", "computed_md5": "0" * 32}
    text = malformed({"files": [{**file, **sums}, {**file, **sums, "name": "b.zip"}], "title": "x"}, seed)
    monkeypatch.setattr("arttl.fetching.http._exchange", lambda *_: Response(text.encode(), ""))
    refuses_or_reads(lambda: list_files("https://example.org"))
