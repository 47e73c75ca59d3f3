from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.tasks import Task, TaskSet, Vocabulary, is_labelled, parse_class_rule


@dataclass
class Rows:
    splits: list[str]
    material: list[tuple[str, ...] | None]

    @property
    def task_names(self) -> tuple[str, ...]:
        return ("material",)

    def labels(self, task: str) -> list[tuple[str, ...] | None]:
        assert task == "material"
        return self.material


ROWS = Rows(
    ["train"] * 6 + ["val"] * 3 + ["test"] * 4,
    [("oil",), ("oil", "wood"), ("ink",), ("ink",), ("ink",), None]
    + [("oil",), ("ink",), ("gold",)]
    + [("oil",), ("wood",), None, ("ink", "oil")],
)


def classes(rule: str, multi_label: tuple[str, ...] = ()) -> tuple[str, ...]:
    return TaskSet.from_manifest(ROWS, ("material",), classes=rule, multi_label=multi_label)[
        "material"
    ].vocabulary.classes


def test_class_rules() -> None:
    assert classes("train") == ("ink", "oil")
    assert classes("train", ("material",)) == ("ink", "oil", "wood")
    assert classes("all-splits", ("material",)) == ("ink", "oil")
    assert classes("min-count=4") == ("ink", "oil")
    assert classes("min-count=2", ("material",)) == ("ink", "oil", "wood")


def test_counts_and_majority_are_of_the_training_split() -> None:
    single = TaskSet.from_manifest(ROWS, ("material",))["material"].vocabulary
    assert (single.counts, single.majority) == ((3, 2), (0,))
    several = TaskSet.from_manifest(ROWS, ("material",), multi_label=("material",))["material"].vocabulary
    assert (several.counts, several.majority) == ((3, 2, 1), (0,))


def test_a_rule_that_leaves_one_class_is_refused() -> None:
    with pytest.raises(
        ArttlError, match=r"'material' has 1 class\(es\) left under the class rule 'min-count=5'"
    ):
        classes("min-count=5")
    with pytest.raises(ArttlError, match="0 class"):
        classes("rijks2014")


def test_rijks2014_wants_ten_in_test() -> None:
    rows = Rows(
        ["train"] * 3 + ["val"] * 3 + ["test"] * 29,
        [("a",), ("b",), ("c",)] * 2 + [("a",)] * 10 + [("b",)] * 9 + [("c",)] * 10,
    )
    assert TaskSet.from_manifest(rows, ("material",), classes="rijks2014")["material"].vocabulary.classes == (
        "a",
        "c",
    )


@pytest.mark.parametrize(
    "rule", ["", "min-count", "min-count=", "min-count=0", "min-count=-1", "min-count=x", "all"]
)
def test_unknown_class_rules(rule: str) -> None:
    with pytest.raises(
        ArttlError, match="is not a class rule; use train, all-splits, min-count=N or rijks2014"
    ):
        parse_class_rule(rule)


def test_unknown_and_repeated_tasks() -> None:
    with pytest.raises(
        ArttlError, match=r"no task 'materiaal' \(did you mean 'material'\?\); they have: material"
    ):
        TaskSet.from_manifest(ROWS, ("materiaal",))
    with pytest.raises(ArttlError, match="names a task twice"):
        TaskSet.from_manifest(ROWS, ("material", "material"))
    with pytest.raises(ArttlError, match="at least one task"):
        TaskSet.from_manifest(ROWS, ())


LABELS = st.lists(
    st.none() | st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True).map(tuple)
)


@given(LABELS)
def test_targets_say_what_the_labels_say(labels: list[tuple[str, ...] | None]) -> None:
    vocabulary = Vocabulary(("a", "b", "c"), (1, 1, 1), (0,))
    single = Task("t", "single-label", vocabulary).targets(labels)
    several = Task("t", "multi-label", vocabulary).targets(labels)
    assert single.shape == (len(labels),) and several.shape == (len(labels), 3)
    for found, index, row in zip(labels, single.tolist(), several, strict=True):
        assert (vocabulary.classes[index] == found[0]) if index >= 0 else (not found or found[0] not in "abc")
        known = set(found or ()) & set("abc")
        if known:
            assert {name for name, value in zip("abc", row.tolist(), strict=True) if value == 1} == known
            assert Counter(row.tolist())[0.0] == 3 - len(known)
        else:
            assert np.isnan(row).all()
    assert is_labelled(single).tolist() == (single >= 0).tolist()
    assert is_labelled(several).tolist() == [bool(set(found or ()) & set("abc")) for found in labels]


def test_a_task_set_survives_its_file(tmp_path) -> None:
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("prent", "schilderij"), (3, 2), (0,))),
            Task("matériel", "multi-label", Vocabulary(("or", "ébène"), (1, 2), (0, 1))),
        ]
    )
    tasks.save(tmp_path / "tasks.json")
    assert TaskSet.load(tmp_path / "tasks.json") == tasks


def _task_set(**changes: object) -> str:
    task = {"name": "a", "kind": "single-label", "classes": ["b"], "train_counts": [1], "train_majority": [0]}
    return json.dumps({"tasks": [{**task, **changes}]})


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "nonsense",
        '{"tasks": [{"name": "a"}]}',
        _task_set(kind="x"),
        _task_set(train_counts=[]),
        _task_set(train_majority=[7]),
    ],
)
def test_files_that_are_no_task_set(tmp_path, text: str) -> None:
    (tmp_path / "tasks.json").write_text(text)
    with pytest.raises(ArttlError, match="task set"):
        TaskSet.load(tmp_path / "tasks.json")
