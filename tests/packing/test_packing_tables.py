from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace

import numpy as np
from rich.console import Console, RenderableType

from arttl.packing.summary import Summary, TaskCounts
from arttl.packing.tables import class_tables, packing_tables, paper_table


def _printed(table: RenderableType, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    return console.export_text()


def _summary(counts: list[list[int]], **changes: object) -> Summary:
    """One task whose classes `c0`, `c1`, ... have so many samples in train, val and test."""
    samples = np.array(counts)
    task = TaskCounts(
        "material", [f"c{index}" for index in range(len(counts))], samples, samples, samples.sum(axis=0), 0
    )
    values: dict[str, object] = {
        "samples": samples.sum(axis=0),
        "shards": np.array([1, 1, 1]),
        "tasks": (task,),
        "together": {("material",): int(samples.sum())},
        "rejected": {},
        "unlabelled": 0,
        **changes,
    }
    return Summary(**values)  # type: ignore[arg-type]


def test_long_tails_are_summed_up_by_size() -> None:
    counts = [[80 - index, 10, 10] for index in range(3)]
    counts += [[30, 5, 5]] * 2 + [[1, 1, 1]] * 5 + [[1, 0, 0]] * 7
    text = _printed(class_tables(_summary(counts), most=3))
    assert "Classes of material (17)" in text
    assert re.search(r"c0 +100 +80 +10 +10 +25\.1% +█+", text)
    assert re.search(r"2 more of 20 to 49 +80 +60 +10 +10", text)
    assert re.search(r"5 more of 2 to 4 +15 +5 +5 +5", text)
    assert re.search(r"7 more of one sample +7 +7 +0 +0", text)
    assert text.index("c0") < text.index("of 20 to 49") < text.index("of one sample")
    assert "c3" not in text
    assert re.search(r"c16 +1 +1 +0 +0", _printed(class_tables(_summary(counts), most=0)))


def test_bars_are_as_long_as_classes_are_large() -> None:
    text = _printed(class_tables(_summary([[80, 10, 10], [40, 5, 5], [1, 0, 0]]), most=0))
    assert [line.count("█") for line in text.splitlines() if "█" in line] == [16, 8, 1]


def test_names_of_classes_are_not_markup() -> None:
    summary = _summary([[5, 1, 1]])
    odd = TaskCounts("t", ["[bold]x[/nonsense]"], *(summary.tasks[0].samples,) * 2, np.array([5, 1, 1]), 0)
    summary = _summary([[5, 1, 1]], tasks=(odd,))
    assert "[bold]x[/nonsense]" in _printed(class_tables(summary, most=0), width=120)
    assert "[bold]x[/nonsense]" in _printed(packing_tables(summary), width=120)


def test_which_labels_come_together() -> None:
    summary = _summary(
        [[5, 1, 1]],
        tasks=(_summary([[5, 1, 1]]).tasks[0], _summary([[2, 1, 1]]).tasks[0]),
        together={("material", "type"): 5, ("type",): 2},
        unlabelled=1234,
    )
    text = _printed(class_tables(summary, most=0))
    assert re.search(r"all +5 +71\.4%", text)
    assert re.search(r"only type +2 +28\.6%", text)
    assert re.search(r"none: left out +1,234", text)


def test_beside_the_paper() -> None:
    counts = [[900, 50, 50], [90, 5, 5], [9, 0, 1]]
    text = _printed(paper_table(_summary(counts), {"material": (110_668, 206)}))
    assert re.search(r"material +images +1,110 +1,100 +1,000 +110,668", text)
    assert re.search(r"classes +3 +2 +1 +206", text)


def test_a_task_of_years_is_called_so() -> None:
    samples = np.array([[5, 1, 1], [3, 0, 0]])
    years = TaskCounts("year", ["ca. 1650", "n.d."], samples, samples, samples.sum(axis=0), 0)
    text = _printed(class_tables(_summary([[5, 1, 1]], tasks=(years,)), most=0), width=200)
    assert (
        "the labels of year are years, which arttl train --number year learns: 10 with a value, 3 of them"
        in text
    )


def test_a_very_long_class_takes_its_own_memory_only_and_few_lines() -> None:
    summary = _summary([[80, 10, 10], *([[1, 0, 0]] * 499)])
    classes = ["x" * 100_000, *(f"wood {index}" for index in range(499))]
    summary = replace(summary, tasks=(replace(summary.tasks[0], classes=classes),))
    tracemalloc.start()
    text = _printed(class_tables(summary, most=3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # an array of the names takes 200 MB
    assert text.count("x") == 117
    assert _printed(packing_tables(summary)).count("x") == 117
