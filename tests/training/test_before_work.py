"""What a network cannot take is one sentence before the run folder is made, and the corrected command works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings
from arttl.training.train import train


@pytest.fixture
def settings(settings: TrainSettings) -> TrainSettings:
    """One epoch of one task."""
    return settings.replace(tasks=("type",), multi_label=(), epochs=1)


def corrected(settings: TrainSettings, flag: str, name: str) -> TrainSettings:
    """The settings with the flag that the sentence gives."""
    with pytest.raises(ArttlError) as error:
        train(settings)
    assert not settings.run.out.exists() and "\n" not in str(error.value)
    given = re.search(rf"give {flag} (\d+)", str(error.value))
    assert given is not None, error.value
    return settings.replace(**{name: int(given[1])})


def test_an_input_size(settings) -> None:
    train(corrected(settings.replace(backbone="test_convnext", input_size=10), "--input-size", "input_size"))
    assert (settings.run.out / "test.json").is_file()


def test_batches_of_one(settings) -> None:
    one = settings.replace(input_size=16, batch_size=1)
    train(corrected(one, "--batch-size", "batch_size"))
    assert (settings.run.out / "test.json").is_file()


def test_batches_of_one_without_statistics_of_a_batch(settings) -> None:
    one = settings.replace(input_size=16, batch_size=1, batchnorm="frozen", learning_rate=1e-5)
    train(one.replace(head_learning_rate=1e-5))
    assert (settings.run.out / "test.json").is_file()


@pytest.mark.slow
def test_tensors_that_layers_share(settings) -> None:
    """CoaT is trained, checkpointed, saved and measured."""
    train(settings.replace(backbone="coat_lite_tiny", input_size=224))
    assert (settings.run.out / "test.json").is_file()


def test_off_the_shelf_features_that_overflow(settings, tmp_path) -> None:
    state = Backbone("test_resnet").network.state_dict()
    for name in state:
        if name.endswith("conv1.weight"):
            state[name] = state[name] * 1e30
        if name.endswith("running_var"):
            state[name] = state[name] * 0
    save_file(state, tmp_path / "large.safetensors")
    off = settings.off_the_shelf(weights=str(tmp_path / "large.safetensors"), epochs=None)
    with pytest.raises(
        ArttlError, match=r"the features of \d+ of \d+ samples are not finite or above 1e\+15, of \S+ first"
    ):
        train(off)


def change_nothing(model: MultiTaskModel) -> None:
    pass


def set_nan(model: MultiTaskModel) -> None:
    next(iter(model.backbone.parameters()))[0, 0, 0, 0] = torch.nan


def overflow(model: MultiTaskModel) -> None:
    for layer in model.heads.linear_layers():
        layer.weight.fill_(3e38)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_nothing, ""),
        (set_nan, "hold NaN or infinity in 1 of"),
        (overflow, "the logits of type are not finite for"),
    ],
)
def test_evaluate_prints_no_figures_of_what_is_no_number(
    small_shards: Path, tmp_path: Path, capsys, change: Callable[[MultiTaskModel], None], reason: str
) -> None:
    manifest = Manifest.read(small_shards)
    torch.manual_seed(0)
    model = MultiTaskModel(
        Backbone("test_resnet"), TaskSet.from_manifest(manifest, ("type",)), Preprocess(size=32)
    )
    with torch.no_grad():
        change(model)
    model.save(tmp_path / "model")
    argv = ["--model", str(tmp_path / "model"), "--shards", str(small_shards), "--threads", "1"]
    assert run_command("evaluate", argv) == (2 if reason else 0)
    shown = capsys.readouterr()
    assert reason in shown.err and ("accuracy" in shown.out.lower()) == (not reason)
    assert shown.err.count("\n") == (1 if reason else 0)


def damage_state(value: object) -> Callable[[Path, Path], None]:
    return lambda checkpoint, best: (checkpoint / "state.json").write_text(json.dumps(value)) and None


def drop(name: str) -> Callable[[Path, Path], None]:
    return lambda checkpoint, best: (checkpoint / name).unlink()


def cut(name: str, size: int) -> Callable[[Path, Path], None]:
    def change(checkpoint: Path, best: Path) -> None:
        path = best if name == "best" else checkpoint / name
        path.write_bytes(path.read_bytes()[:size])

    return change


def of_another_shape(checkpoint: Path, best: Path) -> None:
    save_file({"heads.x": torch.zeros(2)}, checkpoint / "weights.safetensors")


def no_random_state(checkpoint: Path, best: Path) -> None:
    save_file({"cpu-0": torch.zeros(3, dtype=torch.uint8)}, checkpoint / "random.safetensors")


def folder_for_a_file(checkpoint: Path, best: Path) -> None:
    (checkpoint / "weights.safetensors").unlink()
    (checkpoint / "weights.safetensors").mkdir()


CHECKPOINTS = {
    "list": damage_state([1, 2]),
    "null": damage_state(None),
    "empty object": damage_state({}),
    "no progress": damage_state({"format_version": 3, "ranks": 1}),
    "deep": lambda checkpoint, best: (checkpoint / "state.json").write_text("[" * 200_000) and None,
    "no weights": drop("weights.safetensors"),
    "no state": drop("state.json"),
    "empty weights": cut("weights.safetensors", 0),
    "cut weights": cut("weights.safetensors", 3000),
    "cut random": cut("random.safetensors", 40),
    "cut state": cut("state.json", 100),
    "cut best": cut("best", 500),
    "shape": of_another_shape,
    "random": no_random_state,
    "folder": folder_for_a_file,
}


def test_damaged_checkpoints_are_one_sentence_each(settings) -> None:
    train(settings)
    folder = settings.run.out / "checkpoints"
    checkpoint, best = max(folder.glob("step-*")), next(folder.glob("best-*"))
    whole = {path: path.read_bytes() for path in (*checkpoint.iterdir(), best)}
    for name, change in CHECKPOINTS.items():
        change(checkpoint, best)
        with pytest.raises(ArttlError) as error:
            train(settings.replace(resume=True))
        message = str(error.value)
        assert message.startswith(f"the checkpoint {checkpoint} cannot be read: "), name
        assert message.endswith("delete it to use the one before") and "\n" not in message, name
        for path, content in whole.items():
            if path.is_dir():
                path.rmdir()
            path.write_bytes(content)
    # An older checkpoint that is damaged does not end the run when it is pruned or kept.
    older = folder / "step-000000000"
    older.mkdir()
    (older / "state.json").write_text("{")
    train(settings.replace(resume=True, keep_checkpoints=3))
