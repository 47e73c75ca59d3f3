"""The CUDA kernels against the plain-torch twins and the CPU kernels, on a card and on an emulated one."""

from __future__ import annotations

import random
from typing import get_args

import pytest
import timm
import torch
from torch import Tensor

from arttl.saliency import _torch_twin as twin
from arttl.saliency import ops, visual_backprop
from arttl.saliency.plan import Mode

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
LAYOUTS = [torch.contiguous_format, torch.channels_last]
SHAPES = [
    (1, 512, 14, 14),
    (3, 64, 112, 112),
    (2, 2048, 7, 7),
    (2, 32, 149, 149),  # planes that no 8-byte read is aligned to
    (2, 40, 6, 3),
    (5, 3, 1, 1),
    (2, 30, 9, 11),
    (1, 1, 33, 40),
    (70000, 8, 1, 2),  # more images than a grid has rows
]
NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0**-149,
    -(2.0**-130),
    2.0**120,
    -(2.0**120),
    torch.inf,
    -torch.inf,
    torch.nan,
]
STEPS = [1, 48, 40, 3, 3, 1, 1, 1, 1, 1, 96, 80, 2, 2, 2, 2, 0, 0, 0, 192, 160, 7, 7, 2, 2, 3, 3]
SIZES = [(96, 80), (48, 40), (48, 40)]


def rounds(card, on_a_card: int, emulated: int) -> int:
    return emulated if card.device.type == "cpu" else on_a_card


def equal(actual: Tensor, expected: Tensor) -> None:
    """The same numbers, whatever the bits of NaN and the sign of zero."""
    torch.testing.assert_close(actual.cpu(), expected.cpu(), rtol=0, atol=0, equal_nan=True)


def equals_cpu(card, means: list[Tensor], steps: list[int], epsilon: float | None) -> None:
    actual = ops.backproject([mean.to(card.device) for mean in means], steps, epsilon)
    with card.on_cpu():
        equal(actual, ops.backproject(means, steps, epsilon))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rectify", [False, True])
