"""`arttl probe`, `arttl fuse` and `arttl layers` on the drawn collection seen by random networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from frozen_features import features_of

import arttl
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.evaluation.command import EvaluateSettings, evaluate
from arttl.frozen import mixing
from arttl.frozen.fuse import FuseSettings, fuse, share_right
from arttl.frozen.fusion_methods import (
    CHOSEN,
    CONCATENATION_OF_ALL,
    FUSIONS,
    GATES,
    LATE_FUSION,
    SIMPLE_FUSIONS,
    method_names,
)
from arttl.frozen.layers import LayerSettings, measure_layers, plot_layers
from arttl.frozen.probe import ProbeSettings, best_heads, probe
from arttl.frozen.study import Study
from arttl.frozen.tables import measure_gain
from arttl.inference.promises import Promises
from arttl.loading.settings import ClassSettings
from arttl.models.fusion import load_fused
from arttl.models.multitask import load_model
from arttl.models.solver import Tolerances
from arttl.shards.manifest import Manifest

FEW = {"learning_rates": (1e-2,), "weight_decays": (0.0,)}


@pytest.fixture
def few_strengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is not how well heads are fitted."""
    monkeypatch.setattr(mixing, "TOKEN_GRID", (100.0,))
    monkeypatch.setattr(mixing, "_TOLERANCES", Tolerances(15, 1e-4, 1e-6))


def folders(two_stores) -> tuple[Path, ...]:
    return tuple(store.directory for store in two_stores)


def test_probe_leaves_a_run_folder_whose_model_says_what_the_features_said(
    two_stores, small_shards: Path, tmp_path: Path, capsys
) -> None:
    settings = ProbeSettings(
        features=folders(two_stores),
        out=tmp_path / "run",
        tasks=("type", "material"),
        multi_label=("material",),
        **FEW,
    )
    candidates = probe(settings)
    shown = capsys.readouterr().out
    heads = ("paper", "logistic regression", "class means", "nearest neighbours")
    for word in ("majority", "resnet", "efficientnet", *heads, "*"):
        assert word in shown
    assert "task       type: single-label, " in shown and " with a value" in shown
    assert len(candidates) == 2 * 2 * 5
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["val_loss"] for line in lines] == [one.val_loss for one in candidates]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["multi_label"] == ["material"]
    model = arttl.load_model(tmp_path / "run")
    assert model.provenance.mode == "off-the-shelf"
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["packages"]["torch"]
    chosen = best_heads(candidates, model.tasks)
    # Standardisation absorbed, the saved model finds on pictures what the heads found on features.
    metrics = evaluate(EvaluateSettings.of(model=tmp_path / "run", shards=small_shards, threads=1))
    told = json.loads((tmp_path / "run" / "test.json").read_text())["tasks"]
    for name, one in chosen.items():
        assert metrics[name].accuracy == pytest.approx(one.test["accuracy"])
        assert told[name]["accuracy"] == pytest.approx(one.test["accuracy"])
    assert chosen["type"].test["accuracy"] > metrics["type"].majority
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet")["row"].to_pylist()
    manifest = Manifest.read(small_shards)
    labels = [manifest.labels("type"), manifest.labels("material")]
    assert rows == [row for row in manifest.rows("test").tolist() if any(one[row] for one in labels)]


def test_pooling_goes_from_features_to_the_model_and_what_it_predicts(
    small_shards: Path, tmp_path: Path
) -> None:
    both = features_of(
        small_shards, tmp_path / "both", backbone="test_vit", pooling="both", input_size=64, stages="last"
    )
    assert both.stages == {"pooled": 128} and both.load_backbone().pooling == "both"
    with pytest.raises(ArttlError, match="both holds features of stages pooled 128, not pooled 64"):
        features_of(small_shards, tmp_path / "both", backbone="test_vit", input_size=64, stages="last")
    out = tmp_path / "run"
    probe(ProbeSettings(features=(tmp_path / "both",), out=out, tasks=("type",), **FEW))
    model = arttl.load_model(out)
    assert model.backbone.pooling == "both" and model.backbone.num_features == 128
    metrics = evaluate(EvaluateSettings.of(model=out, shards=small_shards, threads=1))
    told = json.loads((out / "test.json").read_text())["tasks"]
    assert told["type"]["accuracy"] == pytest.approx(metrics["type"].accuracy)


