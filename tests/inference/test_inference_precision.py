"""`--mixed-precision auto`: the faster of float32 and bfloat16 on this machine, with speeds that the tests put in."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch

from arttl.inference import precision
from arttl.inference.precision import FILE, faster_precision, open_faster
from arttl.models import Backbone
from arttl.runs import open_accelerator

CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(("half", "chosen"), [(22.0, "bf16"), (10.9, "no"), (11.0, "bf16"), (5.0, "no")])
def test_a_tenth_faster_is_enough(
    cache: Path, monkeypatch: pytest.MonkeyPatch, half: float, chosen: str
) -> None:
    monkeypatch.setattr(precision, "_measured", lambda *_: {"no": 10.0, "bf16": half})
    network = Backbone("test_resnet")
    found, reason = faster_precision([network], [32], CPU, learns=False)
    assert found == chosen
    assert reason.startswith(f"{chosen}: inference in bf16 is {half / 10:.2f} times as fast as in float32")
    accelerator, same = open_faster([network], [32], 1, learns=False)
    assert (accelerator.mixed_precision, same) == (chosen, reason)
    assert open_accelerator("auto", 1).mixed_precision == "no"


def test_each_kind_of_work_is_measured_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def measure(networks, sizes, device, learns):
        measured.append((networks[0].name, *sizes, learns))
        return {"no": 1.0, "bf16": 2.0}

    monkeypatch.setattr(precision, "_measured", measure)
    resnet, vit = Backbone("test_resnet"), Backbone("test_vit")
    for _ in range(2):
        faster_precision([resnet], [32], CPU, learns=False)
        faster_precision([resnet], [32], CPU, learns=True)
        faster_precision([resnet], [64], CPU, learns=True)
        faster_precision([vit], [64], CPU, learns=True)
    assert measured == [
        ("test_resnet", 32, False),
        ("test_resnet", 32, True),
        ("test_resnet", 64, True),
        ("test_vit", 64, True),
    ]
    assert len(json.loads((cache / FILE).read_text())) == 4


@pytest.mark.parametrize("learns", [True, False])
def test_measuring_leaves_networks_and_random_numbers_as_they_are(cache: Path, learns: bool) -> None:
    networks = [Backbone("test_resnet"), Backbone("test_vit")]
    for parameter in networks[1].parameters():
        parameter.requires_grad_(False)
    before = copy.deepcopy([network.state_dict() for network in networks])
    numbers = torch.get_rng_state()
    faster_precision(networks, [32, 64], CPU, learns=learns)
    assert torch.equal(torch.get_rng_state(), numbers)
    for network, state in zip(networks, before, strict=True):
        assert network.training and all(parameter.grad is None for parameter in network.parameters())
        assert all(torch.equal(of, state[name]) for name, of in network.state_dict().items())
    (rates,) = json.loads((cache / FILE).read_text()).values()
    assert rates.keys() == {"no", "bf16"} and min(rates.values()) > 0
