"""The measures of faithfulness on cases whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from arttl.explain import faithfulness


def test_deletion_and_insertion_of_a_score_that_is_one_quarter_of_the_picture():
    """The score is the share of the top left quarter that is there: known areas for the best and the worst map."""
    image, filler = torch.ones(3, 8, 8), torch.zeros(3, 8, 8)

    def scores(images: torch.Tensor) -> torch.Tensor:
        return images[:, 0, :4, :4].mean((1, 2))

    best = torch.zeros(8, 8)
    best[:4, :4] = 1
    areas = {
        (name, insert): faithfulness.area_under_curve(scores, image, filler, heat, insert=insert, steps=64)
        for name, heat in (("best", best), ("worst", -best))
        for insert in (False, True)
    }
    # The score falls from 1 to 0 over the first quarter of the pixels (best) or over the last (worst).
    assert areas["best", False] == pytest.approx(1 / 8)
    assert areas["worst", False] == pytest.approx(7 / 8)
    assert areas["best", True] == pytest.approx(7 / 8)
    assert areas["worst", True] == pytest.approx(1 / 8)


@given(seed=st.integers(0, 2**16), share=st.floats(0, 1), insert=st.booleans())
@settings(max_examples=40, deadline=None)
def test_perturbed_takes_the_highest_pixels(seed, share, insert):
    generator = torch.Generator().manual_seed(seed)
    heat = torch.randint(0, 4, (5, 7), generator=generator).float()  # with ties
    image, filler = torch.ones(3, 5, 7), torch.zeros(3, 5, 7)
    (found,) = faithfulness.perturbed(image, filler, heat, torch.tensor([share]), insert=insert)
    taken = found[0] == (1 if insert else 0)
    assert int(taken.sum()) == pytest.approx(35 * share, abs=0.5001)
    if taken.any() and not taken.all():
        assert heat[taken].min() >= heat[~taken].max()
    assert (found == found[0]).all()


@given(seed=st.integers(0, 2**16), values=st.integers(2, 200))
@settings(max_examples=40, deadline=None)
def test_rank_correlation_is_spearmans(seed, values):
    random = np.random.default_rng(seed)
    first, second = random.integers(0, values, (2, 6, 9)).astype(np.float32)
    expected = scipy.stats.spearmanr(first.ravel(), second.ravel()).statistic
    found = faithfulness.rank_correlation(torch.tensor(first), torch.tensor(second))
    assert math.isnan(expected) == math.isnan(found)
    if not math.isnan(found):
        assert found == pytest.approx(expected, abs=1e-9)


def test_mass_inside():
    heat, inside = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    heat[0, 0], heat[3, 3], inside[3] = 1, 3, True
    assert faithfulness.mass_inside(heat, inside) == 0.75
    assert math.isnan(faithfulness.mass_inside(torch.zeros(4, 4), inside))


def test_layers_are_randomised_from_the_head_down():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for share, changed in ((0.0, ""), (0.25, "4"), (0.5, "34"), (1.0, "0234")):
        copied = faithfulness.randomised_from_the_top(model, share, seed=1)
        for name, value in copied.state_dict().items():
            assert torch.equal(value, state[name]) == (name[0] not in changed), (share, name)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_centre_prior_is_highest_in_the_middle_and_symmetric():
    heat = faithfulness.centre_prior(9, 15)
    assert heat.argmax() == 4 * 15 + 7
    torch.testing.assert_close(heat, heat.flip(0, 1))
    assert heat[4, 0] == pytest.approx(math.exp(-((7 / 15) ** 2) / 0.125), rel=1e-5)
