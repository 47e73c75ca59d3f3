"""What became of promises, against a count object by object."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy.stats import binomtest

from arttl.evaluation.kept_promises import Share, institutions_table, measure_promises, promises_table
from arttl.inference.calibration import calibration_error
from arttl.inference.objects import Objects
from arttl.inference.predictions import Predictions
from arttl.inference.promises import fit_promises
from arttl.inference.suggestions import Suggester
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, TaskSet, Vocabulary

CLASSES = ("a", "b", "c")
TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(CLASSES, (1, 1, 1), (0,))),
        Task("material", "multi-label", Vocabulary(CLASSES, (1, 1, 1), (0,))),
        Task("year", "number", NumberStatistics(count=9, mean=1650.0, std=30.0, median=1650.0)),
    ]
)


def draw(count: int, seed: int, *, unlisted: bool) -> tuple[Predictions, torch.Tensor]:
    """Two photographs per object; every ninth type is none of the classes, every seventh unknown."""
    generator = np.random.default_rng(seed)
    index = np.repeat(np.arange(count), 2)
    true = generator.integers(0, 3, count)
    logits = 4 * np.eye(3)[true] + generator.normal(0, 1.2, (count, 3))
    years = generator.normal(0, 1, (count, 1))
    types = [
        None if each % 7 == 0 else ("unlisted",) if unlisted and each % 9 == 0 else (CLASSES[true[each]],)
        for each in index
    ]
    materials = [(CLASSES[true[each]], CLASSES[(true[each] + 1) % 3])[: 1 + each % 2] for each in index]
    return Predictions(
        TASKS,
        np.arange(len(index)),
        [f"key{photograph}" for photograph in range(len(index))],
        [f"object {each}" for each in index],
        {
            "type": types,
            "material": materials,
            "year": [(str(round(1650 + 30 * years[each, 0] + generator.normal(0, 9))),) for each in index],
        },
        {
            "type": logits[index].astype(np.float32),
            "material": (logits[index] - 2).astype(np.float32),
            "year": years[index].astype(np.float32),
        },
        {"type": 1.5},
    ), torch.from_numpy(generator.normal(3, 1, (count, 8))[index]).float()


@pytest.fixture(scope="module")
def suggester() -> Suggester:
    predictions, features = draw(400, 0, unlisted=False)
    promises = fit_promises(predictions, features, draw(200, 9, unlisted=False)[1])
    return Suggester(TASKS, {"type": 1.5}, promises, precision=0.8, coverage=0.8)


def test_the_figures_are_counted_object_by_object(suggester: Suggester) -> None:
    predictions, features = draw(300, 1, unlisted=True)
    museums = ["North" if int(number.split()[1]) % 3 else "South" for number in predictions.object_numbers]
    kept = measure_promises(predictions, features, suggester, museums)
    chosen = Objects.of(predictions.object_numbers, predictions.keys).chosen.tolist()
    given = suggester.suggest(
        {name: logits[chosen] for name, logits in predictions.logits.items()}, features[chosen]
    )
    for museum in ("North", "South", None):
        counts = dict.fromkeys(("labelled", "suggested", "right", "of_class", "inside", "outside"), 0)
        years = inside_years = 0
        for index, suggestion in zip(chosen, given, strict=True):
            if museum not in (None, museums[index]):
                continue
            (low, high) = suggestion["year"].interval or (math.nan, math.nan)
            years += 1
            inside_years += low <= int(predictions.catalogued["year"][index][0]) <= high
            labels = predictions.catalogued["type"][index]
            if labels is None:
                continue
            counts["labelled"] += 1
            counts["suggested"] += suggestion["type"].status == "suggested"
            counts["outside"] += suggestion["type"].status == "outside"
            counts["right"] += suggestion["type"].status == "suggested" and (
                suggestion["type"].prediction.names == labels
            )
            if labels != ("unlisted",):
                counts["of_class"] += 1
                counts["inside"] += labels[0] in (suggestion["type"].candidates or ())
        of_type = kept["type"] if museum is None else kept["type"].institutions[museum]
        of_year = kept["year"] if museum is None else kept["year"].institutions[museum]
        assert of_type.suggested == Share(counts["suggested"], counts["labelled"])
        assert of_type.right == Share(counts["right"], counts["suggested"])
        assert of_type.in_sets == Share(counts["inside"], counts["of_class"])
        assert of_type.outside == Share(counts["outside"], counts["labelled"])
        assert of_year.in_sets == Share(inside_years, years)
        assert counts["right"] < counts["suggested"] < counts["labelled"]
        assert 0 < counts["inside"] < counts["of_class"] and counts["outside"] > 0
    rows = [index for index in chosen if predictions.targets["type"][index] >= 0]
    assert kept["type"].calibration_error == calibration_error(
        TASKS["type"], predictions.logits["type"][rows], predictions.targets["type"][rows], 1.5
    )


def test_promises_of_objects_are_measured_on_the_means_of_their_photographs() -> None:
    generator = np.random.default_rng(3)

    def uneven(count: int, seed: int) -> tuple[Predictions, torch.Tensor]:
        predictions, features = draw(count, seed, unlisted=False)
        noise = {
            name: (each + generator.normal(0, 1.5, each.shape)).astype(np.float32)
            for name, each in predictions.logits.items()
        }
        return replace(predictions, logits=noise), features + torch.randn(features.shape)

    predictions, features = uneven(400, 5)
    promises = fit_promises(predictions, features, uneven(200, 6)[1])
    suggester = Suggester(TASKS, {"type": 1.5}, promises, precision=0.8, coverage=0.8, per_object=True)
    predictions, features = uneven(150, 7)
    kept = measure_promises(predictions, features, suggester)
    suggested = right = labelled = inside = 0
    for number in range(150):
        two = [index for index, name in enumerate(predictions.object_numbers) if name == f"object {number}"]
        units = [features[index] / features[index].norm() for index in two]
        logits = {name: each[two].mean(0, keepdims=True) for name, each in predictions.logits.items()}
        (of_object,) = suggester.suggest(logits, torch.stack(units).mean(0, keepdim=True))
        suggestion, labels = of_object["type"], predictions.catalogued["type"][two[0]]
        if labels is not None:
            labelled += 1
            inside += labels[0] in (suggestion.candidates or ())
            suggested += suggestion.status == "suggested"
            right += suggestion.status == "suggested" and suggestion.prediction.names == labels
    assert kept["type"].suggested == Share(suggested, labelled)
    assert kept["type"].right == Share(right, suggested)
    assert kept["type"].in_sets == Share(inside, labelled)
    assert 0 < right < suggested < labelled
    photographs = Suggester(TASKS, {"type": 1.5}, promises, precision=0.8, coverage=0.8)
    assert measure_promises(predictions, features, photographs)["type"] != kept["type"]


def test_an_institution_without_labels_of_a_task_is_left_out(suggester: Suggester) -> None:
    predictions, features = draw(40, 4, unlisted=False)
    unknown = [
        None if index % 4 < 2 else labels for index, labels in enumerate(predictions.catalogued["type"])
    ]
    predictions = replace(predictions, catalogued={**predictions.catalogued, "type": unknown})
    kept = measure_promises(predictions, features, suggester, ["South", "South", "North", "North"] * 20)
    assert kept["type"].institutions == {}
    assert sorted(kept["material"].institutions) == ["North", "South"]


def test_a_suggestion_of_several_labels_is_right_if_all_are(suggester: Suggester) -> None:
    predictions, features = draw(300, 2, unlisted=False)
    kept = measure_promises(predictions, features, suggester)["material"]
    chosen = Objects.of(predictions.object_numbers, predictions.keys).chosen.tolist()
    given = suggester.suggest(
        {name: logits[chosen] for name, logits in predictions.logits.items()}, features[chosen]
    )
    right = [
        set(suggestion["material"].prediction.names) <= set(predictions.catalogued["material"][index])
        for index, suggestion in zip(chosen, given, strict=True)
        if suggestion["material"].status == "suggested"
    ]
    assert kept.right == Share(sum(right), len(right))
    assert 0 < sum(right) < len(right)
    assert kept.institutions == {}


def test_intervals_are_exact() -> None:
    expected = binomtest(47, 50).proportion_ci(0.95, "exact")
    assert Share(47, 50).interval == pytest.approx((expected.low, expected.high))
    assert Share(0, 5).interval[0] == 0 and Share(5, 5).interval[1] == 1
    assert math.isnan(Share(0, 0).value) and Share(0, 0).to_dict() == {"count": 0, "of": 0}


def test_tables_of_what_was_promised(suggester: Suggester) -> None:
    predictions, features = draw(60, 3, unlisted=True)
    kept = measure_promises(
        predictions, features, suggester, ["[/A] museum with a long name"] * 60 + ["B"] * 60
    )
    table = promises_table(kept, 0.8, 0.8)
    assert [column.header for column in table.columns][:4] == [
        "task",
        "objects",
        "promised",
        "measured",
    ]
    assert list(table.columns[1].cells)[:4] == [
        "suggested",
        "suggestion right",
        "label in its set",
        "outside",
    ]
    by_institution = institutions_table(kept)
    assert by_institution is not None
    console = Console(width=80)
    with console.capture() as shown:
        console.print(by_institution)
    assert "  [/A] museum" in shown.get() and "\n   B " in shown.get() and "…" not in shown.get()
    assert institutions_table(measure_promises(predictions, features, suggester, ["B"] * 120)) is None
