from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from faults import full_disk, states_of_kills
from filelock import FileLock

from arttl.errors import ArttlError
from arttl.evaluation.metrics import measure_predictions
from arttl.models import load_model
from arttl.reproduction import running
from arttl.reproduction.cells import Matrix, Run
from arttl.reproduction.experiment import Plan, plan_experiment
from arttl.reproduction.running import run_matrix
from arttl.reproduction.settings import ReproduceSettings
from arttl.runs import RunFolder
from arttl.training.settings import TrainSettings

# What off-the-shelf runs refuse, because nothing learns by epochs or the network stays as it is.
ONLY_IN_TRAINING = """sampling batchnorm epochs accumulate ema optimizer learning_rate head_learning_rate layer_decay
    clip_norm label_smoothing logit_adjustment mixup task_weights balancing teachers color_jitter compile"""


def plan_matrix(settings: ReproduceSettings, *names: str) -> Plan:
    """The plan with only the runs whose names hold one of the words, and their donors."""
    plan = plan_experiment(settings)
    chosen = [run for run in plan.matrix.runs if not names or any(name in run.name for name in names)]
    donors = {run.donor for run in chosen}
    runs = tuple(run for run in plan.matrix.runs if run in chosen or run.name in donors)
    return replace(plan, matrix=Matrix(plan.matrix.cells, runs))


