"""The CUDA kernels against the plain-torch twins and the CPU kernels, on a card and on an emulated one."""

from __future__ import annotations

import random

import pytest
import timm
import torch

from arttl.explain import _torch_twin as twin
from arttl.explain import ops, visual_backprop

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
LAYOUTS = [torch.contiguous_format, torch.channels_last]
SHAPES = [
    (1, 512, 14, 14),
    (3, 64, 112, 112),
    (2, 2048, 7, 7),
    (2, 32, 149, 149),  # planes that no 16-byte read is aligned to
    (5, 3, 1, 1),
    (2, 30, 9, 11),
    (1, 1, 33, 40),
    (70000, 8, 1, 2),  # more images than a grid has rows
]


def skip_many_images(card, images, is_the_one):
    """The emulation needs seconds for so many blocks, so that it takes one case of them."""
    if images > 65535 and card.device.type == "cpu" and not is_the_one:
        pytest.skip("many images, of which the emulation takes another case")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rectify", [False, True])
def test_channel_mean(card, shape, layout, dtype, rectify):
    skip_many_images(card, shape[0], dtype == torch.float32 and rectify)
    torch.manual_seed(0)
    x = torch.randn(shape, device=card.device).to(dtype).to(memory_format=layout)
    torch.testing.assert_close(
        ops.channel_mean(x, rectify), twin.channel_mean(x, rectify), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_channel_mean_of_an_unaligned_array(card, layout):
    x = torch.randn(2 * 16 * 8 * 8 + 1, device=card.device)[1:].view(2, 16, 8, 8)
    if layout == torch.channels_last:
        x = x.reshape(2, 8, 8, 16).permute(0, 3, 1, 2)
    assert x.data_ptr() % 16
    torch.testing.assert_close(ops.channel_mean(x, False), twin.channel_mean(x, False), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(60))
def test_upsample_multiply(card, seed):
    rng = random.Random(seed)

    def pair(low: int, high: int) -> list[int]:
        return [rng.randint(low, high), rng.randint(low, high)]

    torch.manual_seed(seed)
    images, size = rng.choice([1, 2, 5]), pair(1, 70)
    deep = torch.randn(images, *pair(1, 30), device=card.device) * 2.0 ** rng.choice([-100, 0, 100])
    peak = deep.abs().amax((1, 2))
    shallow = torch.randn(images, *size, device=card.device) if seed % 2 else None
    arguments = (deep, peak, shallow, size, pair(1, 9), pair(1, 5), pair(0, 6))
    actual, actual_peak = ops.upsample_multiply(*arguments)
    expected, _ = twin.upsample_multiply(*arguments)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(actual_peak, actual.abs().amax((1, 2)))
    with card.on_cpu():
        on_cpu = ops.upsample_multiply(*(a.cpu() if isinstance(a, torch.Tensor) else a for a in arguments))
    torch.testing.assert_close(actual.cpu(), on_cpu[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("images", [0, 1, 5])
def test_backproject(card, images):
    torch.manual_seed(0)
    sizes = [(96, 80), (48, 40), (48, 40)]
    means = [torch.rand(images, *size, device=card.device) for size in sizes]
    steps = [1, 48, 40, 3, 3, 1, 1, 1, 1, 1, 96, 80, 2, 2, 2, 2, 0, 0, 0, 192, 160, 7, 7, 2, 2, 3, 3]
    actual = ops.backproject(means, steps)
    torch.testing.assert_close(actual, twin.backproject(means, steps), rtol=1e-5, atol=1e-5)
    with card.on_cpu():
        on_cpu = ops.backproject([mean.cpu() for mean in means], steps)
    torch.testing.assert_close(actual.cpu(), on_cpu, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 224, 224), (1, 1000, 777), (70000, 2, 2)])
@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
def test_minmax_normalise(card, shape, epsilon):
    skip_many_images(card, shape[0], epsilon == 0)
    torch.manual_seed(0)
    maps = torch.randn(shape, device=card.device)
    torch.testing.assert_close(ops.minmax_normalise(maps, epsilon), twin.minmax_normalise(maps, epsilon))


def test_constant_and_not_finite_maps(card):
    maps = torch.stack([torch.full((5, 5), 3.0), torch.full((5, 5), torch.nan)]).to(card.device)
    actual = ops.minmax_normalise(maps, 0.0)
    assert (actual[0] == 0).all() and actual[1].isnan().all()
    empty = torch.empty(0, 5, 5, device=card.device)
    assert ops.minmax_normalise(empty, 0.0).shape == (0, 5, 5)
    assert ops.upsample_multiply(empty, None, None, [9, 9], [2, 2], [2, 2], [0, 0])[0].shape == (0, 9, 9)


def test_opcheck_on_the_card(card):
    x, deep = torch.randn(2, 8, 6, 6, device=card.device), torch.rand(2, 3, 3, device=card.device)
    torch.library.opcheck(ops.channel_mean, (x, True))
    torch.library.opcheck(ops.upsample_multiply, (deep, None, None, [6, 6], [3, 3], [2, 2], [1, 1]))
    torch.library.opcheck(ops.minmax_normalise, (deep, 0.0))
    torch.library.opcheck(ops.backproject, ([deep], [0, 6, 6, 3, 3, 2, 2, 1, 1]))


def chain(x: torch.Tensor) -> torch.Tensor:
    mean = ops.channel_mean(x, True)
    product, peak = ops.upsample_multiply(mean, None, None, [32, 32], [3, 3], [2, 2], [1, 1])
    product, _ = ops.upsample_multiply(product, peak, None, [64, 64], [4, 4], [2, 2], [1, 1])
    return ops.backproject([ops.minmax_normalise(product, 0.0)], [0, 128, 128, 3, 3, 2, 2, 1, 1])


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


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "inception_v3", "legacy_xception", "densenet121"])
@pytest.mark.parametrize("mode", ["bojarski", "sabatelli"])
def test_maps_equal_those_of_the_cpu(card, name, mode):
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=0).double().eval()
    images = torch.randn(2, 3, 139, 139)
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
