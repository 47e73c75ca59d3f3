from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.numbers import NumberFormat, NumberStatistics
from arttl.tasks import Task, TaskSet, Vocabulary, is_labelled


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
    with pytest.raises(ArttlError, match=r"'material' has 1 class left under the class rule 'min-count=5'"):
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


def test_classes_listed_in_a_file(tmp_path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("\ufeffoil\n  ink \n\nsilver\nwood\n", encoding="utf-8")
    assert classes(f"listed={file}", ("material",)) == ("ink", "oil")  # wood is not in every split
    listed = tmp_path / "classes.json"
    listed.write_text('["oil", "ink", "two\\nlines"]')
    assert classes(f"listed={listed}", ("material",)) == ("ink", "oil")
    listed.write_text('{"oil": 1}')
    with pytest.raises(ArttlError, match=r"classes.json: it must be a list, not an object"):
        classes(f"listed={listed}")
    listed.write_text("[" * 100_000)
    with pytest.raises(ArttlError, match=r"classes.json: it is nested deeper"):
        classes(f"listed={listed}")
    file.write_text("\n")
    with pytest.raises(ArttlError, match=r"classes.txt names no class; write one per line"):
        classes(f"listed={file}")
    with pytest.raises(ArttlError, match=r"none.txt cannot be read"):
        classes(f"listed={tmp_path / 'none.txt'}")


@pytest.mark.parametrize(
    "rule", ["", "min-count", "min-count=", "min-count=0", "min-count=-1", "min-count=x", "all"]
)
def test_unknown_class_rules(rule: str) -> None:
    with pytest.raises(
        ArttlError, match="is not a class rule; use train, all-splits, rijks2014, min-count=N or listed=FILE"
    ):
        ClassRule.parse(rule)


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


YEARS = Rows(
    ["train"] * 6 + ["test"] * 2,
    [("1600",), ("ca. 1700", "1500"), ("1640-1650",), ("unknown",), ("early",), None, ("1999",), ("-500",)],
)


def test_a_number_has_statistics_of_the_training_split() -> None:
    """And class rules, which a number does not have, do not touch it."""
    task = TaskSet.from_manifest(YEARS, ("material",), classes="all-splits", number=("material",))["material"]
    known = np.array([1600.0, 1700.0, 1645.0])
    assert task.statistics.number_format == NumberFormat(years=True)
    assert task.statistics.count == 3 and task.statistics.unreadable == 2
    assert task.statistics.mean == pytest.approx(known.mean()) and task.statistics.median == 1645
    assert task.statistics.std == pytest.approx(known.std())
    assert task.outputs == 1 and task.kind == "number"
    assert task.summary == "number, median 1645, standard deviation 41"
    found = task.targets(YEARS.material)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1600, 1700, 1645, np.nan, np.nan, np.nan, 1999, -500])
    assert is_labelled(found).tolist() == [True, True, True, False, False, False, True, True]


def test_numbers_that_cannot_be_learnt() -> None:
    with pytest.raises(ArttlError, match=r"--number names 'year', which is not among --tasks material"):
        TaskSet.from_manifest(Both(YEARS), ("material",), number=("year",))
    with pytest.raises(ArttlError, match=r"--multi-label and --number both name 'material'"):
        TaskSet.from_manifest(YEARS, ("material",), number=("material",), multi_label=("material",))
    words = Rows(["train"] * 3, [("oil",), ("1642",), ("1642",)])
    with pytest.raises(
        ArttlError,
        match=r"two different numbers .* has 3 labels: 1 of them not read as a number \(such as 'oil';",
    ):
        TaskSet.from_manifest(words, ("material",), number=("material",))
    with pytest.raises(ArttlError, match=r"has 0 labels$"):
        TaskSet.from_manifest(Rows(["train"], [None]), ("material",), number=("material",))


