"""Several runs at a time: the same figures to the bit, each run once, and what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from test_reproduction_running import plan_matrix

from arttl.errors import ArttlError
from arttl.reproduction.running import run_matrix
from arttl.reproduction.side_by_side import run_side_by_side, visible_gpus, workers_by_default
from arttl.runs import RunFolder


@pytest.mark.parametrize(
    ("count", "workers", "visible", "expected"),
    [
        (0, 2, None, [None, None]),
        (4, 4, None, ["0", "1", "2", "3"]),
        (2, 3, "5,7", ["5", "7", "5"]),
        (2, 2, "GPU-a,GPU-b", ["GPU-a", "GPU-b"]),
        (1, 2, "3,-1,4", ["3", "3"]),  # CUDA sees nothing from -1 on
    ],
)
def test_each_worker_has_a_gpu_of_its_own(count, workers, visible, expected) -> None:
    assert visible_gpus(count, workers, visible) == expected


def test_one_run_per_gpu_unless_a_launcher_has_them_all(monkeypatch) -> None:
    for gpus, expected in ((0, 1), (1, 1), (4, 4)):
        monkeypatch.setattr("torch.cuda.device_count", lambda gpus=gpus: gpus)
        assert workers_by_default(None, 1) == expected and workers_by_default(3, 1) == 3
        assert workers_by_default(None, 2) == workers_by_default(1, 2) == 1
    with pytest.raises(ArttlError, match="--side-by-side 2 is for a command that was not launched"):
        workers_by_default(2, 2)


@pytest.mark.slow
def test_runs_are_the_same_to_the_bit(settings, tmp_path) -> None:
    """With donors and their recipients, a run that failed before, and one that fails in both."""
    plan = plan_matrix(replace(settings, out=tmp_path / "alone"), "type-off-the-shelf", "type-fine-tune")
    beside = plan_matrix(replace(settings, out=tmp_path / "beside"), "type-off-the-shelf", "type-fine-tune")
    assert any(run.donor for run in plan.matrix.runs) and len(plan.matrix.runs) > 3
    RunFolder(beside.experiment.folder(beside.matrix.runs[0])).fail("the disk is full")
    run_matrix(plan.experiment, plan.matrix)
    said: list[str] = []
    run_side_by_side(beside, 2, said.append)
    for run in plan.matrix.runs:
        alone, other = (each.experiment.folder(run) for each in (plan, beside))
        assert (alone / "predictions.parquet").read_bytes() == (other / "predictions.parquet").read_bytes()
        assert json.loads((alone / "test.json").read_text()) == json.loads((other / "test.json").read_text())
        assert not (other / "failed.json").exists()
    first, *ended = said
    assert first.startswith(f"{len(plan.matrix.runs)} runs, 2 at a time")
    assert sorted(line.split()[-1] for line in ended) == sorted(run.name for run in plan.matrix.runs)
    logs = [(tmp_path / "beside" / "logs" / f"{number}.txt").read_text() for number in (1, 2)]
    assert all("run 1 of" in log or "run 2 of" in log for log in logs)
    assert sum(log.count("Test split") for log in logs) == len(plan.matrix.runs)
    run_side_by_side(beside, 2, said.append)  # nothing is left
    assert len(said) == 1 + len(plan.matrix.runs)


@pytest.mark.slow
def test_a_run_that_fails_is_tried_once_and_said(settings, tmp_path) -> None:
    plan = plan_matrix(settings, "scratch")
    (settings.source / "train-00000.tar").rename(tmp_path / "gone.tar")
    try:
        said: list[str] = []
        run_side_by_side(plan, 2, said.append)
    finally:
        (tmp_path / "gone.tar").rename(settings.source / "train-00000.tar")
    assert len(said) == 1 + len(plan.matrix.runs)
    assert all(line.startswith("failed") and "train-00000.tar" in line for line in said[1:])
