"""Heads over tokens against scikit-learn and against what the formulas promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_problems import problem
from sklearn.linear_model import LogisticRegression

from arttl.frozen import mixing
from arttl.frozen.mixing import (
    HiddenHead,
    fit_hidden,
    fit_mixing,
    hidden_width,
    late_fusion,
    mean_loss,
)
from arttl.inference.calibration import fit_temperature
from arttl.models.fusion import TokenHead

WIDTHS = (6, 4, 9)


@pytest.fixture
def at_one_strength(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(mixing, "TOKEN_GRID", (3.0,))
    return 3.0


def splits(kind: str = "single-label", useful: tuple[int, ...] = (0, 1)):
    task, train = problem(kind, 300, widths=WIDTHS, useful=useful)
    _, val = problem(kind, 200, seed=1, widths=WIDTHS, useful=useful)
    return task, train, val


def test_uniform_shares_are_scikit_learns_regression_on_the_concatenated_tokens(at_one_strength) -> None:
    task, train, val = splits()
    fitted = fit_mixing(task, train, val, "uniform")
    together = torch.cat(train.tokens, 1).double().numpy() / 3**0.5
    reference = LogisticRegression(C=at_one_strength, tol=1e-10, max_iter=5000)
    reference.fit(together, train.targets.numpy())
    expected = reference.predict_proba(torch.cat(val.tokens, 1).double().numpy() / 3**0.5)
    assert np.abs(fitted.logits(val.tokens).softmax(1).numpy() - expected).max() < 2e-3


def test_gates_find_the_tokens_that_say_something(at_one_strength) -> None:
    task, train, val = splits(useful=(1,))
    fitted = fit_mixing(task, train, val, "gates")
    shares = fitted.head.gates.softmax(0)
    assert shares[1] > 0.8
    assert fitted.val_loss < fit_mixing(task, train, val, "uniform").val_loss


def test_gates_reach_the_minimum_of_the_group_lasso(at_one_strength) -> None:
    """Minimised over the shares, the penalty is the squared sum of the tokens' norms (Bach et al. 2004)."""
    task, train, val = splits(useful=(0, 1))
    head = fit_mixing(task, train, val, "gates").head
    assert isinstance(head, TokenHead)
    shares = head.gates.softmax(0).detach()
    effective = [
        piece.detach() * share**0.5
        for piece, share in zip(head.weight.split(WIDTHS, dim=1), shares, strict=True)
    ]
    norms = torch.stack([piece.norm() for piece in effective])
    # At the minimum a share is the token's part of the sum of norms, and the two penalties agree.
    torch.testing.assert_close(norms / norms.sum(), shares, rtol=0.05, atol=0.02)
    assert float(norms.sum() ** 2) == pytest.approx(float(head.weight.detach().square().sum()), rel=0.02)


def test_attention_learns_what_no_fixed_shares_can() -> None:
    random = torch.Generator().manual_seed(0)

    def samples(count: int):
        task, found = problem("single-label", count, seed=count, widths=(4, 4, 2), useful=(0,))
        first, second, flag = found.tokens
        # The third token says which of the first two has the class.
        here = torch.rand(count, 1, generator=random) < 0.5
        swapped = (torch.where(here, first, second), torch.where(here, second, first))
        flagged = torch.where(here, 1.0, -1.0).expand(-1, 2).contiguous() + 0 * flag
        return task, type(found)(found.rows, (*swapped, flagged), found.targets)

    task, train = samples(600)
    _, val = samples(400)

    # The scores of attention come from each token itself; let the flag be part of the tokens it judges.
    def with_flag(found):
        tokens = [
            torch.cat([token, sign * found.tokens[2]], 1)
            for token, sign in zip(found.tokens[:2], (1, 1), strict=True)
        ]
        return type(found)(found.rows, tuple(tokens), found.targets)

    train, val = with_flag(train), with_flag(val)
    attention = fit_mixing(task, train, val, "attention")
    gates = fit_mixing(task, train, val, "gates")
    assert attention.val_loss < 0.8 * gates.val_loss


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_late_fusion_is_the_mean_of_calibrated_log_probabilities(kind: str) -> None:
    task, train, val = splits(kind)
    groups = [(0,), (1, 2)]
    parts = [
        (indices, fit_mixing(task, train.with_tokens(indices), val.with_tokens(indices), "uniform"))
        for indices in groups
    ]
    fused = late_fusion(task, val, parts, WIDTHS)
    calibrated = []
    for indices, fitted in parts:
        logits = fitted.logits(val.with_tokens(indices).tokens)
        calibrated.append(logits / fit_temperature(task, logits, val.targets))
    if kind == "single-label":
        expected = torch.stack([one.log_softmax(1) for one in calibrated]).mean(0).softmax(1)
        found = fused.logits(val.tokens).softmax(1)
    else:
        expected, found = torch.stack(calibrated).mean(0), fused.logits(val.tokens)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert fused.val_loss == pytest.approx(mean_loss(task, fused.logits(val.tokens), val.targets))


def test_late_fusion_of_numbers_is_the_mean_answer() -> None:
    task, train, val = splits("number")
    parts = [
        ((index,), fit_mixing(task, train.with_tokens([index]), val.with_tokens([index]), "uniform"))
        for index in (0, 1, 2)
    ]
    fused = late_fusion(task, val, parts, WIDTHS)
    expected = torch.stack(
        [fitted.logits(val.with_tokens(indices).tokens) for indices, fitted in parts]
    ).mean(0)
    torch.testing.assert_close(fused.logits(val.tokens), expected, rtol=1e-4, atol=1e-5)


def test_the_strength_is_the_best_on_validation_and_its_weights_are_kept() -> None:
    task, train, val = splits()
    fitted = fit_mixing(task, train, val, "uniform")
    assert fitted.inverse_l2 in mixing.TOKEN_GRID
    assert mean_loss(task, fitted.logits(val.tokens), val.targets) == pytest.approx(fitted.val_loss)


@pytest.mark.parametrize(("width", "outputs", "parameters"), [(1280, 7, 26_887), (512, 4, 9_000), (10, 3, 5)])
def test_the_control_has_about_as_many_parameters(width: int, outputs: int, parameters: int) -> None:
    head = HiddenHead(width, hidden_width(width, outputs, parameters), outputs, seed=0)
    count = sum(parameter.numel() for parameter in head.parameters())
    assert abs(count - parameters) <= (width + outputs + 1)


def test_the_control_learns_and_its_seed_decides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "TOKEN_GRID", (3.0, 30.0))
    task, train, val = splits()
    made = [HiddenHead(WIDTHS[0], 8, 3, seed) for seed in (0, 0, 1)]
    fitted = [fit_hidden(task, head, train.with_tokens([0]), val.with_tokens([0])) for head in made]
    tokens = val.with_tokens([0]).tokens
    assert torch.equal(fitted[0].logits(tokens), fitted[1].logits(tokens))
    assert not torch.equal(fitted[0].logits(tokens), fitted[2].logits(tokens))
    assert fitted[0].val_loss < 0.9 * np.log(3)
