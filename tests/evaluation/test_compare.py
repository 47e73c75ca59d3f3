from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from evaluation_cases import multi, numbers, single, task
from scipy.stats import binomtest

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import paired_bootstrap
from arttl.evaluation.compare import compare_means, compare_predictions
from arttl.evaluation.measures import measures_of
from arttl.inference.predictions import Predictions
from arttl.tasks import Task, TaskKind, TaskSet, Vocabulary

N = 90


def saved(seed: int, kinds: tuple[TaskKind, ...] = get_args(TaskKind)) -> Predictions:
    """A model's predictions: the same samples and labels whatever the seed, other logits."""
    tasks, catalogued, logits = [], {}, {}
    noise = np.random.default_rng(seed)
    for kind in kinds:
        one = Task(kind.split("-")[0], kind, task(kind, 4).training)
        tasks.append(one)
        if kind == "number":
            some, targets = numbers(0, N)
            labels = [(f"{target:.1f}",) for target in targets]
        elif kind == "single-label":
            some, targets = single(0, N, 4)
            labels = [(f"class {target}",) for target in targets]
        else:
            some, targets = multi(0, N, 4)
            labels = [tuple(f"class {place}" for place in np.flatnonzero(row)) for row in targets]
        catalogued[one.name] = [None if place % 5 == 0 else found for place, found in enumerate(labels)]
        logits[one.name] = (some + 0.5 * noise.normal(size=some.shape)).astype(np.float32)
    numbers_of_objects = [f"A.{place // 3}" for place in range(N)]
    keys = [f"k{place}" for place in range(N)]
    return Predictions(TaskSet(tasks), np.arange(N), keys, numbers_of_objects, catalogued, logits, {})


def part(found: Predictions, places: np.ndarray) -> Predictions:
    return replace(
        found,
        rows=found.rows[places],
        keys=[found.keys[place] for place in places],
        object_numbers=[found.object_numbers[place] for place in places],
        catalogued={name: [labels[place] for place in places] for name, labels in found.catalogued.items()},
        logits={name: logits[places] for name, logits in found.logits.items()},
    )


def test_every_kind_by_its_own_measure() -> None:
    a, b = saved(1), saved(2)
    found = compare_predictions([(a, b)])
    assert [(one.task, one.measure) for one in found] == [
        ("single", "accuracy"),
        ("multi", "mean_average_precision"),
        ("number", "mean_absolute_error"),
    ]
    labelled = np.arange(N) % 5 != 0
    for one in found:
        sides = [
            measures_of(
                side.tasks[one.task], side.logits[one.task][labelled], side.targets[one.task][labelled]
            )
            for side in (a, b)
        ]
        assert one.n == labelled.sum()
        assert one.difference == paired_bootstrap(*(side[one.measure] for side in sides), one.n)
    right = [side.logits["single"].argmax(1) == side.targets["single"] for side in (a, b)]
    only_a = int((right[0] & ~right[1])[labelled].sum())
    only_b = int((right[1] & ~right[0])[labelled].sum())
    assert found[0].mcnemar == pytest.approx(binomtest(only_a, only_a + only_b).pvalue) == found[0].p
    assert found[1].mcnemar is None and found[1].p == found[1].difference.p


def test_samples_are_matched_by_key_whatever_their_order() -> None:
    a, b = saved(1), saved(2)
    order = np.random.default_rng(0).permutation(N)
    assert compare_predictions([(a, part(b, order))]) == compare_predictions([(a, b)])
    some = compare_predictions([(part(a, np.arange(0, 60)), part(b, np.arange(30, 90)))])
    expected = compare_predictions([(part(a, np.arange(30, 60)), part(b, np.arange(30, 60)))])
    assert some == expected and some[0].n == 24