def test_validation_objects_of_no_class_are_evidence_against_promises(
    two_stores, small_shards: Path, tmp_path: Path
) -> None:
    probe(
        ProbeSettings(
            features=folders(two_stores)[:1],
            out=tmp_path / "run",
            tasks=("type",),
            classes="min-count=20",
            **FEW,
        )
    )
    model, manifest = arttl.load_model(tmp_path / "run"), Manifest.read(small_shards)
    promises = Promises.load(tmp_path / "run" / "best", model.tasks)
    assert promises is not None
    labels = [manifest.labels("type")[row] for row in manifest.rows("val").tolist()]
    classes = model.tasks["type"].vocabulary.classes
    of_class = [each[0] in classes for each in labels if each is not None]
    assert 0 < sum(of_class) < len(of_class)
    evidence = promises.tasks["type"]
    assert sorted(evidence.known.tolist()) == sorted(1 + inside for inside in of_class)
    of_none = evidence.known == 1
    np.testing.assert_array_equal(evidence.likeliest_wrong[of_none], evidence.likeliest[of_none])


def test_the_chosen_heads_have_the_lowest_validation_loss_on_one_backbone(two_stores, tmp_path) -> None:
    settings = ProbeSettings(
        features=folders(two_stores), out=tmp_path / "r", tasks=("type", "artist"), **FEW
    )
    candidates = probe(settings)
    chosen = best_heads(candidates, arttl.load_model(tmp_path / "r").tasks)
    stores = {one.store for one in chosen.values()}
    assert len(stores) == 1
    sums = {}
    for store in (0, 1):
        best = [
            min(
                one.val_loss
                for one in candidates
                if (one.store, one.task) == (store, task) and one.recipe != "nearest neighbours"
            )
            for task in ("type", "artist")
        ]
        sums[store] = sum(best)
    assert stores == {min(sums, key=lambda store: sums[store])}


def test_probe_refuses_what_it_cannot_use(two_stores, tmp_path) -> None:
    settings = ProbeSettings(features=folders(two_stores)[:1], out=tmp_path / "run", tasks=("type",), **FEW)
    with pytest.raises(ArttlError, match="name at least one folder of features"):
        ProbeSettings(features=())
    with pytest.raises(ArttlError, match=r"--learning-rates must be between 0 and 1, not 2"):
        replace(settings, learning_rates=(2.0,))
    with pytest.raises(ArttlError, match="holds no finished features"):
        probe(replace(settings, features=(tmp_path,)))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ArttlError, match="is not a run folder; choose another --out"):
        probe(replace(settings, out=tmp_path / "mine"))
    probe(settings)
    with pytest.raises(ArttlError, match="already holds a run; choose another --out, or pass --overwrite"):
        probe(settings)
    probe(replace(settings, overwrite=True))
    assert not [path for path in tmp_path.iterdir() if "unfinished" in path.name]


