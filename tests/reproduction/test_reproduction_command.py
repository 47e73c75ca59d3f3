from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import lxml.html
import pytest
import yaml
from safetensors.torch import save_file

from arttl.errors import ArttlError
from arttl.models import Backbone
from arttl.reproduction import running
from arttl.reproduction.command import run
from arttl.reproduction.experiment import plan_experiment
from arttl.reproduction.settings import ReproduceSettings
from arttl.shards.manifest import Manifest


def arguments(settings: ReproduceSettings) -> list[str]:
    """The command line of the fixture's settings."""
    return [
        *("--source", str(settings.source), "--target", str(settings.target), "--out", str(settings.out)),
        *("--source-tasks", *settings.source_tasks, "--backbones", *settings.backbones),
        *("--weights", *settings.weights, "--recipe", str(settings.recipe), "--classes", settings.classes),
    ]


@pytest.mark.slow
def test_a_killed_experiment_is_resumed(settings) -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "reproduce_paper.py"
    process = subprocess.Popen([sys.executable, str(script), *arguments(settings)], stdout=subprocess.DEVNULL)
    begun: list[Path] = []
    done: list[Path] = []
    while not done or len(begun) == len(done):  # the run after the first finished one is begun
        assert process.poll() is None
        time.sleep(0.01)
        begun, done = (
            list((settings.out / "runs").glob(f"*/*/*/{name}")) for name in ("config.yaml", "test.json")
        )
    process.send_signal(signal.SIGKILL)
    process.wait()
    plan = plan_experiment(settings)
    assert len(done) < len(plan.matrix.runs) and not (settings.out / "report.html").exists()
    before = {path: path.stat().st_mtime_ns for path in done}
    run(settings)
    assert {path: path.stat().st_mtime_ns for path in done} == before
    assert [plan.experiment.failure(each) for each in plan.matrix.runs] == [""] * len(plan.matrix.runs)
    assert {plan.experiment.state(each) for each in plan.matrix.runs} == {"done"}
    assert (
        f"{len(plan.matrix.runs)} of {len(plan.matrix.runs)} runs done"
        in (settings.out / "report.html").read_text()
    )


def check_settings(out: Path) -> None:
    """Every run of the page names its `config.yaml`, and what the page says of its settings is what stands there."""
    page = lxml.html.parse(str(out / "report.html"))
    columns = [
        cell.text_content() for cell in page.xpath("//h3[@id='settings']/following::table[1]/thead//th")
    ]
    common = {
        row[0]: dict(zip(columns[1:], row[1:], strict=True))
        for row in (
            [cell.text_content() for cell in line]
            for line in page.xpath("//h3[@id='settings']/following::tbody[1]/tr")
        )
    }
    lines = page.xpath("//tr[starts-with(@id, 'run-')]")
    made = [path for folder in ("runs", "layers") for path in (out / folder).rglob("config.yaml")]
    configs = {path.relative_to(out).as_posix() for path in made}
    assert {line.xpath("./td[8]//@href")[0] for line in lines} == configs
    for line in lines:
        config = yaml.safe_load((out / line.xpath("./td[8]//@href")[0]).read_text())
        collection, tasks, network, mode, _, seed = (cell.text_content() for cell in line[1:7])
        if mode in ("fused", "layers"):
            assert tasks == ", ".join(config["tasks"])
            continue
        assert (network, seed) == (config["backbone"], str(config["seed"]))
        assert tasks.partition(", classes in common")[0] == ", ".join(config["tasks"])
        assert Path(config["out"]).relative_to(out / "runs").parts[0] == collection
        for name in ("epochs", "batch_size", "input_size", "learning_rate", "classes", "optimizer", "resume"):
            value = config[name]
            if name in common and not (name == "classes" and "in common" in tasks):
                assert common[name][mode] == ("" if value is None else str(value)), name
    assert {"epochs", "input_size", "classes"} <= set(common) and "resume" not in common


