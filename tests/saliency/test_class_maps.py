"""Class maps against their definition in double precision, on networks of one and several backbones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import arttl
from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel
from arttl.models.stages import PooledStages, stage_widths
from arttl.saliency.class_maps import Question, class_maps_of, why_no_class_maps
from arttl.saliency.plan import plan_of
from arttl.saliency.position_logits import read_fused, read_network
from arttl.tasks import NumberStatistics, Task, TaskSet, Vocabulary

SIDE = 64


def vocabulary(*names: str) -> Vocabulary:
    return Vocabulary(names, (1,) * len(names), (0,))


TASKS = TaskSet(
    [
        Task("artist", "single-label", vocabulary("Rembrandt", "Jan Lievens", "Frans Hals")),
        Task("material", "multi-label", vocabulary("oil", "panel")),
        Task("year", "number", NumberStatistics(count=9, mean=1600.0, std=50.0, median=1610.0)),
    ]
)


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=SIDE))
    for head in model.heads.layers:
        nn.init.normal_(head.weight)
        nn.init.normal_(head.bias, std=0.1)
    return model.eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, SIDE, SIDE + 32, generator=torch.Generator().manual_seed(1))


def defined(model: MultiTaskModel, images: Tensor, number: int, evidence_of) -> np.ndarray:
    """The map in double precision: the logits of each position, `evidence_of` them, and each step by its definition."""
    network = model.backbone.network.double()
    _, _, plan = plan_of(model)
    outputs = {}
    hooks = [
        network.get_submodule(tap.module).register_forward_hook(
            lambda module, inputs, output, name=tap.module: outputs.update({name: output.detach().clone()})
        )
        for tap in plan.taps
    ]
    with torch.no_grad():
        last = network.forward_features(images.double()).numpy()
    for hook in hooks:
        hook.remove()
    network.float()
    means = [outputs[tap.module].numpy().clip(0).mean(1) for tap in plan.taps]
    head = model.heads.layers[number]
    weight, bias = head.weight.detach().double().numpy(), head.bias.detach().double().numpy()
    local = np.einsum("qc,bchw->bqhw", weight, last) + bias[:, None, None]
    running = evidence_of(local)
    sizes = [mean.shape[1:] for mean in means]
    steps = plan.steps(network, "overlap-normalised", tuple(images.shape[2:]), sizes)
    for shallower, between in zip([*means[:-1][::-1], None], steps[::-1], strict=True):
        for step in between[::-1]:
            total, count = np.zeros((len(running), *step.size)), np.zeros(step.size)
            for i in range(running.shape[1]):
                for j in range(running.shape[2]):
                    top, left = i * step.stride[0] - step.padding[0], j * step.stride[1] - step.padding[1]
                    rows = slice(max(top, 0), max(top + step.kernel[0], 0))
                    columns = slice(max(left, 0), max(left + step.kernel[1], 0))
                    total[:, rows, columns] += running[:, i, j, None, None]
                    count[rows, columns] += 1
            running = total / np.maximum(count, 1)
        if shallower is not None:
            running = running * shallower
    low, high = running.min((1, 2), keepdims=True), running.max((1, 2), keepdims=True)
    return np.where(high > low, (running - low) / np.where(high > low, high - low, 1), 0)


def log_odds(local: np.ndarray, classes: list[int]) -> np.ndarray:
    """From the softmax at each position."""
    share = np.exp(local - local.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    own = share[range(len(classes)), classes]
    return np.log(own / (1 - own)).clip(0)


def test_the_map_of_the_predicted_class_equals_its_definition(model, images):
    with torch.no_grad():
        predicted = model(images)["artist"].argmax(1).tolist()
    expected = defined(model, images, 0, lambda local: log_odds(local, predicted))
    assert expected.max() == 1
    np.testing.assert_allclose(arttl.class_maps(model, images, "artist").numpy(), expected, atol=1e-4)


def test_a_label_by_name_or_index_one_for_all_or_one_for_each(model, images):
    expected = defined(model, images, 0, lambda local: log_odds(local, [2, 2, 2]))
    numbers = (2, np.int64(2), [np.int64(2)] * 3, np.array([2, 2, 2]), torch.tensor([2, 2, 2]))
    for label in ("Frans Hals", ["Frans Hals"] * 3, *numbers):
        found = arttl.class_maps(model, images, "artist", label)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    mixed = arttl.class_maps(model, images, "artist", ["Rembrandt", "Jan Lievens", "Frans Hals"])
    assert torch.equal(mixed[2], found[2])


def test_one_class_rather_than_another_equals_its_definition(model, images):
    expected = defined(model, images, 0, lambda local: (local[:, 0] - local[:, 1]).clip(0))
    found = arttl.class_maps(model, images, "artist", "Rembrandt", against="Jan Lievens")
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    reverse = arttl.class_maps(model, images, "artist", "Jan Lievens", against="Rembrandt")
    assert not torch.equal(reverse, found)


def test_a_label_of_several_is_a_yes_or_no_of_its_own(model, images):
    expected = defined(model, images, 1, lambda local: local[:, 1].clip(0))
    np.testing.assert_allclose(
        arttl.class_maps(model, images, "material", "panel").numpy(), expected, atol=1e-4
    )


def test_several_questions_take_one_forward_pass_and_leave_nothing_behind(model, images):
    model.train()
    passes = []
    handle = model.backbone.network.conv1.register_forward_hook(lambda *_: passes.append(1))
    questions = [Question("artist"), Question("artist", 1), Question("material", 0), Question("artist", 0, 1)]
    together = class_maps_of(model, [images], questions)
    assert len(passes) == 1
    handle.remove()
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    for question, (found,) in zip(questions, together, strict=True):
        alone = arttl.class_maps(model, images, question.task, question.label, question.against)
        torch.testing.assert_close(found, alone, rtol=0, atol=1e-6)


def fused(mixing: str, transformer: bool = False) -> FusedModel:
    torch.manual_seed(0)
    sizes = {"test_vit" if transformer else "test_resnet": 64, "test_efficientnet": 96}
    networks = [Backbone(name, "both" if name == "test_vit" else None) for name in sizes]
    stages = [
        PooledStages(one, stage_widths(one, size)) for one, size in zip(networks, sizes.values(), strict=True)
    ]
    tasks = TaskSet(list(TASKS)[:2])
    model = FusedModel(
        stages, [Preprocess(size=size) for size in sizes.values()], tasks, dict.fromkeys(tasks.names, mixing)
    )
    for head in model.heads:
        for parameter in head.parameters():
            nn.init.normal_(parameter)
    model.mean.normal_()
    model.scale.uniform_(0.5, 2)
    return model.eval()


@pytest.mark.parametrize(
    ("mixing", "transformer"),
    [("uniform", False), ("gates", False), ("attention", False), ("gates", True), ("attention", True)],
)
@torch.no_grad()
def test_the_logits_of_positions_average_to_those_of_a_fused_model(mixing, transformer):
    model, inputs = fused(mixing, transformer), [torch.randn(2, 3, 64, 64), torch.randn(2, 3, 96, 96)]
    expected = model(*inputs)
    for network in read_fused(model, inputs, model.tasks.names):
        for name in model.tasks.names:
            torch.testing.assert_close(network.predicted[name], expected[name], rtol=1e-4, atol=1e-4)
            # Every position of a shallow stage belongs to one of the deep stage here.
            average = network.logits[name].mean((2, 3))
            torch.testing.assert_close(average, expected[name], rtol=1e-4, atol=1e-3)
    first, second = arttl.class_maps(model, inputs, "artist", "Frans Hals")
    assert first.shape == (2, 64, 64) and second.shape == (2, 96, 96)


@torch.no_grad()
def test_the_logits_of_positions_average_to_those_of_the_picture(model, images):
    network, expected = read_network(model, images, TASKS.names), model(images)
    for name in TASKS.names:
        torch.testing.assert_close(
            network.predicted[name], expected[name].reshape(3, -1), rtol=1e-4, atol=1e-4
        )


@torch.no_grad()
def test_positions_that_are_pooled_after_the_last_tap_keep_their_logits():
    """VGG's last maps, 2 x 2 of 64 pixels, are pooled from those of its last tap, 4 x 4."""
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone("vgg11"), TASKS, Preprocess(size=64)).eval()
    images = torch.randn(2, 3, 64, 64)
    pooled = model.backbone.network.forward_features(images)  # [B, C, 2, 2]
    head = model.heads.layers[0]
    nn.init.normal_(head.weight, std=100)
    head.weight[1:], head.bias[:] = 0, 0
    # Of two equal rivals: the class has barely more than half of the probability at one position alone.
    scores = torch.einsum("c,bchw->bhw", head.weight[0], pooled)
    head.bias[0] = np.log(2) + 0.01 - scores[0].max()
    assert scores[0].max() - scores[0].flatten().sort().values[-2] > 0.1
    expected = torch.einsum("qc,bchw->bqhw", head.weight, pooled) + head.bias[:, None, None]
    found = read_network(model, images, ["artist"]).logits["artist"]
    torch.testing.assert_close(
        found, expected.repeat_interleave(2, 2).repeat_interleave(2, 3), rtol=1e-4, atol=1e-3
    )
    assert arttl.class_maps(model, images, "artist", "Rembrandt")[0].max() == 1