def test_the_training_split_decides_how_a_column_is_read() -> None:
    sizes = Rows(
        ["train"] * 3 + ["test"] * 3,
        [("1.234,5",), ("12,5",), ("wide",), ("2.000",), ("7,25",), ("1,234.5",)],
    )
    task = TaskSet.from_manifest(sizes, ("material",), number=("material",))["material"]
    np.testing.assert_array_equal(task.targets(sizes.material), [1234.5, 12.5, np.nan, 2000, 7.25, np.nan])
    with pytest.raises(
        ArttlError,
        match=r"^task 'material' of --number: 2 of its 2 numbers, such as '1,234', may be 1.234 or 1234; write all with"
        r" a decimal point and without separators of thousands, for example with arttl shards relabel and"
        r" --mapping material=FILE$",
    ):
        unclear = Rows(["train"] * 2, [("1,234",), ("5,678",)])
        TaskSet.from_manifest(unclear, ("material",), number=("material",))


@dataclass
class Both:
    """Rows with a second task, `year`, of the same labels."""

    rows: Rows
    task_names: tuple[str, ...] = ("material", "year")

    @property
    def splits(self) -> list[str]:
        return self.rows.splits

    def labels(self, task: str) -> list[tuple[str, ...] | None]:
        return self.rows.material


def test_a_task_has_what_its_kind_has() -> None:
    with pytest.raises(ValueError, match="of kind number cannot have Vocabulary"):
        Task("t", "number", Vocabulary(("a", "b"), (1, 1), (0,)))
    with pytest.raises(ValueError, match="of kind single-label cannot have NumberStatistics"):
        Task("t", "single-label", NumberStatistics(2, 0.0, 1.0, 0.0))
    assert Task("t", "multi-label", Vocabulary(("a", "b"), (1, 1), (0,))).outputs == 2


def test_a_task_set_survives_its_file(tmp_path) -> None:
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("prent", "schilderij"), (3, 2), (0,))),
            Task("matériel", "multi-label", Vocabulary(("or", "ébène"), (1, 2), (0, 1))),
            Task("year", "number", NumberStatistics(7, 1642.3, 88.25, 1650.0, 2, NumberFormat(years=True))),
            Task(
                "width",
                "number",
                NumberStatistics(7, 12.3, 8.25, 10.0, 0, NumberFormat(",", ".", years=False)),
            ),
        ]
    )
    tasks.save(tmp_path / "tasks.json")
    assert TaskSet.load(tmp_path / "tasks.json") == tasks


def test_task_sets_written_before_there_were_numbers_load(tmp_path) -> None:
    """And what is written of them now is the same."""
    tasks = [
        {
            "name": "a",
            "kind": "single-label",
            "classes": ["b", "c"],
            "train_counts": [3, 1],
            "train_majority": [0],
        }
    ]
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    found = TaskSet.load(tmp_path / "tasks.json")
    assert found == TaskSet([Task("a", "single-label", Vocabulary(("b", "c"), (3, 1), (0,)))])
    assert found.to_dict() == {"tasks": tasks}


def test_numbers_written_before_they_had_a_format_load(tmp_path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [NUMBER]}))
    statistics = TaskSet.load(tmp_path / "tasks.json")["year"].statistics
    assert statistics == NumberStatistics(2, 1.0, 1.0, 1.0) and statistics.number_format.years is None


NUMBER = {
    "name": "year",
    "kind": "number",
    "train_count": 2,
    "train_mean": 1.0,
    "train_std": 1.0,
    "train_median": 1.0,
    "train_unreadable": 0,
}


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
        _task_set(kind="number"),
        json.dumps({"tasks": [{**NUMBER, "train_std": 0}]}),
        json.dumps({"tasks": [{**NUMBER, "number_format": {"decimal": ";"}}]}),
        json.dumps({"tasks": [{**NUMBER, "number_format": [1]}]}),
        json.dumps({"tasks": [{**NUMBER, "train_mean": float("nan")}]}),
    ],
)
def test_files_that_are_no_task_set(tmp_path, text: str) -> None:
    (tmp_path / "tasks.json").write_text(text)
    with pytest.raises(ArttlError, match=r"tasks\.json"):
        TaskSet.load(tmp_path / "tasks.json")
