from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.rebalance import RebalanceSettings, compare_methods, gains
from arttl.frozen.rebalance_methods import (
    AFTERWARDS,
    BALANCED,
    CLASS_MEANS,
    IN_TRAINING,
    METHODS,
    PLAIN,
    fit_methods,
)
from arttl.frozen.tokens import Samples
from arttl.tasks import Task, Vocabulary

COUNTS = (400, 60, 20)
TASK = Task("artist", "single-label", Vocabulary(("a", "b", "c"), COUNTS, (0,)))


def drawn(counts: tuple[int, ...], seed: int) -> Samples:
    """Overlapping normal clouds, [N, 6]."""
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(3), counts)
    centres = np.random.default_rng(99).normal(size=(3, 6))
    values = centres[targets] + random.normal(size=(len(targets), 6)) * 1.3
    return Samples(torch.arange(len(targets)), (torch.from_numpy(values).float(),), torch.from_numpy(targets))


@pytest.fixture(scope="module")
def outcomes():
    samples = {"train": drawn(COUNTS, 0), "val": drawn((200, 30, 10), 1), "test": drawn((400, 60, 20), 2)}
    return {found.method: found for found in fit_methods(TASK, samples)}, samples


def test_every_method_helps_the_balanced_accuracy_and_costs_accuracy(outcomes) -> None:
    found, _ = outcomes
    assert tuple(found) == METHODS
    plain = found[PLAIN].metrics
    for method in METHODS[1:]:
        assert found[method].metrics.balanced_accuracy > plain.balanced_accuracy + 0.05, method
        assert found[method].metrics.accuracy < plain.accuracy, method
    for one in found.values():
        expected = balanced_accuracy_score(one.targets, one.logits.argmax(1))
        assert one.metrics.balanced_accuracy == pytest.approx(expected)
        assert {band.name for band in one.metrics.bands} == {"many", "medium"}  # 400; 60 and 20


def test_class_balanced_weights_are_scikit_learns_balanced_weights(outcomes) -> None:
    found, samples = outcomes
    (train,), (test,) = samples["train"].tokens, samples["test"].tokens
    mean, std = train.mean(0), train.std(0)
    strength = float(found[BALANCED].detail.removeprefix("C = "))
    model = LogisticRegression(C=strength, class_weight="balanced", tol=1e-8, max_iter=2000)
    model.fit(((train - mean) / std).numpy(), samples["train"].targets.numpy())
    expected = model.predict_log_proba(((test - mean) / std).numpy())
    logits = torch.from_numpy(found[BALANCED].logits).log_softmax(1).numpy()
    assert np.abs(logits - expected).max() < 0.02


def test_the_prior_in_training_is_what_the_plain_head_has_in_its_bias(outcomes) -> None:
    """With no penalty on the bias the two fits differ by the log-prior alone, for the same strength."""
    found, samples = outcomes
    (train,) = samples["train"].tokens
    values = (train - train.mean(0)) / train.std(0)
    features = Samples(samples["train"].rows, (values,), samples["train"].targets)
    strength = float(found[IN_TRAINING].detail.removeprefix("C = "))
    plain = fit_probe(TASK, features, features, strength)
    test = (samples["test"].tokens[0] - train.mean(0)) / train.std(0)
    prior = np.log(np.array(COUNTS) / sum(COUNTS))
    expected = (test @ plain.weight.T + plain.bias).numpy() - prior
    logits = found[IN_TRAINING].logits
    assert np.abs((logits - expected) - (logits - expected).mean(1, keepdims=True)).max() < 0.02


def test_logits_are_calibrated_anew_for_each_method(outcomes) -> None:
    found, _ = outcomes
    temperatures = {method: one.metrics.temperature for method, one in found.items()}
    assert len(set(temperatures.values())) == len(METHODS)
    for method in (AFTERWARDS, IN_TRAINING, BALANCED):
        values = found[method].metrics.values
        assert values["calibrated_ece"] <= values["ece"] + 0.02, method


def test_the_command_compares_on_every_split(two_stores, tmp_path, capsys) -> None:
    store = two_stores[0]
    argv = [str(store.directory), "--tasks", "type", "artist", "--seeds", "2", "--out", str(tmp_path / "t")]
    assert run_command("rebalance", argv) == 0
    shown = capsys.readouterr().out
    assert all(method in shown for method in METHODS) and "type: test split" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 80  # the last names a file
    told = json.loads((tmp_path / "t" / "rebalance.json").read_text())
    assert len(told["heads"]) == 2 * 2 * len(METHODS) and len(told["gains"]) == 2 * (len(METHODS) - 1)


def test_a_gain_is_the_difference_of_the_means_over_splits(two_stores) -> None:
    settings = RebalanceSettings(features=(two_stores[0].directory,), tasks=("type",), seeds=3)
    outcomes, tasks = compare_methods(settings)
    for found in gains(outcomes, tasks):
        means = [
            np.mean([one.metrics.balanced_accuracy for one in outcomes["type"][name]])
            for name in (PLAIN, found.head)
        ]
        assert found.difference.value == pytest.approx(means[1] - means[0])
        assert found.difference.low <= found.difference.value <= found.difference.high
    assert not math.isnan(gains(outcomes, tasks)[0].difference.p)
    assert outcomes["type"][CLASS_MEANS][0].rows.tolist() == outcomes["type"][PLAIN][0].rows.tolist()


def test_what_cannot_be_is_said(two_stores) -> None:
    with pytest.raises(ArttlError, match="--seeds must be at least 1"):
        RebalanceSettings(features=(two_stores[0].directory,), seeds=0)
    with pytest.raises(ArttlError, match="on one folder of features, and 2 are given"):
        RebalanceSettings(features=tuple(store.directory for store in two_stores))
    with pytest.raises(ArttlError, match="have no task 'typ'"):
        compare_methods(RebalanceSettings(features=(two_stores[0].directory,), tasks=("typ",)))