def test_what_has_no_class_maps_is_one_sentence(model, images):
    def refused(sentence: str, *arguments, of=model, pictures=images, **options) -> None:
        with pytest.raises(ArttlError, match=sentence):
            arttl.class_maps(of, pictures, *arguments, **options)

    refused(r"no task 'artists' \(did you mean 'artist'\?\)", "artists")
    refused("'year' is a number, which has no classes: choose one of artist, material", "year")
    refused(
        r"artist has no class 'Rembrand' \(did you mean 'Rembrandt'\?\); it has 3: Rembrandt",
        "artist",
        "Rembrand",
    )
    refused("artist has no class 3; it has 3", "artist", 3)
    refused("there are 2 labels for 3 pictures", "artist", [0, 1])
    refused("'Frans Hals' is to be compared with itself", "artist", 2, against="Frans Hals")
    refused("a label is the name of a class or its index, not 1.0", "artist", 1.0)
    refused("a label is the name of a class or its index, not True", "artist", True)
    refused("a label is the name of a class or its index, not None", "artist", [0, None, 1])
    refused("a label is the name of a class or its index, not 2.0", "artist", torch.tensor([2.0, 0, 1]))
    refused(r"images must be \[B, 3, H, W\]", "artist", pictures=images[0])
    refused(r"images must be \[B, 3, H, W\], not \[3, 1", "artist", pictures=images[:, :1])
    refused("the model has 1 networks", "artist", pictures=[images, images])
    hidden = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=SIDE), head="mlp")
    refused("need linear heads, and those of this model are of kind 'mlp'", "artist", of=hidden)
    assert why_no_class_maps(model, [images]) == ""


@pytest.mark.parametrize("maps", [lambda *given: arttl.class_maps(*given, "artist"), arttl.visual_backprop])
def test_whole_numbers_are_no_normalised_images(model, maps):
    with pytest.raises(ArttlError, match=r"must be normalised, of a floating-point type, not torch.uint8"):
        maps(model, torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8))