def test_models_of_other_classes_meet_on_the_samples_both_know() -> None:
    a, b = saved(1, ("single-label",)), saved(2, ("single-label",))
    fewer = Task("single", "single-label", Vocabulary(("class 1", "class 2"), (1, 1), (0,)))
    b = replace(b, tasks=TaskSet([fewer]), logits={"single": b.logits["single"][:, 1:3]})
    (found,) = compare_predictions([(a, b)])
    both = [place for place in range(N) if a.catalogued["single"][place] in (("class 1",), ("class 2",))]
    assert found.n == len(both)
    hits = [a.logits["single"][place].argmax() == a.targets["single"][place] for place in both]
    assert found.difference.first == pytest.approx(np.mean(hits))
    a, b = saved(1, ("multi-label",)), saved(2, ("multi-label",))
    other = Task("multi", "multi-label", Vocabulary(("class 1", "class 2"), (1, 1), (0,)))
    b = replace(b, tasks=TaskSet([other]), logits={"multi": b.logits["multi"][:, 1:3]})
    with pytest.raises(ArttlError, match=r"other classes of the multi-label task 'multi' \(4 and 2\)"):
        compare_predictions([(a, b)])


def test_groups_take_mcnemars_place() -> None:
    a, b = saved(1), saved(2)
    alone, grouped = compare_predictions([(a, b)]), compare_predictions([(a, b)], group_by="object_number")
    assert grouped[0].mcnemar is None and grouped[0].p == grouped[0].difference.p
    assert grouped[0].difference.value == alone[0].difference.value
    assert grouped[0].difference != alone[0].difference
    assert compare_predictions([(a, b)], group_by="single")[2].difference != grouped[2].difference


def test_several_pairs_are_compared_by_their_means() -> None:
    a, b = saved(1), saved(2)
    halves = np.arange(0, 60), np.arange(30, 90)
    pairs = [(part(a, half), part(b, half)) for half in halves]
    for measure in (None, "balanced_accuracy"):
        alone = [compare_predictions([pair], measure=measure) for pair in pairs]
        for both, *each in zip(compare_predictions(pairs, measure=measure), *alone, strict=True):
            assert both.mcnemar is None and both.p == both.difference.p and both.n == 96
            for side in ("first", "second"):
                values = [getattr(one.difference, side) for one in each]
                assert getattr(both.difference, side) == pytest.approx(np.mean(values), rel=1e-12)


def test_a_sample_of_several_pairs_does_not_count_as_several() -> None:
    """The same test split three times says no more than once."""
    once, thrice = (compare_predictions([(saved(1), saved(2))] * times) for times in (1, 3))
    for one, three in zip(once, thrice, strict=True):
        assert three.difference.low == pytest.approx(one.difference.low, rel=1e-12)
        assert three.difference.high == pytest.approx(one.difference.high, rel=1e-12)
        assert three.n == 3 * one.n


def test_one_model_for_all_tasks_is_compared_with_one_for_each() -> None:
    """A task's lines are those of the pairs that predict it."""
    kinds = get_args(TaskKind)
    pairs = [(saved(seed, (kind,)), saved(seed + 9)) for seed in (1, 2) for kind in kinds]
    found = compare_predictions(pairs[:-1])
    assert [one.task for one in found] == [pair[0].tasks.names[0] for pair in pairs[:3]]
    for place, one in enumerate(found):
        assert one.pairs == (1 if place == 2 else 2)
        (alone,) = compare_predictions(pairs[place:-1:3])
        assert one == alone
    with pytest.raises(
        ArttlError, match="a pair has no task in common: one predicts single, the other number"
    ):
        compare_predictions([*pairs, (saved(1, ("single-label",)), saved(2, ("number",)))])
    other = replace(
        saved(1), tasks=TaskSet([Task("single", "number", saved(1).tasks["number"].training)]), logits={}
    )
    with pytest.raises(
        ArttlError, match="'single' is single-label for some of the pairs and number for others"
    ):
        compare_predictions([*pairs, (other, other)])


def two_tasks(seed: int, labelled: np.ndarray) -> Predictions:
    """Two single-label tasks of the same samples, the second with labels of some."""
    first, second = saved(seed, ("single-label",)), saved(seed + 50, ("single-label",))
    tasks = TaskSet([first.tasks["single"], replace(first.tasks["single"], name="other")])
    labels = [("class 1",) if place in labelled else None for place in range(N)]
    return replace(
        first,
        tasks=tasks,
        catalogued={"single": [("class 0",)] * N, "other": labels},
        logits={"single": first.logits["single"], "other": second.logits["single"]},
    )


