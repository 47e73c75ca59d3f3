"""What class maps promise, on a small network that was trained: two objects side by side, and random weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from arttl.explain.faithfulness import mass_inside
from arttl.explain.regions import strongest_box
from arttl.explain.score_classes import other_class, side_by_side
from arttl.explain.score_maps import all_maps, randomised
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary

SIDE, PATCH = 128, 64
METHODS = ("class-map", "visual-backprop")

pytestmark = pytest.mark.slow


def pictures(
    count: int, generator: torch.Generator, patch: int = PATCH, wave: int = 4
) -> tuple[Tensor, Tensor, Tensor]:
    """Patches of one of three textures, anywhere on noise: [N, 3, H, W], which texture, [N], and where, [N, H, W]."""
    textures = torch.randint(3, (count,), generator=generator)
    images = 0.2 * torch.randn(count, 3, SIDE, SIDE, generator=generator)
    inside = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    waves = torch.arange(patch).div(wave, rounding_mode="floor") % 2 * 2.0 - 1
    columns, rows = waves.expand(patch, patch), waves[:, None].expand(patch, patch)
    for image, box, texture in zip(images, inside, textures.tolist(), strict=True):
        top, left = torch.randint(SIDE - patch + 1, (2,), generator=generator).tolist()
        image[:, top : top + patch, left : left + patch] = (columns, rows, columns * rows)[texture]
        box[top : top + patch, left : left + patch] = True
    return images, textures, inside


def model_of(backbone: Backbone) -> MultiTaskModel:
    vocabulary = Vocabulary(("columns", "rows", "board"), (1, 1, 1), (0,))
    tasks = TaskSet([Task("texture", "single-label", vocabulary)])
    return MultiTaskModel(backbone, tasks, Preprocess(size=SIDE))


@pytest.fixture(scope="module")
def trained() -> tuple[MultiTaskModel, Tensor]:
    """A network that knows the three textures, and pictures of them."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = model_of(Backbone("test_resnet"))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    model.train()
    for _ in range(60):
        images, textures, _ = pictures(16, generator)
        loss = torch.nn.functional.cross_entropy(model(images)["texture"], textures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    images, textures, _ = pictures(24, generator)
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


@register_model
def patchwise_vit(pretrained: bool = False, **settings: Any) -> Any:
    """A transformer whose blocks do not attend, so that what a patch of it says is what is seen there."""
    network = VisionTransformer(
        img_size=SIDE, patch_size=8, embed_dim=128, depth=2, num_heads=2, num_classes=0
    )
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=2 / parameter.shape[1] ** 0.5)
    for block in network.blocks:
        torch.nn.init.zeros_(block.attn.proj.weight)
    torch.nn.init.zeros_(network.pos_embed)
    return network


@pytest.fixture(scope="module")
def patchwise() -> MultiTaskModel:
    """Such a network with random features, and a head fitted to textures of two sizes: side by side they are halved."""
    torch.manual_seed(0)
    model = model_of(Backbone("patchwise_vit", "patch-mean")).eval()
    generator = torch.Generator().manual_seed(0)
    parts = [pictures(60, generator, *sizes) for sizes in ((PATCH, 4), (PATCH // 2, 2))]
    textures = torch.cat([part[1] for part in parts])
    with torch.no_grad():
        features = torch.cat([model.features(batch)[0] for part in parts for batch in part[0].split(20)])
    mean, std = features.mean(0), features.std(0).clamp_min(1e-3)
    head = model.heads.layers[0]
    torch.nn.init.zeros_(head.weight)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(head((features - mean) / std), textures)
        value = value + 1e-2 * head.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    model.heads.absorb_standardisation(mean, std)
    return model


def test_a_transformers_map_of_patches_is_on_its_own_of_two_objects(patchwise):
    images, textures, inside = pictures(24, torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert (patchwise(images)["texture"].argmax(1) == textures).float().mean() > 0.7
    maps = all_maps(patchwise, images, 0, ("class-map",))
    halves = side_by_side(patchwise, images, maps)
    low, high = halves["class-map"]["own_half_interval"]
    assert halves["pairs"] >= 8 and 0.5 < low < halves["class-map"]["own_half"] < high
    heats = maps["class-map"][0]
    shares = [mass_inside(heat, box) for heat, box in zip(heats, inside, strict=True)]
    assert sum(shares) / len(shares) > 0.45  # of a quarter of the picture
    on_object = []
    for heat, box in zip(heats, inside, strict=True):
        left, top, right, bottom = strongest_box(heat.numpy(), 0.5)
        on_object.append(float(box[top:bottom, left:right].float().mean()))
    assert sorted(on_object)[len(on_object) // 2] > 0.8


def test_maps_change_with_the_weights(trained):
    model, images = trained
    maps = all_maps(model, images, 0, METHODS)
    correlations = randomised(model, images[:4], maps, [0])
    heads, *_, most, _ = (of_share[0] for of_share in correlations["class-map"])
    assert abs(heads) <= 0.4 and abs(most) <= 0.2
    assert correlations["visual-backprop"][0][0] == pytest.approx(1)  # which never sees the head