@pytest.mark.parametrize("keep", ["gates", "late fusion", "attention", "best on validation"])
def test_the_fused_model_says_of_pictures_what_its_features_said(
    two_stores, small_shards, tmp_path, few_strengths, keep
) -> None:
    settings = FuseSettings(features=folders(two_stores), out=tmp_path / "run", tasks=("type",), keep=keep)
    outcomes, _ = fuse(settings)
    model = load_fused(tmp_path / "run")
    loaders = [
        arttl.open_loader(small_shards, "test", model.tasks, preprocess=one, batch_size=64, threads=1)
        for one in model.preprocesses
    ]
    batches = [next(iter(loader)) for loader in loaders]
    with torch.inference_mode():
        logits = model(*[batch.images for batch in batches])["type"]
    valid, targets = batches[0].valid, batches[0].targets["type"]
    known = valid & (targets >= 0)
    found = outcomes["type"][keep][0]
    assert batches[0].rows[known].tolist() == found.rows.tolist()
    assert ((logits.argmax(1) == targets)[known].numpy() == found.correct).all()
    told = json.loads((tmp_path / "run" / "test.json").read_text())["tasks"]["type"]
    assert told["accuracy"] == pytest.approx(found.correct.mean())
    metrics = evaluate(EvaluateSettings.of(model=tmp_path / "run", shards=small_shards, threads=1))
    assert metrics["type"].accuracy == pytest.approx(found.correct.mean())
    assert metrics["type"].temperature == told.get("temperature")
    assert metrics["type"].values["ece"] == pytest.approx(told["ece"], abs=1e-4)
    with pytest.raises(ArttlError, match="holds a fused model, with heads over several stages, where one"):
        load_model(tmp_path / "run")
    assert arttl.load_model(tmp_path / "run").tasks.names == model.tasks.names


def test_fuse_measures_every_method_on_every_split(two_stores, tmp_path, few_strengths, capsys) -> None:
    settings = FuseSettings(
        features=folders(two_stores),
        out=tmp_path / "run",
        tasks=("type", "material"),
        multi_label=("material",),
        seeds=2,
    )
    outcomes, gains = fuse(settings)
    names = method_names(["resnet", "efficientnet"], settings.last)
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*names, "majority", "Gain in right predictions"))
    for by_method in outcomes.values():
        assert list(by_method) == names
        assert all(len(of_method) == 2 for of_method in by_method.values())
    for both in outcomes["type"]["best twice, gates"]:
        assert len(set(both.indices)) == len(both.indices) // 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(line["seed"], line["task"], line["method"]) for line in lines] == [
        (seed, task, name) for seed in range(2) for task in ("type", "material") for name in names
    ]
    assert {(gain.task, gain.head) for gain in gains} == {
        (task, method)
        for task in ("type", "material")
        for method in ("best on validation", "gates", "attention")
    }
    one = next(gain for gain in gains if gain.task == "type" and gain.reference == CONCATENATION_OF_ALL)
    shares = [
        np.concatenate([outcome.correct for outcome in outcomes["type"][method]]).mean()
        for method in (CONCATENATION_OF_ALL, one.head)
    ]
    assert one.difference.value == pytest.approx(shares[1] - shares[0])
    assert measure_gain("type", outcomes["type"], GATES, GATES, share_right).difference.p == 1
    for by_method in outcomes.values():
        for seed in range(2):
            chosen = by_method[CHOSEN][seed]
            assert chosen.chosen in FUSIONS and chosen.fitted is by_method[chosen.chosen][seed].fitted
            assert chosen.val_loss == min(by_method[name][seed].val_loss for name in FUSIONS)
    late = outcomes["type"][LATE_FUSION][0]
    assert len(late.indices) == 2 and late.val_loss > 0
    unpenalised = {line["method"] for line in lines if line["inverse_l2"] is None}
    assert LATE_FUSION in unpenalised <= {LATE_FUSION, CHOSEN}


def test_the_stages_of_one_network_are_fused_too(
    two_stores, small_shards: Path, tmp_path, few_strengths, capsys
) -> None:
    out = tmp_path / "run"
    outcomes, gains = fuse(FuseSettings(features=folders(two_stores)[:1], out=out, tasks=("type",)))
    by_method = {name: of_method[0] for name, of_method in outcomes["type"].items()}
    assert list(by_method) == method_names([""], 3) and not set(by_method) & set(SIMPLE_FUSIONS)
    assert {gain.reference for gain in gains} == {"last layer", CONCATENATION_OF_ALL}
    assert "late fusion" not in capsys.readouterr().out
    assert by_method[CHOSEN].val_loss == min(
        by_method[name].val_loss for name in FUSIONS if name in by_method
    )
    model = load_fused(out)
    assert {token.backbone for token in model.tokens} == {0} and len(model.tokens) == len(
        two_stores[0].stages
    )
    metrics = evaluate(EvaluateSettings.of(model=out, shards=small_shards, threads=1))
    assert metrics["type"].accuracy == pytest.approx(by_method[CHOSEN].correct.mean())