def test_what_collections_have_is_found_out(settings) -> None:
    plan = plan_experiment(
        replace(settings, target_tasks=("type", "artist", "material"), source_tasks=("type",))
    )
    source, target = plan.collections.values()
    assert (source.name, target.name) == ("shards", "shards-target")
    assert source.usable == ("type",) and target.usable == ("type", "artist")
    assert target.tasks["material"] == "no labels"
    assert set(target.common) == {"type"}
    file = plan.experiment.common_classes["type"]
    assert len(json.loads(file.read_text())) == target.common["type"] > 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": None}, "name two collections"),
        ({"target": Path("/nowhere")}, "/nowhere is not a folder of shards"),
        ({"pair": ("artist:type",)}, "--pair artist:type: shards has no task 'artist' that can be trained"),
        ({"also": ("shards=x",)}, "--also shards=x: another collection has that name"),
        ({"weights": ("test_resnet=nothing",)}, "'nothing' is none of imagenet"),
    ],
)
def test_what_cannot_be_planned(settings, changes, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        plan_experiment(replace(settings, **changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"protocol": "tonkes2022"},
            "--target is for --protocol sabatelli2018: tonkes2022 has one collection",
        ),
        (
            {"protocol": "tonkes2022", "target": None, "pair": ("a:b",)},
            "--pair is for --protocol sabatelli2018",
        ),
        ({"backbones": ("a", "a")}, "names a network twice"),
        ({"weights": ("vgg19=x",)}, "--weights vgg19=x: it is not among --backbones test_resnet"),
        ({"weights": ("vgg19",)}, "is not of the form NETWORK=WHERE"),
        ({"pair": ("type",)}, "is not of the form SOURCE_TASK:TARGET_TASK"),
        ({"pair": ("type:artist", "material:artist")}, "says the same thing twice"),
        ({"also": ("../x=y",)}, "a name may have letters, digits"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"scratch": "vgg19"}, "--scratch vgg19 is not among --backbones"),
        ({"classes": "most"}, "is not a class rule"),
        ({"recipe": Path("papr")}, "there is no recipe 'papr'"),
    ],
)
def test_settings_that_cannot_be(settings, changes, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        replace(settings, **changes)


def test_donors_give_their_weights(settings) -> None:
    plan = plan_matrix(settings, "type-fine-tune-from-shards-")
    reported = []
    run_matrix(
        plan.experiment, plan.matrix, on_end=lambda run, seconds, error: reported.append((run.name, error))
    )
    assert [error for _, error in reported] == [None] * len(plan.matrix.runs)
    recipient = next(run for run in plan.matrix.runs if run.donor)
    folder = plan.experiment.folder(recipient)
    described = json.loads((folder / "best" / "model.json").read_text())
    assert described["provenance"]["weights"] == f"backbone of {plan.experiment.folder(recipient.donor)}"
    before = (folder / "test.json").stat().st_mtime_ns
    run_matrix(plan.experiment, plan.matrix)  # all is done: nothing is done again
    assert (folder / "test.json").stat().st_mtime_ns == before


def test_off_the_shelf_runs_have_every_setting_of_the_recipe_that_means_something_for_them(settings) -> None:
    """A recipe with everything changed: those runs drop what their mode refuses, and nothing else."""
    changed = TrainSettings.of(
        multi_label=("material",),
        number=("year",),
        engine="cpu",
        threads=2,
        on_bad_sample="skip",
        sampling="balanced:type",
        batchnorm="frozen",
        fit="squash",
        filter="nearest",
        scaling="unit",
        input_size=64,
        overwrite=False,
        checkpoint_every=5,
        keep_checkpoints=3,
        epochs=9,
        patience=4,
        batch_size=8,
        accumulate=2,
        ema=0.9,
        optimizer="sgd",
        learning_rate=0.1,
        head_learning_rate=0.2,
        layer_decay=0.5,
        weight_decay=0.3,
        schedule="constant",
        clip_norm=1.0,
        label_smoothing=0.1,
        logit_adjustment=1.0,
        mixup=0.2,
        task_weights=("type=2",),
        balancing="uncertainty",
        balancing_rate=0.5,
        teachers=(Path("t"),),
        teacher_share=0.9,
        teacher_temperature=3.0,
        crop_scale=0.5,
        color_jitter=0.4,
        mixed_precision="no",
        compile=True,
    )
    plan = plan_matrix(settings, "off-the-shelf")
    experiment = replace(plan.experiment, fine_tuning=changed)
    planned = next(run for run in plan.matrix.runs if run.mode == "off-the-shelf")
    only_in_training = ONLY_IN_TRAINING.split()
    of_the_run = (
        "shards",
        "tasks",
        "classes",
        "backbone",
        "weights",
        "mode",
        "out",
        "resume",
        "maps",
        "seed",
    )
    found, defaults = experiment.settings(planned).flat(), TrainSettings().flat()
    for name, value in changed.flat().items():
        if name not in of_the_run:
            assert found[name] == (defaults[name] if name in only_in_training else value), name
    assert found["mode"] == "off-the-shelf" and found["seed"] == planned.seed


def test_one_run_that_fails_stops_neither_the_rest_nor_a_second_try(settings, monkeypatch) -> None:
    plan = plan_matrix(settings, "scratch")
    real, broken = running.train, plan.matrix.runs[0].name

    def train(given):
        if str(given.run.out).endswith(broken):
            raise ArttlError("the disk is full")
        if given.data.tasks == ("material",):
            raise ZeroDivisionError("a mistake of ours")
        return real(given)

    monkeypatch.setattr(running, "train", train)
    experiment, matrix = plan.experiment, plan.matrix
    run_matrix(experiment, matrix)
    states = {run.name: experiment.state(run) for run in matrix.runs}
    assert states[broken] == "failed" and experiment.failure(broken) == "the disk is full"
    assert "ZeroDivisionError" in experiment.failure(matrix.runs[1])
    assert "a mistake of ours" in (experiment.folder(matrix.runs[1]) / "traceback.txt").read_text()
    monkeypatch.setattr(running, "train", real)
    run_matrix(experiment, matrix)
    assert {experiment.state(run) for run in matrix.runs} == {"done"}


def test_a_run_that_another_process_is_at_is_left_to_it(settings, monkeypatch) -> None:
    plan = plan_matrix(settings, "scratch")
    first, second = plan.matrix.runs
    folder = plan.experiment.folder(first)
    folder.parent.mkdir(parents=True)
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    lock.acquire()
    done: list[Run] = []

    def train(given):
        run = next(run for run in plan.matrix.runs if plan.experiment.folder(run) == given.run.out)
        done.append(run)
        given.run.out.mkdir(parents=True, exist_ok=True)
        (given.run.out / "test.json").write_text("{}")

    def pause(seconds: float) -> None:  # the other process finishes meanwhile
        assert done == [second]
        folder.mkdir(parents=True)
        (folder / "test.json").write_text("{}")
        lock.release()

    monkeypatch.setattr(running, "train", train)
    monkeypatch.setattr(running.time, "sleep", pause)
    run_matrix(plan.experiment, plan.matrix)
    assert done == [second]


@pytest.mark.slow
def test_a_full_disk_or_a_kill_in_a_cell(settings, tmp_path, monkeypatch) -> None:
    """A cell is done and whole, or failed in one sentence, or open; the next call finishes it."""
    monkeypatch.setitem(measure_predictions.__kwdefaults__, "replicates", 5)
    plan = plan_matrix(settings, "type-scratch")
    experiment, (cell,) = plan.experiment, plan.matrix.runs[:1]
    matrix = replace(plan.matrix, runs=(cell,))
    root = experiment.out / "runs"
    root.mkdir(parents=True)

    def command() -> None:
        run_matrix(experiment, matrix)

    def mended() -> None:
        command()
        assert experiment.state(cell) == "done"
        assert RunFolder(experiment.folder(cell)).test() == whole
        load_model(experiment.folder(cell))

    states = states_of_kills(root, tmp_path / "states", command)
    whole = RunFolder(experiment.folder(cell)).test()
    assert len(states) > 50
    for number, state in enumerate(states):
        shutil.rmtree(root)
        shutil.copytree(state, root)
        if experiment.state(cell) == "done":
            assert RunFolder(experiment.folder(cell)).test() == whole
            load_model(experiment.folder(cell))
        if number % 9 == 0:
            mended()
    for number in (*range(1, len(states), 9), len(states) - 1, len(states)):
        shutil.rmtree(root)
        root.mkdir()
        sentence = full_disk(root, number, command)
        if (
            sentence is not None
        ):  # there is no folder for its lock; otherwise one run that fails stops no other
            assert "cannot be written" in sentence and not experiment.folder(cell).parent.exists()
        elif experiment.state(cell) != "done":
            assert experiment.state(cell) == "failed"
            assert "\n" not in experiment.failure(cell) and "cannot be written" in experiment.failure(cell)
        mended()


def test_only_the_runs_that_are_named_are_tried_again(settings, monkeypatch) -> None:
    plan = plan_matrix(settings, "scratch")
    for run in plan.matrix.runs:
        RunFolder(plan.experiment.folder(run)).fail("the disk is full")
    tried = []
    monkeypatch.setattr(running, "train", lambda given: tried.append(given.run.out))
    again = plan.matrix.runs[1]
    run_matrix(plan.experiment, plan.matrix, again=[again.name])
    assert tried == [plan.experiment.folder(again)]
