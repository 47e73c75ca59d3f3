"""The estimate of a dry run against a count by hand of what a run reads and computes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_reproduction_running import plan_matrix

from arttl.models import Backbone
from arttl.reproduction.costs import Cost, Rates, estimate, measure_rates
from arttl.shards.manifest import Manifest

FORWARD, STEP, READ, HEAD = 1.0, 1e4, 1e-3, 1e-7


def rates(beside: bool) -> Rates:
    return Rates(
        {"test_resnet": Cost(FORWARD, STEP, 32, "a machine")},
        {("shards", 32): READ},
        {(Backbone("test_resnet").num_features, outputs): HEAD * outputs for outputs in range(2, 100)},
        beside,
    )


@pytest.mark.parametrize("beside", [False, True])
def test_an_estimate_counts_every_picture(settings, beside: bool) -> None:
    plan = plan_matrix(replace(settings, epochs=3), "type-fine-tune", "all-off-the-shelf")
    manifest = Manifest.read(settings.source)
    labels = {task: manifest.labels(task) for task in ("type", "material")}
    reading = 0 if beside else READ
    for run in plan.matrix.runs:
        if run.collection != "shards" or run.donor:
            continue
        samples = {
            split: sum(
                of_row == split and any(labels[task][row] for task in run.tasks)
                for row, of_row in enumerate(manifest.splits)
            )
            for split in ("train", "val", "test")
        }
        if run.mode == "fine-tune":
            passes = (
                3 * samples["val"] + samples["val"] + samples["test"] + samples["train"]
            )  # the last: references
            expected = 3 * samples["train"] * (STEP + reading) + passes * (FORWARD + reading)
        else:
            passes = samples["train"] + 2 * samples["val"] + samples["test"]
            classes = sum(len({of[0] for of in labels[task] if of}) for task in run.tasks)
            assert classes == sum(plan.classes(run).values())  # the rule is train, where every class occurs
            expected = passes * (FORWARD + reading) + HEAD * classes * samples["train"]
        seconds, size = estimate(run, plan, rates(beside))
        assert seconds == pytest.approx(expected, rel=1e-9)
        assert size == 4 * sum(each.numel() for each in Backbone("test_resnet").parameters())
    assert {run.mode for run in plan.matrix.runs} >= {"fine-tune", "off-the-shelf"}


def test_of_a_large_collection_only_some_pictures_are_references(settings, monkeypatch) -> None:
    plan = plan_matrix(settings, "type-scratch")
    (run,) = [run for run in plan.matrix.runs if run.collection == "shards" and run.tasks == ("type",)]
    before, _ = estimate(run, plan, rates(False))
    monkeypatch.setattr("arttl.reproduction.costs.MOST_REFERENCES", 10)
    after, _ = estimate(run, plan, rates(False))
    fewer = plan.samples(run)["train"] - 10
    assert before - after == pytest.approx(fewer * (FORWARD + READ))


def test_where_reading_is_slower_than_a_card_it_sets_the_pace() -> None:
    slow = replace(rates(True), reading={("shards", 32): 5.0})
    assert slow.seen(FORWARD, "shards", 32) == 5.0 and slow.seen(STEP, "shards", 32) == STEP


def test_all_that_an_estimate_needs_is_measured(settings) -> None:
    plan = plan_matrix(settings, "type-fine-tune", "all-off-the-shelf")
    measured = measure_rates(plan, plan.matrix.runs)
    for run in plan.matrix.runs:
        seconds, _ = estimate(run, plan, measured)
        assert 0 < seconds < 3600
    assert not measured.beside and set(measured.reading) == {("shards", 32), ("shards-target", 32)}