def test_the_mean_of_tasks_draws_a_sample_with_all_its_tasks() -> None:
    """By the definition: both accuracies of a resampling of the pictures, averaged."""
    some = np.arange(0, N, 3)
    sides = two_tasks(1, some), two_tasks(2, some)
    (found,) = compare_means([sides])
    assert found.measure == "accuracy" and found.tasks == ("single", "other")
    assert compare_means([(saved(1), saved(2))]) == []  # three measures, no two alike

    def mean_accuracy(side):
        right = [
            side.logits[name].argmax(1) == side.tasks[name].vocabulary.classes.index(name_of)
            for name, name_of in (("single", "class 0"), ("other", "class 1"))
        ]
        return lambda weights: (
            (
                weights @ right[0] / weights.sum(1)
                + weights[:, some] @ right[1][some] / weights[:, some].sum(1)
            )
            / 2
        )

    expected = paired_bootstrap(*map(mean_accuracy, sides), N)
    for name in ("first", "second", "low", "high", "p"):
        assert getattr(found.difference, name) == pytest.approx(getattr(expected, name), abs=1e-12)
    grouped = compare_means([sides], group_by="object_number")[0].difference
    assert grouped.value == found.difference.value and grouped != found.difference


def test_the_mean_of_tasks_over_splits() -> None:
    """The mean over tasks of the means over pairs; the same split twice says no more than once."""
    some = np.arange(0, N, 3)
    pairs = [(two_tasks(1, some), two_tasks(2, some)), (two_tasks(3, some), two_tasks(4, some))]
    (found,) = compare_means(pairs, measure="balanced_accuracy")
    tasks = compare_predictions(pairs, measure="balanced_accuracy")
    assert found.difference.value == pytest.approx(
        np.mean([one.difference.value for one in tasks]), abs=1e-12
    )
    once, twice = compare_means(pairs[:1])[0], compare_means(pairs[:1] * 2)[0]
    assert twice.difference.low == pytest.approx(once.difference.low, abs=1e-12)
    assert twice.difference.high == pytest.approx(once.difference.high, abs=1e-12)


def test_another_measure_leaves_out_tasks_without_it() -> None:
    found = compare_predictions([(saved(1), saved(2))], measure="macro_f1")
    assert [one.task for one in found] == ["single", "multi"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"measure": "acuracy"},
            r"'acuracy' is of none of the tasks .* \(did you mean 'accuracy'\?\); they have",
        ),
        (
            {"group_by": "singel"},
            r"'singel' is no column of the predictions \(did you mean 'single'\?\); give one of object_number",
        ),
    ],
)
def test_options_that_are_none(options, reason: str) -> None:
    with pytest.raises(ArttlError, match=reason):
        compare_predictions([(saved(1), saved(2))], **options)


def test_runs_that_cannot_be_compared() -> None:
    a, b = saved(1), saved(2)
    with pytest.raises(ArttlError, match="no task in common: one predicts single, the other number"):
        compare_predictions([(saved(1, ("single-label",)), saved(1, ("number",)))])
    with pytest.raises(ArttlError, match=r"no sample in common \(45 and 45, matched by key\)"):
        compare_predictions([(part(a, np.arange(45)), part(b, np.arange(45, 90)))])
    with pytest.raises(ArttlError, match="no sample that both predicted has a label of single or multi"):
        compare_predictions([(part(a, np.arange(0, 90, 5)), b)])
    b.catalogued["single"][7] = ("other",)
    with pytest.raises(
        ArttlError, match=r"the two disagree on what the catalogue says of 'single' of k7 \(class"
    ):
        compare_predictions([(a, b)])


@pytest.fixture
def two_runs(tmp_path):
    for name, found in (("a", saved(1)), ("b", saved(2))):
        (tmp_path / name).mkdir()
        found.write(tmp_path / name / "predictions.parquet")
    return tmp_path


