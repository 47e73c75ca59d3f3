"""What class maps promise, on a small network that was trained: two objects side by side, and random weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from arttl.explain.score_classes import other_class, side_by_side
from arttl.explain.score_maps import all_maps, randomised
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary

SIDE, PATCH = 128, 64
METHODS = ("class-map", "visual-backprop")

pytestmark = pytest.mark.slow


def pictures(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Patches of one of three textures, anywhere on noise: [N, 3, H, W], and which texture, [N]."""
    textures = torch.randint(3, (count,), generator=generator)
    images = 0.2 * torch.randn(count, 3, SIDE, SIDE, generator=generator)
    waves = torch.arange(PATCH).div(4, rounding_mode="floor") % 2 * 2.0 - 1
    columns, rows = waves.expand(PATCH, PATCH), waves[:, None].expand(PATCH, PATCH)
    for image, texture in zip(images, textures.tolist(), strict=True):
        top, left = torch.randint(SIDE - PATCH + 1, (2,), generator=generator).tolist()
        image[:, top : top + PATCH, left : left + PATCH] = (columns, rows, columns * rows)[texture]
    return images, textures


@pytest.fixture(scope="module")
def trained() -> tuple[MultiTaskModel, Tensor]:
    """A network that knows the three textures, and pictures of them."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    vocabulary = Vocabulary(("columns", "rows", "board"), (1, 1, 1), (0,))
    tasks = TaskSet([Task("texture", "single-label", vocabulary)])
    model = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=SIDE))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    model.train()
    for _ in range(60):
        images, textures = pictures(16, generator)
        loss = torch.nn.functional.cross_entropy(model(images)["texture"], textures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    images, textures = pictures(24, generator)
    with torch.no_grad():
        assert (model(images)["texture"].argmax(1) == textures).float().mean() > 0.9
    return model, images


def test_each_map_is_on_its_own_of_two_objects(trained):
    model, images = trained
    maps = all_maps(model, images, 0, METHODS)
    halves = side_by_side(model, images, maps)
    assert halves["pairs"] >= 8 and set(halves) == {"pairs", "class-map"}
    # A map that does not know the classes has half of itself on either side.
    assert halves["class-map"]["own_half"] >= 0.65
    assert halves["class-map"]["empty"] <= 0.5
    assert other_class(model, images, maps)["class-map"]["correlation"] <= 0.1


def test_maps_change_with_the_weights(trained):
    model, images = trained
    maps = all_maps(model, images, 0, METHODS)
    correlations = randomised(model, images[:4], maps, [0])
    heads, *_, most, _ = (of_share[0] for of_share in correlations["class-map"])
    assert abs(heads) <= 0.4 and abs(most) <= 0.2
    assert correlations["visual-backprop"][0][0] == pytest.approx(1)  # which never sees the head