def test_fuse_refuses_what_it_cannot_use(two_stores, tmp_path) -> None:
    with pytest.raises(ArttlError, match="name at least one folder of features"):
        FuseSettings(features=())
    with pytest.raises(ArttlError, match="--keep 'late fusion' joins several networks, and there is one"):
        FuseSettings(features=folders(two_stores)[:1], keep="late fusion")
    with pytest.raises(ArttlError, match="--seeds must be at least 1, not 0"):
        FuseSettings(features=folders(two_stores), seeds=0)
    with pytest.raises(ArttlError, match="have no task 'typ'"):
        fuse(FuseSettings(features=folders(two_stores), out=tmp_path / "r", tasks=("typ",)))
    assert not (tmp_path / "r").exists()


def test_layers_are_probed_printed_and_drawn(two_stores, tmp_path, few_strengths, capsys) -> None:
    argv = [str(path) for path in folders(two_stores)]
    assert run_command("layers", [*argv, "--tasks", "type", "artist", "--out", str(tmp_path / "l")]) == 0
    shown = capsys.readouterr().out
    assert "layer1" in shown and "blocks.4" in shown and "share" in shown and "majority" in shown
    rows = json.loads((tmp_path / "l" / "layers.json").read_text())
    stages = sum(len(store.stages) for store in two_stores)
    assert len(rows) == 2 * stages
    for task in ("type", "artist"):
        of_task = [row for row in rows if row["task"] == task]
        assert sum(row["shares"][0] for row in of_task) == pytest.approx(1)
        assert max(row["values"][0] for row in of_task) > of_task[0]["majority"][0]
    assert (tmp_path / "l" / "layers.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "l" / "layers.pdf").read_bytes().startswith(b"%PDF")


def test_the_plot_shows_the_figures(two_stores, few_strengths) -> None:
    settings = LayerSettings(features=folders(two_stores), tasks=("type",), seeds=2)
    rows, tasks = measure_layers(settings)
    figure = plot_layers(rows, tasks)
    probes, shares = figure.axes
    for line, store in zip(probes.get_lines(), two_stores, strict=False):
        of_store = [row for row in rows if row.backbone == line.get_label()]
        assert len(of_store) == len(store.stages)
        assert np.allclose(line.get_ydata(), [100 * np.mean(row.values) for row in of_store])
    heights = sum(bar.get_height() for bars in shares.containers for bar in getattr(bars, "patches", []))
    assert heights == pytest.approx(100)


@pytest.mark.parametrize("command", ["features", "probe", "fuse", "layers", "rebalance"])
def test_help_is_a_newcomers(command: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        run_command(command, ["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "--out" in shown and "Annotated" not in shown


@pytest.mark.parametrize("command", ["probe", "fuse", "layers"])
def test_tables_of_many_tasks_can_be_read_on_eighty_columns(
    command: str, two_stores, tmp_path, few_strengths, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    argv = [str(path) for path in folders(two_stores)]
    assert (
        run_command(command, [*argv, "--tasks", "type", "artist", "material", "--out", str(tmp_path / "r")])
        == 0
    )
    shown = capsys.readouterr().out
    assert "…" not in shown and all(word in shown for word in ("type", "artist", "material"))


def test_listed_classes_that_no_label_has_are_reported(two_stores, tmp_path: Path, capsys) -> None:
    names = two_stores[0].manifest.labels("type")
    known = next(labels[0] for labels in names if labels)
    (tmp_path / "classes.txt").write_text(f"{known}\n{known.upper()}\n", encoding="utf-8")
    Study(folders(two_stores), ClassSettings(classes=f"listed={tmp_path / 'classes.txt'}"))
    shown = capsys.readouterr().out
    assert "1 of 2 names are no label of these tasks" in shown
    assert f"{known.upper()!r} (the closest label is {known!r})" in shown
