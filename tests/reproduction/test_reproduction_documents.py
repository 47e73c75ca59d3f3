"""Figures of runs that are damaged: one sentence each that names the file, and how to go on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from malformed import malformed, refuses_or_reads, spoilt
from test_reproduction_claims import World, world  # noqa: F401

from arttl.errors import ArttlError
from arttl.frozen.layers import LayerRow
from arttl.reproduction.cells import Cell, Collection
from arttl.reproduction.experiment import Plan
from arttl.reproduction.fusion import fusion_tables, layer_tables
from arttl.reproduction.results import Results

EPOCHS = [{"epoch": 0, "val_accuracy": {"type": 0.5, "artist": 0.25}}, {"fitted": "head"}]
FITTED = [
    {"seed": 0, "task": task, "method": method, "test": {"accuracy": 0.5}}
    for task in ("type", "artist")
    for method in ("gates", "without")
]
LAYERS = [asdict(LayerRow("vgg19", "layer1", task, (0.5,), (0.3,), (0.2,))) for task in ("type", "artist")]


@pytest.fixture
def trained(world: World) -> tuple[Results, Cell, Path]:  # noqa: F811
    world.write({"fine-tune imagenet": 0.7})
    cell = next(cell for cell in world.matrix.cells if cell.mode == "fine-tune" and cell.task == "type")
    folder = world.results.folder(cell)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in EPOCHS))
    return world.results, cell, folder


@pytest.fixture
def plan(world: World) -> Plan:  # noqa: F811
    """With the figures of a fusion and of layers."""
    plan = replace(world.results.plan, collections={"rijks": Collection("rijks", {"type": 4, "artist": 4})})
    fused, layers = plan.experiment.folder("rijks/fused"), plan.experiment.out / "layers" / "rijks"
    for folder in (fused, layers):
        folder.mkdir(parents=True)
    (fused / "test.json").write_text("{}")
    (fused / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in FITTED))
    (layers / "layers.json").write_text(json.dumps(LAYERS))
    return plan


def test_what_is_read(trained: tuple[Results, Cell, Path], plan: Plan) -> None:
    results, cell, _ = trained
    assert results.accuracy(cell) == 0.7 and results.epochs(cell) == [0.5]
    result = results.result([cell])
    assert not isinstance(result, str) and result.interval == pytest.approx((0.65, 0.75))
    assert [table.rows for table in fusion_tables(plan)] == [
        [("gates", "50.0", "50.0"), ("without", "50.0", "50.0")]
    ]
    assert [table.rows for table in layer_tables(plan)] == [[("vgg19", "layer1", "50.0", "20", "50.0", "20")]]


def test_a_task_without_labels_on_the_validation_split_has_no_curve(
    trained: tuple[Results, Cell, Path],
) -> None:
    results, cell, folder = trained
    others = [{"epoch": number, "val_accuracy": {"artist": 0.5}} for number in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in others))
    assert results.epochs(cell) == []
    (folder / "metrics.jsonl").write_text(json.dumps(others[0]) + "\n" + json.dumps(EPOCHS[0]) + "\n")
    with pytest.raises(ArttlError, match="lacks 'type'"):
        results.epochs(cell)


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({}, "must be an object, not null"),
        ({"type": {}}, "lacks 'accuracy'"),
        ({"type": {"accuracy": "0.5"}}, "'balanced_accuracy'"),
        (
            {"type": {"accuracy": float("nan"), "balanced_accuracy": 1, "majority": 1, "n": 1, "classes": 1}},
            "nan",
        ),
        (
            {
                "type": {
                    "accuracy": 1,
                    "balanced_accuracy": 1,
                    "majority": 1,
                    "n": 1,
                    "classes": 1,
                    "intervals": {"accuracy": [1]},
                }
            },
            "two ends",
        ),
    ],
)
def test_figures_of_the_test_split(trained: tuple[Results, Cell, Path], figures: Any, reason: str) -> None:
    results, cell, folder = trained
    (folder / "test.json").write_text(json.dumps({"tasks": figures}))
    with pytest.raises(ArttlError, match=reason) as error:
        results.result([cell])
    message = str(error.value)
    assert message.startswith(str(folder / "test.json")) and "\n" not in message
    assert message.endswith(f"; delete {folder} and repeat the command")


@spoilt(120)
def test_documents_of_any_shape(trained: tuple[Results, Cell, Path], plan: Plan, seed: int) -> None:
    """JSON with a random part of it spoilt is read, or refused in one sentence."""
    _, cell, folder = trained
    results = Results(plan)
    whole = json.loads((folder / "test.json").read_text())
    fused, layers = plan.experiment.folder("rijks/fused"), plan.experiment.out / "layers" / "rijks"
    try:
        (folder / "test.json").write_text(malformed(whole, seed))
        (folder / "metrics.jsonl").write_text(malformed(EPOCHS[0], seed) + "\n")
        (fused / "metrics.jsonl").write_text(malformed(FITTED[0], seed) + "\n")
        (layers / "layers.json").write_text(malformed(LAYERS, seed))
        refuses_or_reads(lambda: results.result([cell]))
        refuses_or_reads(lambda: results.epochs(cell))
        refuses_or_reads(lambda: list(fusion_tables(plan)))
        refuses_or_reads(lambda: list(layer_tables(plan)))
    finally:
        (folder / "test.json").write_text(json.dumps(whole))
