"""A full disk or a kill at any write of features and of a fused run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from faults import digest, full_disk, operations, states_of_kills
from frozen_features import features_of

from arttl.evaluation.metrics import measure_predictions
from arttl.frozen import fuse as fusing
from arttl.frozen import mixing, results
from arttl.frozen.fuse import FuseSettings, fuse
from arttl.frozen.store import FeatureStore
from arttl.inference.predictions import Predictions
from arttl.models import load_fused
from arttl.models.solver import Tolerances
from arttl.runs import RunFolder

pytestmark = pytest.mark.slow


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def at_every_operation(
    root: Path,
    states: Path,
    command: Callable[[], object],
    check: Callable[[], None],
    whole: Callable[[], None],
) -> int:
    """Let a command find the disk full, and be killed, at each of its operations, and give it once more.

    Args:
        root: folder of all that it writes; empty.
        states: a new folder, for what kills leave.
        command: the same command, which must end well the second time.
        check: asserts that what looks finished is.
        whole: asserts that all is as an uninterrupted command leaves it.

    Returns:
        The number of operations.
    """
    left = states_of_kills(root, states, command)
    whole()
    seen = set()

    def mend() -> None:
        check()
        if (state := digest(root)) not in seen:
            seen.add(state)
            command()
            whole()

    for state in left:
        shutil.rmtree(root)
        shutil.copytree(state, root)
        mend()
    for number in range(1, len(left) + 1):
        shutil.rmtree(root)
        root.mkdir()
        sentence = full_disk(root, number, command)
        assert sentence is not None and str(root) in sentence and "\n" not in sentence
        assert "cannot be written: " in sentence and (
            "No space left" in sentence or "os error 28" in sentence
        )
        mend()
    return len(left)


def test_features_at_every_operation(small_shards: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    command = partial(features_of, small_shards, root / "f", stages="last", block_size=100)
    first = contents(command().directory)
    shutil.rmtree(root / "f")

    def check() -> None:
        if (root / "f").exists():
            FeatureStore.open(root / "f", verify=True)

    def whole() -> None:
        check()
        assert contents(root / "f") == first and "config.yaml" in first
        assert [path.name for path in root.iterdir()] == ["f"]

    assert at_every_operation(root, tmp_path / "states", command, check, whole) > 30


def test_a_fused_run_at_every_operation(two_stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "TOKEN_GRID", (100.0,))
    monkeypatch.setattr(mixing, "_TOLERANCES", Tolerances(5, 1e-4, 1e-6))
    monkeypatch.setitem(measure_predictions.__kwdefaults__, "replicates", 5)
    root = tmp_path / "root"
    root.mkdir()
    run = RunFolder(root / "run")
    folders = tuple(store.directory for store in two_stores)
    written: list[tuple] = []
    monkeypatch.setattr(fusing, "write_run", lambda *given: written.append(given))
    with operations(root, lambda number, what: None) as noted:
        fuse(FuseSettings(features=folders, out=run.path, tasks=("type",)))
    assert noted.count == 0 and len(written) == 1  # all that fuse writes, `write_run` writes

    def check() -> None:
        assert run.is_done or not run.path.exists()

    def whole() -> None:
        assert run.is_done
        assert {path.relative_to(run.path).as_posix() for path in run.path.rglob("*")} == {
            *("config.yaml", "tasks.json", "environment.json", "metrics.jsonl", "predictions.parquet"),
            *(
                "best",
                "best/fused.json",
                "best/fused.safetensors",
                "best/calibration.json",
                "best/promises.safetensors",
            ),
            *("classes.csv", "test.json"),
        }
        assert load_fused(run.path).tasks.names == ("type",)
        assert len(Predictions.read(run.path).rows) == run.test()["tasks"]["type"]["n"]
        assert len(run.metrics()) == len(written[0][-1])
        assert [path.name for path in root.iterdir()] == ["run"]

    assert (
        at_every_operation(root, tmp_path / "states", lambda: results.write_run(*written[0]), check, whole)
        > 40
    )