def test_the_command_prints_a_line_a_task(two_runs, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    argv = [
        str(two_runs / "a"),
        str(two_runs / "b" / "predictions.parquet"),
        "--json",
        str(two_runs / "c.json"),
    ]
    assert run_command("compare", argv) == 0
    shown = capsys.readouterr().out
    found = json.loads((two_runs / "c.json").read_text())
    assert set(found["tasks"]) == {"single", "multi", "number"} and found["a"] == str(two_runs / "a")
    for one in compare_predictions([(saved(1), saved(2))]):
        line = next(line for line in shown.splitlines() if line.strip().startswith(one.task))
        factor = 1 if one.task == "number" else 100
        for value in (one.difference.first, one.difference.second):
            assert f" {factor * value:.1f} " in line
        assert f" {factor * one.difference.value:+.1f} " in line and line.rstrip().endswith(" 72")
        assert found["tasks"][one.task]["p"] == one.p
    table = [line for line in shown.splitlines() if not line.startswith(("A ", "B "))]
    assert all(len(line) <= 80 for line in table) and "72" in shown


def test_one_pair_per_task_is_counted_in_the_singular(tmp_path, capsys) -> None:
    """As a joint network is compared with one network per task."""
    for name, seed, kind in (("a", 1, "single-label"), ("b", 1, "multi-label")):
        saved(seed, (kind,)).write(tmp_path / f"{name}.parquet")
    saved(2, ("single-label", "multi-label")).write(tmp_path / "joint.parquet")
    a, b, joint = (str(tmp_path / f"{name}.parquet") for name in ("a", "b", "joint"))
    assert run_command("compare", [a, joint, "--also", b, joint]) == 0
    assert "Means over 1 pair. " in " ".join(capsys.readouterr().out.split())


def test_the_command_compares_further_pairs(two_runs, capsys) -> None:
    a, b = str(two_runs / "a"), str(two_runs / "b")
    json_file = two_runs / "c.json"
    assert run_command("compare", [a, b, "--also", b, a, a, b, "--json", str(json_file)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        f"A {a}, {b}, {a} B {b}, {a}, {b}" in shown
        and "Means over 3 pairs." in shown
        and "McNemar" not in shown
    )
    found = json.loads(json_file.read_text())
    assert found["also"] == [[b, a], [a, b]]
    alone = compare_predictions([(saved(1), saved(2))])[0].difference
    assert found["tasks"]["single"]["difference"]["value"] == pytest.approx(alone.value / 3)


def test_the_command_prints_the_mean_of_tasks(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    some = np.arange(0, N, 3)
    pairs = [(two_tasks(1, some), two_tasks(2, some)), (two_tasks(3, some), two_tasks(4, some))]
    paths = [str(tmp_path / name) for name in ("a", "b", "c", "d")]
    for path, one in zip(paths, (one for pair in pairs for one in pair), strict=True):
        (tmp_path / path).mkdir()
        one.write(tmp_path / path / "predictions.parquet")
    argv = [*paths[:2], "--also", *paths[2:], "--json", str(tmp_path / "c.json")]
    assert run_command("compare", argv) == 0
    shown = capsys.readouterr().out
    (expected,) = compare_means(pairs)
    line = next(line for line in shown.splitlines() if line.strip().startswith("mean of 2"))
    assert f"{100 * expected.difference.value:+.1f}" in line and len(line) <= 80
    assert "all the splits that test it and for the mean all its tasks" in " ".join(shown.split())
    assert json.loads((tmp_path / "c.json").read_text())["means"] == [
        json.loads(json.dumps(expected.to_dict()))
    ]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nowhere", "nowhere"], "nowhere holds no predictions.parquet"),
        (["A", "B", "--replicates", "0"], "--replicates must be at least 1"),
        (["A", "B", "--seed", "-1"], "--seed must be at least 0"),
        (["A", "B", "--json", "/nowhere/c.json"], "--json /nowhere/c.json: there is no folder /nowhere"),
    ],
)
def test_what_the_command_refuses(two_runs, capsys, argv, words) -> None:
    argv = [str(two_runs / word.lower()) if word in ("A", "B") else word for word in argv]
    assert run_command("compare", argv) == 2
    shown = capsys.readouterr().err
    assert words in shown and shown.count("\n") == 1
