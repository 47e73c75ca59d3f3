from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
import yaml
from accelerate import PartialState

from arttl import files
from arttl.errors import ArttlError
from arttl.runs import RunFolder, flat_settings, on_first_rank
from arttl.settings import Settings
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("bowl", "vase"), (3, 4), (1,)))])
SETTINGS = {"shards": "a", "epochs": 2, "tasks": ["type", "é"], "out": "run"}


def begun(path: Path, settings: dict | None = None, **more) -> RunFolder:
    run = RunFolder(path)
    run.begin(settings or SETTINGS, TASKS, device=torch.device("cpu"), **more)
    return run


def finish(run: RunFolder) -> None:
    run.best.mkdir()
    run.finish(
        {"tasks": {"type": {"accuracy": 0.5}}},
        predictions=lambda path: files.write_text(path, "p"),
        classes=lambda path: files.write_text(path, "c"),
    )


def test_what_a_run_writes_is_what_is_read(tmp_path) -> None:
    run = begun(tmp_path / "a" / "run", processes=3, mixed_precision="bf16")
    assert run.settings() == SETTINGS and not run.is_done
    assert TaskSet.load(run.path / "tasks.json").names == ("type",)
    run.append({"epoch": 1})
    run.append({"epoch": 2}, {"epoch": 3})
    assert [line["epoch"] for line in run.metrics()] == [1, 2, 3]
    with pytest.raises(ArttlError, match=r"holds no finished run: .*test\.json cannot be read"):
        run.test()
    finish(run)
    assert run.is_done and run.test()["tasks"]["type"]["accuracy"] == 0.5
    assert sorted(path.name for path in run.path.iterdir()) == [
        "best",
        "classes.csv",
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "predictions.parquet",
        "tasks.json",
        "test.json",
    ]
    assert run.predictions.read_text() == "p"
    environment = yaml.safe_load((run.path / "environment.json").read_text())
    assert (environment["processes"], environment["mixed_precision"]) == (3, "bf16")
    assert environment["packages"]["torch"] == torch.__version__.partition("+")[0]


def test_a_run_is_replaced_only_when_asked_and_what_is_not_of_a_run_stays(tmp_path) -> None:
    run = begun(tmp_path)
    finish(run)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ArttlError, match="already holds a run; choose another --out, or pass --overwrite"):
        begun(tmp_path)
    assert run.is_done
    begun(tmp_path, {"epochs": 5}, overwrite=True)
    assert run.settings() == {"epochs": 5} and not run.is_done
    assert not run.best.exists() and not run.checkpoints.exists() and (tmp_path / "notes.txt").is_file()


def test_resuming_keeps_the_checkpoints_and_compares_the_settings(tmp_path) -> None:
    run = begun(tmp_path)
    run.append({"epoch": 1})
    run.checkpoints.mkdir()
    begun(tmp_path, resume=True)
    assert run.checkpoints.is_dir() and run.metrics() == []
    changed = {**SETTINGS, "out": "x", "resume": True}
    assert run.begin(changed, TASKS, resume=True, may_change=("out",)) == ["--out x (begun with run)"]
    assert run.settings() == SETTINGS  # those that made the run
    with pytest.raises(ArttlError, match=r"was begun with --tasks type é, not type; give that again"):
        begun(tmp_path, {**SETTINGS, "tasks": ["type"]}, resume=True, may_change=("out",))
    with pytest.raises(ArttlError, match="was begun with --epochs 2, not None"):
        begun(tmp_path, {"shards": "a", "tasks": ["type", "é"]}, resume=True, may_change=("out",))
    (tmp_path / "config.yaml").write_text("- x")
    with pytest.raises(ArttlError, match=r"config\.yaml does not hold the settings of a run"):
        begun(tmp_path, resume=True)
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(ArttlError, match=r"config\.yaml is not YAML"):
        begun(tmp_path, resume=True)


def test_what_says_done_goes_first_and_what_a_run_is_resumed_from_last(tmp_path, monkeypatch) -> None:
    finish(begun(tmp_path))
    removed: list[str] = []
    real = files.remove
    monkeypatch.setattr(files, "remove", lambda path: (removed.append(path.name), real(path)))
    begun(tmp_path, overwrite=True)
    held = [name for name in removed if name not in ("failed.json", "traceback.txt")]
    assert held[0] == "test.json" and held[-1] == "config.yaml" and len(held) == 7


def test_a_folder_made_anew_in_the_middle_of_a_run_is_not_the_run(tmp_path) -> None:
    """As if the disk was unmounted: a result without its beginning would look done."""
    run = begun(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "aside")
    run.best.mkdir(parents=True)
    for work in (lambda: run.append({"epoch": 1}), lambda: run.finish({}, predictions=print, classes=print)):
        with pytest.raises(
            ArttlError, match=r"config\.yaml is gone since the run was begun: bring the folder back"
        ):
            work()
    assert not run.is_done


def test_a_failure_is_noted_and_forgotten_by_the_next_attempt(tmp_path) -> None:
    run = RunFolder(tmp_path / "run")
    assert run.failure is None
    run.fail("the disk is full", "Traceback")
    assert run.failure == "the disk is full" and (run.path / "traceback.txt").read_text() == "Traceback"
    run.check(overwrite=False)
    begun(run.path)
    assert run.failure is None and not (run.path / "traceback.txt").exists()


def test_early_checks(tmp_path) -> None:
    run = RunFolder(tmp_path)
    RunFolder(tmp_path / "new").check(overwrite=False)
    run.check(overwrite=False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArttlError, match="is not a run folder; choose another --out"):
        run.check(overwrite=True)
    begun(tmp_path)
    with pytest.raises(ArttlError, match="already holds a run"):
        run.check(overwrite=False)
    run.check(overwrite=True)


@dataclass(frozen=True)
class Data(Settings):
    shards: Path = Path("x/y")
    tasks: tuple[str, ...] = ("a",)


@dataclass(frozen=True)
class OfGroups(Settings):
    data: Data = field(default_factory=Data)
    out: Path | None = None
    rate: float = 1e-4


def test_settings_of_groups_are_flat() -> None:
    assert flat_settings(OfGroups()) == {"shards": "x/y", "tasks": ["a"], "out": None, "rate": 1e-4}


def rank(number: int, folder: Path) -> None:
    """One of two processes: both get the first one's result, and its error."""
    import os

    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": "2",
        "ACCELERATE_USE_CPU": "true",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": (folder / "port").read_text(),
    }

    PartialState(cpu=True)

    def fail() -> None:
        files.write_text(folder / "missing" / "x", str(number))

    results = [on_first_rank(lambda: number)]
    try:
        on_first_rank(fail)
    except ArttlError as error:
        results.append(str(error))
    (folder / f"rank-{number}").write_text(repr(results))


@pytest.mark.slow
def test_a_failure_on_the_first_rank_reaches_every_rank(tmp_path) -> None:
    import multiprocessing
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=rank, args=(number, tmp_path)) for number in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
    sentence = f"{tmp_path / 'missing' / 'x'} cannot be written: No such file or directory"
    assert [(tmp_path / f"rank-{number}").read_text() for number in range(2)] == [repr([0, sentence])] * 2


def test_one_process_alone_keeps_the_cause_of_an_error(tmp_path) -> None:
    with pytest.raises(ArttlError) as caught:
        on_first_rank(lambda: files.write_text(tmp_path / "missing" / "x", ""))
    assert isinstance(caught.value.__cause__, OSError)
    assert on_first_rank(lambda: 3) == 3