def test_channel_mean(card, shape, layout, dtype, rectify):
    if shape[0] > 65535 and card.device.type == "cpu" and not (dtype == torch.float32 and rectify):
        pytest.skip("the emulation needs seconds for so many images: one case of them")
    torch.manual_seed(0)
    x = torch.randn(shape, device=card.device).to(dtype).to(memory_format=layout)
    torch.testing.assert_close(
        ops.channel_mean(x, rectify), twin.channel_mean(x, rectify), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("offset", [1, 2])
def test_channel_mean_of_an_unaligned_array(card, layout, offset):
    x = torch.randn(2 * 16 * 8 * 8 + offset, device=card.device)[offset:].view(2, 16, 8, 8)
    if layout == torch.channels_last:
        x = x.reshape(2, 8, 8, 16).permute(0, 3, 1, 2)
    assert x.data_ptr() % 16 == 4 * offset
    torch.testing.assert_close(ops.channel_mean(x, False), twin.channel_mean(x, False), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_channel_mean_of_any_shape(card, seed):
    rng = random.Random(seed)
    for index in range(rounds(card, 100, 4)):
        torch.manual_seed(1000 * seed + index)
        channels = rng.choice([rng.randint(1, 70), 2 ** rng.randint(0, 11), 8 * rng.randint(1, 150)])
        shape = [rng.choice([1, 2, 5]), channels, *(rng.randint(1, 16) for _ in range(2))]
        x = torch.randn(shape).to(rng.choice(DTYPES)).to(memory_format=rng.choice(LAYOUTS)).to(card.device)
        rectify = rng.random() < 0.5
        actual, values = ops.channel_mean(x, rectify).cpu().double(), x.cpu().double()
        exact = (values.clamp(min=0) if rectify else values).mean(1)
        torch.testing.assert_close(actual, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rectify", [False, True])
def test_every_half_precision_number_is_read_right(card, layout, dtype, rectify):
    numbers = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype).reshape(1, 1, 256, 256)
    x = numbers.to(card.device).expand(1, 16, 256, 256).contiguous(memory_format=layout)
    expected = numbers[0].float().clamp(min=0) if rectify else numbers[0].float()
    large = expected.abs() > 2e37  # sums of sixteen would overflow
    actual = ops.channel_mean(x, rectify).cpu()
    equal(actual.where(~large, 0.0), expected.where(~large, 0.0))
    assert torch.equal(actual.isnan(), expected.isnan())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("channels", [8, 9])
def test_channel_mean_of_numbers_that_are_special(card, layout, dtype, rectify, channels):
    """Any two of them in one pixel."""
    x = torch.zeros(1, channels, len(NUMBERS), len(NUMBERS))
    x[0, 0], x[0, channels - 1] = torch.tensor(NUMBERS)[:, None], torch.tensor(NUMBERS)[None, :]
    x = x.to(dtype).to(memory_format=layout)
    equal(ops.channel_mean(x.to(card.device), rectify), twin.channel_mean(x, rectify))


@pytest.mark.parametrize("shape", [(0, 3, 5), (1, 1, 49), (3, 8, 130), (2, 200, 16), (70000, 2, 1)])
@pytest.mark.parametrize("compared", [False, True])
def test_class_evidence(card, shape, compared):
    torch.manual_seed(0)
    logits = torch.randn(shape) * 5
    classes, against = torch.randint(shape[1], (2, shape[0]))
    logits.view(-1)[: len(NUMBERS)] = torch.tensor(NUMBERS)[: logits.numel()]
    rivals = against if compared else None
    on_card = [None if array is None else array.to(card.device) for array in (logits, classes, rivals)]
    actual, expected = ops.class_evidence(*on_card), twin.class_evidence(logits, classes, rivals)
    torch.testing.assert_close(actual.cpu(), expected, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_backproject_of_averages(card):
    torch.manual_seed(0)
    means = [torch.rand(2, *size) for size in SIZES]
    steps = [number + 2 * (index % 9 == 0) for index, number in enumerate(STEPS)]
    equals_cpu(card, means, steps, None)
    actual = ops.backproject([mean.to(card.device) for mean in means], steps)
    torch.testing.assert_close(actual.cpu(), twin.backproject(means, steps), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("images", [0, 1, 5])
@pytest.mark.parametrize("epsilon", [None, 1e-6])
def test_backproject(card, images, epsilon):
    torch.manual_seed(0)
    means = [torch.rand(images, *size) for size in SIZES]
    equals_cpu(card, means, STEPS, epsilon)
    actual = ops.backproject([mean.to(card.device) for mean in means], STEPS, epsilon)
    torch.testing.assert_close(actual.cpu(), twin.backproject(means, STEPS, epsilon), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_backproject_of_any_shape(card, seed):
    """Kernels that leave gaps or pad by more than they reach, maps of any magnitude, and numbers that are special."""
    rng = random.Random(seed)

    def pair(low: int, high: int) -> list[int]:
        return [rng.randint(low, high), rng.randint(low, high)]

    for index in range(rounds(card, 100, 4)):
        torch.manual_seed(1000 * seed + index)
        sizes, steps, size = [pair(1, 9)], [], [1, 1]
        count = rng.randint(1, 6)
        for i in range(count):
            size = pair(1, 20) if i < count - 1 else pair(20, 70)
            multiplies = rng.random() < 0.6
            steps += [
                int(multiplies) + 2 * (rng.random() < 0.5),
                *size,
                *pair(1, 9),
                *rng.choice([[1, 1], [2, 2], pair(1, 5)]),
                *pair(0, 6),
            ]
            if multiplies:
                sizes.insert(0, size)
        magnitude = 2.0 ** rng.choice([-130, -60, 0, 0, 0, 60, 100])
        means = [torch.randn(rng.choice([1, 1, 3]), *size) * magnitude for size in sizes[:1]]
        means += [torch.randn(means[0].shape[0], *size) for size in sizes[1:]]
        if rng.random() < 0.3:
            means[rng.randrange(len(means))].view(-1)[0] = rng.choice(NUMBERS)
        equals_cpu(card, means, steps, rng.choice([None, 1e-6]))


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("epsilon", [None, 1e-6])
def test_backproject_of_maps_beyond_shared_memory(card, images, epsilon):
    torch.manual_seed(0)
    means = [torch.rand(images, 200, 300), torch.rand(images, 30, 40)]
    steps = [0, 100, 150, 3, 3, 4, 4, 0, 0, 1, 200, 300, 2, 2, 2, 2, 0, 0, 0, 200, 300, 3, 3, 1, 1, 1, 1]
    equals_cpu(card, means, steps, epsilon)


def test_backproject_of_wide_maps(card):
    """So wide that fewer warps than a block has have room for their sums, and wider: then plain torch takes over."""
    torch.manual_seed(0)
    for width in (8192, 8193):
        equals_cpu(
            card,
            [torch.rand(1, 2, width)],
            [0, 4, width, 3, 3, 2, 1, 1, 1, 0, 6, width, 3, 1, 1, 1, 0, 0],
            None,
        )


def test_backproject_of_many_steps(card):
    for count in (80, 81):
        equals_cpu(card, [torch.rand(1, 3, 4)], [0, 4, 4, 2, 1, 1, 1, 0, 0] * count, None)


def test_constant_and_not_finite_maps(card):
    maps = torch.stack([torch.full((5, 5), 3.0), torch.full((5, 5), torch.nan)]).to(card.device)
    for epsilon in (None, 1e-6):
        actual = ops.backproject([maps], [0, 5, 5, 1, 1, 1, 1, 0, 0], epsilon)
        assert (actual[0] == 0).all() and actual[1].isnan().all()


def test_opcheck_on_the_card(card):
    x, deep = torch.randn(2, 8, 6, 6, device=card.device), torch.rand(2, 3, 3, device=card.device)
    torch.library.opcheck(ops.channel_mean, (x, True))
    torch.library.opcheck(ops.class_evidence, (deep, torch.tensor([2, 0], device=card.device), None))
    torch.library.opcheck(ops.backproject, ([deep], [0, 6, 6, 3, 3, 2, 2, 1, 1], 1e-6))


def chain(x: Tensor) -> Tensor:
    maps = ops.backproject([ops.channel_mean(x, True)], [0, 32, 32, 3, 3, 2, 2, 1, 1], None)
    return ops.backproject([maps], [0, 64, 64, 4, 4, 2, 2, 1, 1, 0, 128, 128, 3, 3, 2, 2, 1, 1], 1e-6)


def test_kernels_run_on_the_current_stream(card):
    x = torch.zeros(8, 64, 16, 16, device=card.device)
    with card.busy():
        x.copy_(torch.rand_like(x))
        actual = chain(x)  # wrong if it did not wait for the copy
    torch.testing.assert_close(actual, chain(x))


def test_cuda_graphs_capture_the_kernels(card):
    x = torch.rand(4, 32, 16, 16, device=card.device)
    captured, replay = card.capture(lambda: chain(x))
    for _ in range(2):
        x.copy_(torch.rand_like(x))
        replay()
        torch.testing.assert_close(captured, chain(x))


@pytest.mark.gpu
@pytest.mark.slow
def test_compiles_as_one_graph(cuda_card):
    x = torch.rand(4, 32, 16, 16, device=cuda_card.device)
    torch.testing.assert_close(torch.compile(chain, fullgraph=True)(x), chain(x))


@pytest.mark.gpu
def test_the_twin_is_float32_on_a_card(cuda_card):
    means = [torch.rand(2, *size) for size in SIZES]
    actual = twin.backproject([mean.to(cuda_card.device) for mean in means], STEPS)
    torch.testing.assert_close(actual.cpu(), twin.backproject(means, STEPS), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet50", 224),
        ("vgg19", 224),
        ("inception_v3", 139),
        ("legacy_xception", 139),
        ("densenet121", 139),
    ],
)
@pytest.mark.parametrize("mode", get_args(Mode))
def test_maps_equal_those_of_the_cpu(card, name, side, mode):
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    if card.device.type != "cpu":
        network = network.double()  # so that a card's forward pass is the CPU's
    images = torch.randn(rounds(card, 2, 1), 3, side, side)
    with card.on_cpu():
        expected = visual_backprop(network, images, mode)
    actual = visual_backprop(network.to(card.device), images, mode)
    assert actual.device.type == card.device.type
    torch.testing.assert_close(actual.cpu(), expected, rtol=0, atol=1e-3)


def test_autocast_and_channels_last(card):
    network = timm.create_model("resnet18", pretrained=False, num_classes=0).to(card.device).eval()
    images = torch.randn(2, 3, 128, 128, device=card.device)
    expected = visual_backprop(network, images)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast(card.device.type, dtype=torch.bfloat16):
        actual = visual_backprop(network, images.to(memory_format=torch.channels_last))
    assert actual.dtype == torch.float32
    assert (actual - expected).abs().mean() < 0.02