@pytest.mark.slow
def test_the_whole_command(settings, tmp_path, capsys) -> None:
    """A plan; every cell of a quick run with two networks, and the report; again with nothing left to do."""
    weights = tmp_path / "other.safetensors"
    save_file(Backbone("test_efficientnet").network.state_dict(), weights)
    settings = replace(
        settings,
        also=(f"third={settings.target}",),
        backbones=("test_resnet", "test_efficientnet"),
        weights=(*settings.weights, f"test_efficientnet={weights}"),
        quick=True,
    )
    run(replace(settings, dry_run=True))
    shown = capsys.readouterr().out
    assert "cells from" in shown and "at most" in shown and not (settings.out / "runs").exists()
    run(settings)
    shown = capsys.readouterr().out
    assert "Table 1: shards, test accuracy in per cent" in shown and "failed after" not in shown
    page = (settings.out / "report.html").read_text()
    assert page.count('<svg class="plot"') == 6  # type and material; type and artist, twice
    assert page.count("data:image/jpeg;base64,") == 6
    for name in (
        "shards",
        "shards-target",
        "third",
        "from scratch",
        "Where the paper",
        "its figures mean nothing",
    ):
        assert name.lower() in page.lower()
    assert "not run yet" not in page and "failed" not in page.replace("0 failed", "")
    check_settings(settings.out)
    tables = {
        path.stem: list(csv.DictReader(path.open())) for path in (settings.out / "tables").glob("*.csv")
    }
    assert [(row["task"], row["network"]) for row in tables["table-1"]] == [
        (task, network) for task in ("type", "material") for network in settings.backbones
    ]
    assert all(row["fine-tuned: ours"][0].isdigit() for row in tables["table-1"])
    assert [row["network"] for row in tables["networks"]] == list(settings.backbones)
    assert all(float(row["pictures/s"].replace(",", "")) > 0 for row in tables["networks"])
    joint = {row["task"]: row for row in tables["joint"] if row["network"] == "test_resnet"}
    parameters = joint["params, millions"]
    assert float(parameters["one per task"]) == pytest.approx(2 * float(parameters["joint"]), abs=0.11)
    for collection in {row["collection"] for row in tables["joint"]}:
        found = {row["task"]: row for row in tables["joint"] if row["collection"] == collection}
        tasks = [row for row in found.values() if "(" in row["difference"] and "mean" not in row["task"]]
        for column in ("one per task", "joint"):
            mean = fmean(float(row[column]) for row in tasks)
            assert float(found["mean of the tasks"][column]) == pytest.approx(mean, abs=0.11)
    assert {"gates", "attention", "concatenation"} <= {row["method"] for row in tables["fusion-shards"]}
    assert {row["network"] for row in tables["layers-third"]} == {"resnet", "efficientnet"}
    assert {row["what"] for row in tables["further"]} == {"from scratch", "classes in common"}
    before = {path: path.stat().st_mtime_ns for path in settings.out.rglob("test.json")}
    run(settings)
    assert {path: path.stat().st_mtime_ns for path in settings.out.rglob("test.json")} == before


@pytest.mark.slow
def test_pictures_that_may_not_be_passed_on_are_not_shown(settings) -> None:
    settings = replace(settings, source_tasks=("type",), target_tasks=("type",), quick=True, panels="")
    run(settings)
    assert "data:image/jpeg" not in (settings.out / "report.html").read_text()
    run(replace(settings, panels="*1"))
    assert (settings.out / "report.html").read_text().count("data:image/jpeg") == 2


def test_a_quick_run_is_on_a_part_of_each_collection(settings, monkeypatch) -> None:
    most = {"train": 30, "val": 20, "test": 20}
    monkeypatch.setattr("arttl.reproduction.experiment.QUICK_SAMPLES", most)
    plan = plan_experiment(replace(settings, quick=True))
    for folder, manifest in zip((settings.source, settings.target), plan.manifests.values(), strict=True):
        splits = Manifest.read(folder).splits
        assert (
            len(manifest)
            == sum(min(count, splits.count(split)) for split, count in most.items())
            < len(splits)
        )
    assert plan.experiment.fine_tuning.optimisation.epochs == 1
    assert all(settings.out in folder.parents for folder in plan.experiment.shards.values())


@pytest.mark.slow
def test_a_run_that_failed_is_an_error_of_the_command_after_its_report(settings, monkeypatch) -> None:
    def broken(given):
        raise ArttlError("the disk is full")

    settings = replace(settings, source_tasks=("type",), target_tasks=("type",), quick=True, panels="")
    monkeypatch.setattr(running, "train", broken)
    with pytest.raises(
        ArttlError, match=r"^\d+ runs failed, as the report says; the same command tries them again$"
    ):
        run(settings)
    assert "the disk is full" in (settings.out / "report.html").read_text()
