"""What is kept of a network from call to call, and when it is not."""

from __future__ import annotations

import gc
import weakref

import pytest
import timm
import torch
from torch import nn

from arttl.saliency import plan as plans
from arttl.saliency import visual_backprop
from arttl.saliency.plan import Plan, modules_of, plan_of
from arttl.saliency.taps import TAPS, Tap, taps_of


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setitem(TAPS, "Two", lambda net: [Tap("first", ("first",)), Tap("second", ("second",))])
    return Two()


def test_a_plan_is_kept_while_the_network_is_the_same(two):
    plan = plan_of(two)[2]
    assert plan_of(two)[2] is plan
    two.second = nn.Conv2d(4, 4, 3)
    renewed = plan_of(two)[2]
    assert renewed is not plan and plan_of(two)[2] is renewed
    assert plan_of(two, ["first"])[2].taps == (Tap("first", ("first",)),)
    assert plan_of(two)[2] is renewed  # taps of one's own are for one call


def test_a_changed_table_makes_a_new_plan(two, monkeypatch):
    assert len(plan_of(two)[2].taps) == 2
    monkeypatch.setitem(TAPS, "Two", lambda net: [Tap("second", ("first", "second"))])
    assert plan_of(two)[2].taps == (Tap("second", ("first", "second")),)


def test_maps_of_a_network_whose_layer_was_replaced(two):
    images = torch.randn(1, 3, 16, 16)
    visual_backprop(two, images)
    two.second = nn.Conv2d(4, 4, 5, stride=2)
    expected = visual_backprop(two, images, taps=[Tap("first", ("first",)), Tap("second", ("second",))])
    assert torch.equal(visual_backprop(two, images), expected)


def test_a_plan_does_not_keep_its_network(monkeypatch):
    monkeypatch.setitem(TAPS, "Two", lambda net: [Tap("second", ("first", "second"))])
    network = Two()
    visual_backprop(network, torch.randn(1, 3, 16, 16))
    assert network in plans._plans
    reference = weakref.ref(network)
    del network
    gc.collect()
    assert reference() is None


def test_modules_of_are_the_networks_modules():
    network = timm.create_model("resnet18", pretrained=False)
    assert set(modules_of(network)) == set(network.modules())


def test_the_backprojection_is_the_steps_in_reverse():
    network, taps = taps_of(
        nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1)), ["0", "2"]
    )
    plan = Plan(network, taps)
    assert plan.backprojection(network, "bojarski", (17, 15), [(8, 7), (4, 3)]) == [
        *(1, 8, 7, 2, 2, 2, 2, 0, 0),  # the pool, times the map of "0"
        *(0, 17, 15, 3, 3, 2, 2, 0, 0),
    ]


def test_backprojections_of_ever_new_sizes_do_not_pile_up(two):
    network, _, plan = plan_of(two)
    for size in range(8, 8 + 3 * plans._MOST_KEPT):
        plan.backprojection(network, "bojarski", (size, size), [(size - 2, size - 2), (size - 4, size - 4)])
        assert 1 <= len(plan._backprojections) <= plans._MOST_KEPT
