"""VisualBackProp against its definitions, on every architecture, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import timm
import torch
import torchvision
from timm.models.vgg import VGG
from torch import nn

from arttl.errors import ArttlError
from arttl.saliency import Tap, ops, visual_backprop
from arttl.saliency import _torch_twin as twin
from arttl.saliency.plan import Mode, plan_of
from arttl.saliency.visual_backprop import channel_means

Array = npt.NDArray[np.float64]
MODES: tuple[Mode, ...] = get_args(Mode)


def convolved(x: Array, layer: nn.Conv2d) -> Array:
    """A convolution [N, C, H, W] -> [N, K, h, w] in double precision, from its definition."""
    weight, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
    (ky, kx), (sy, sx), (py, px) = layer.kernel_size, layer.stride, layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (py, py), (px, px)))
    h, w = (x.shape[2] - ky) // sy + 1, (x.shape[3] - kx) // sx + 1
    out = np.zeros((x.shape[0], weight.shape[0], h, w))
    for i in range(h):
        for j in range(w):
            window = x[:, :, i * sy : i * sy + ky, j * sx : j * sx + kx]
            out[:, :, i, j] = np.tensordot(window, weight, axes=([1, 2, 3], [1, 2, 3])) + bias
    return out


def scattered(deep: Array, layer: nn.Conv2d, height: int, width: int) -> Array:
    """The deconvolution of the paper: each deep value added to all the pixels of its window."""
    (ky, kx), (sy, sx), (py, px) = layer.kernel_size, layer.stride, layer.padding
    out = np.zeros((deep.shape[0], height + 2 * py, width + 2 * px))
    for i in range(deep.shape[1]):
        for j in range(deep.shape[2]):
            out[:, i * sy : i * sy + ky, j * sx : j * sx + kx] += deep[:, i, j, None, None]
    return out[:, py : py + height, px : px + width]


def stretched(maps: Array) -> Array:
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return (maps - low) / (high - low)


def averaged(deep: Array, layer: nn.Conv2d, height: int, width: int) -> Array:
    """As `scattered`, each sum divided by how many deep positions there are in it."""
    counts = scattered(np.ones_like(deep[:1]), layer, height, width)
    return scattered(deep, layer, height, width) / np.maximum(counts, 1)


def definition_of(convolutions: list[nn.Conv2d], images: Array, enlarged: Callable[..., Array]) -> Array:
    x, means = images, []
    for layer in convolutions:
        x = np.maximum(convolved(x, layer), 0)
        means.append(x.mean(1))
    running = means[-1]
    shallower = [*means[:-1][::-1], None]
    for layer, mean in zip(reversed(convolutions), shallower, strict=True):
        height, width = images.shape[2:] if mean is None else mean.shape[1:]
        running = enlarged(running, layer, height, width)
        if mean is not None:
            running = running * mean
    return stretched(running)


STACKS = [
    [(3, 1, 1), (3, 1, 1), (3, 1, 1)],
    [(5, 2, 0), (5, 2, 0), (3, 1, 0)],  # unpadded and strided, as the paper's networks are
    [(7, 2, 3), (3, 2, 1), ((1, 5), (1, 2), (0, 2)), (2, 3, 1)],
]


@pytest.mark.parametrize("stack", range(len(STACKS)))
@pytest.mark.parametrize("size", [(33, 40), (41, 26)])
@pytest.mark.parametrize(("mode", "enlarged"), [("bojarski", scattered), ("overlap-normalised", averaged)])
def test_both_equal_their_definition(stack, size, mode, enlarged):
    torch.manual_seed(stack)
    channels = [3, 5, 7, 6, 4]
    convolutions = [nn.Conv2d(channels[i], channels[i + 1], *shape) for i, shape in enumerate(STACKS[stack])]
    network = nn.Sequential(*(part for layer in convolutions for part in (layer, nn.ReLU(inplace=True))))
    images = torch.randn(2, 3, *size)
    found = visual_backprop(network, images, mode, taps=[str(2 * i + 1) for i in range(len(convolutions))])
    expected = definition_of(convolutions, images.double().numpy(), enlarged)
    assert expected.std() > 0.05
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def sabatelli_of(network: nn.Module, images: Array) -> Array:
    """The published code, in words in its own order: every convolution's output (after its ReLU) from the last to the
    first; the mean over channels, stretched with 1e-6; a deconvolution by ones where the sizes differ; the product.
    """
    x, outputs = images, []
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            x = np.maximum(convolved(x, layer), 0)
            outputs.append(x)
        elif isinstance(layer, nn.MaxPool2d):
            n, c, h, w = x.shape
            x = x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))
    running = None
    for output in outputs[::-1]:
        mean = output.mean(1)
        low, high = mean.min((1, 2), keepdims=True), mean.max((1, 2), keepdims=True)
        mean = (mean - low) / (high - low + 1e-6)
        if running is None:
            running = mean
            continue
        if running.shape != mean.shape:
            # Keras: Conv2DTranspose(1, 3, strides=2, padding="same") makes the double size, cut at the end
            n, h, w = running.shape
            grown = np.zeros((n, 2 * h + 1, 2 * w + 1))
            for dy in range(3):
                for dx in range(3):
                    grown[:, dy : dy + 2 * h : 2, dx : dx + 2 * w : 2] += running
            running = grown[:, : 2 * h, : 2 * w]
        running = running * mean
    return stretched(running)


def test_sabatelli_equals_the_published_code():
    torch.manual_seed(0)
    network = VGG([6, 8, "M", 10, "M", 12, 12, "M", 8], num_classes=0)
    images = torch.randn(2, 3, 32, 48)
    expected = sabatelli_of(network, images.double().numpy())
    assert expected.std() > 0.05
    np.testing.assert_allclose(visual_backprop(network, images, "sabatelli").numpy(), expected, atol=2e-5)
    # The modes do differ.
    assert abs(visual_backprop(network, images, "bojarski").numpy() - expected).max() > 0.1


def test_bojarski_of_vgg_walks_through_its_pools():
    """A 2x2 pool is a window of its own: each value goes to its four pixels, and a row it never read gets nothing."""
    torch.manual_seed(1)
    network = VGG([4, "M", 6], num_classes=0)
    images = torch.randn(1, 3, 11, 10)
    first, second = network.features[0], network.features[3]
    a = np.maximum(convolved(images.double().numpy(), first), 0)
    pooled = a[:, :, :10].reshape(1, 4, 5, 2, 5, 2).max((3, 5))
    b = np.maximum(convolved(pooled, second), 0).mean(1)
    grown = np.zeros((1, 11, 10))
    grown[:, :10] = scattered(b, second, 5, 5).repeat(2, 1).repeat(2, 2)
    expected = stretched(scattered(grown * a.mean(1), first, 11, 10))
    np.testing.assert_allclose(visual_backprop(network, images, "bojarski").numpy(), expected, atol=2e-5)


ARCHITECTURES = {
    "vgg19": 64,
    "vgg11_bn": 96,
    "resnet18": 96,
    "resnet50": 97,
    "resnet26d": 96,
    "inception_v3": 139,
    "legacy_xception": 111,
    "densenet121": 96,
    "tf_efficientnet_lite0": 99,
    "mobilenetv3_small_050": 64,
    "convnext_atto": 80,
    "vit_tiny_patch16_224": 224,
    "swin_tiny_patch4_window7_224": 224,
}


LIGHT = {"resnet18", "tf_efficientnet_lite0", "convnext_atto"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in LIGHT else pytest.mark.slow) for n in ARCHITECTURES]
)
def test_every_architecture(name):
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=0).train()
    size = ARCHITECTURES[name]
    fixed = "window" in name or name.startswith("vit")
    images = torch.randn(2, 3, size, size if fixed else size + 33)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for mode in MODES:
        maps = visual_backprop(network, images, mode)
        assert maps.shape == (2, *images.shape[2:]) and maps.dtype == torch.float32
        assert torch.isfinite(maps).all()
        assert (maps.amin((1, 2)) == 0).all() and (maps.amax((1, 2)) == 1).all()
        assert not torch.equal(maps[0], maps[1])
    assert not any(module._forward_hooks for module in network.modules())
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.slow
def test_torchvisions_networks():
    torch.manual_seed(0)
    for build in (torchvision.models.resnet18, torchvision.models.vgg11, torchvision.models.densenet121):
        maps = visual_backprop(build(weights=None), torch.randn(1, 3, 64, 80))
        assert maps.shape == (1, 64, 80) and maps.amax() == 1


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3),
        nn.ReLU(inplace=True),
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_equals_its_images(mode):
    network, images = timm.create_model("resnet18").eval(), torch.randn(3, 3, 64, 72)
    images[1] *= 1e-3
    together = visual_backprop(network, images, mode)
    alone = torch.cat([visual_backprop(network, image[None], mode) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_channels_last_images_and_an_empty_batch():
    network = small_network()
    images = torch.randn(2, 3, 20, 24)
    maps = visual_backprop(network, images, taps=["1", "4"])
    again = visual_backprop(network, images.to(memory_format=torch.channels_last), taps=["1", "4"])
    torch.testing.assert_close(again, maps, rtol=0, atol=1e-5)
    assert visual_backprop(network, images[:0], taps=["1", "4"]).shape == (0, 20, 24)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet18", 139),
        ("inception_v3", 139),
        ("legacy_xception", 139),
        ("densenet121", 128),
        ("tf_efficientnet_lite0", 139),
    ],
)
@torch.no_grad()
def test_equal_activations_give_an_even_map_unless_windows_overlap_unevenly(name, side):
    """Ones at every tap: what is left is the pattern of the steps. Rows and columns that no window reads are zeros."""
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    _, _, plan = plan_of(network)
    means, _ = channel_means(
        network, plan, torch.randn(1, 3, side, side), network.forward_features, rectify_all=True
    )
    sizes = [(mean.shape[1], mean.shape[2]) for mean in means]
    spread = {}
    for mode in ("bojarski", "overlap-normalised"):
        steps = plan.backprojection(network, mode, (side, side), sizes)
        running, peak = torch.ones(1, *sizes[-1]), None
        for row in twin.rows_of(steps):
            window = (row[1:3], row[3:5], row[5:7], row[7:9])
            running, peak = ops.upsample_multiply(running, peak, None, *window, bool(row[0] & twin.AVERAGES))
        read = running[running > 0]
        spread[mode] = float(read.max() / read.min())
    assert spread["overlap-normalised"] < 1.0001 and spread["bojarski"] > 3


def test_the_map_is_where_the_object_is():
    """A network that sees brightness looks at the one bright square."""
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()
    )
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1 if parameter.dim() > 1 else 0.0)
    images = torch.zeros(1, 3, 32, 32)
    images[:, :, 4:10, 20:28] = 1
    maps = visual_backprop(network, images, taps=["1", "4"])[0]
    assert maps[2:12, 18:30].sum() / maps.sum() > 0.95


@pytest.mark.parametrize("mode", MODES)
def test_a_blind_network_gives_zeros(mode):
    network = small_network()
    nn.init.constant_(network[3].bias, -1e3)
    maps = visual_backprop(network, torch.randn(2, 3, 16, 16), mode, taps=["1", "4"])
    assert (maps == 0).all()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_thirty_layers_neither_vanish_nor_overflow(scale):
    """Plain products of thirty such means are 1e-180 and 1e180, beyond float32."""

    class Scaled(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.abs() / x.abs().mean() * self.factor

    def stack(factor: float) -> torch.Tensor:
        network = nn.Sequential(*(Scaled(factor) for _ in range(30)))
        taps = [Tap(str(i), ()) for i in range(30)]
        return visual_backprop(
            network, 1 + torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), taps=taps
        )

    found = stack(scale)
    assert torch.isfinite(found).all() and found.std() > 0.05
    torch.testing.assert_close(found, stack(1.0), rtol=0, atol=1e-3)


def test_half_precision_and_autocast():
    network, images = small_network(), torch.randn(2, 3, 24, 24)
    expected = visual_backprop(network, images, taps=["1", "4"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(
            visual_backprop(network, images, taps=["1", "4"]), expected, rtol=0, atol=0.05
        )
    for dtype in (torch.bfloat16, torch.float64):
        found = visual_backprop(small_network().to(dtype), images, taps=["1", "4"])
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0, atol=0.05 if dtype == torch.bfloat16 else 1e-4)


def test_an_activation_that_is_not_finite_shows_as_nan():
    network = small_network()
    nn.init.constant_(network[3].bias, torch.inf)
    assert visual_backprop(network, torch.randn(1, 3, 16, 16), taps=["1", "4"]).isnan().all()


def test_the_models_mode_is_kept_part_by_part():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.9))
    network.train()
    network[1].eval()  # a frozen normalisation
    images = torch.randn(2, 3, 9, 9)
    first, second = (visual_backprop(network, images, taps=["3"]) for _ in range(2))
    assert torch.equal(first, second)  # no dropout
    assert [part.training for part in network] == [True, False, True, True] and network.training
    assert network[1].num_batches_tracked == 0


def test_nothing_is_left_behind_when_the_network_fails():
    class Failing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("the network's own failure")

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Failing()).train()
    with pytest.raises(RuntimeError, match="own failure"):
        visual_backprop(network, torch.randn(1, 3, 9, 9), taps=["1"])
    assert not any(module._forward_hooks for module in network.modules())
    assert all(module.training for module in network.modules())


class Reordered(nn.Module):
    """Registers its layers in another order than it runs them, one of them twice, and one not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Conv2d(4, 4, 3, padding=1)
        self.early = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.idle = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.late(self.relu(self.early(x)))).mean((2, 3))


def test_wrong_calls_are_one_sentence():
    network, images = Reordered(), torch.randn(1, 3, 12, 12)
    own = {"late": ("late",), "early": ("early",), "idle": ("idle",), "relu": ("early",)}

    def tap(name: str) -> Tap:
        return Tap(name, own[name])

    for taps, sentence in [
        ([tap("late"), tap("early")], "the taps run in the order early, late"),
        ([tap("relu")], "tap 'relu' runs more than once"),
        ([tap("idle")], "tap 'idle' did not run"),
        ([Tap("late", ("idle",))], r"turn 12x12 into 10x10, but its map is 12x12: give Tap\('late'"),
        ([tap("early"), Tap("early", ())], "tap 'early' is named twice"),
        (["early", "late"], "tap 'late' does not come after 'early'"),
    ]:
        with pytest.raises(ArttlError, match=sentence):
            visual_backprop(network, images, taps=taps)
    with pytest.raises(ArttlError, match=r"tap '1' returns \[1, 48\], which is not a stack of maps"):
        visual_backprop(nn.Sequential(nn.Conv2d(3, 3, 9), nn.Flatten()), images, taps=["1"])
    growing = nn.Sequential(nn.Conv2d(3, 3, 9), nn.Upsample(scale_factor=2))
    with pytest.raises(ArttlError, match="a map of 8x8 comes after one of 4x4"):
        visual_backprop(growing, images, taps=[Tap("0"), Tap("1")])
    with pytest.raises(ArttlError, match=r"unknown mode 'bojarsky' \(did you mean 'bojarski'\?\)"):
        visual_backprop(network, images, "bojarsky", taps=[tap("early")])
    with pytest.raises(ArttlError, match=r"images must be \[B, 3, H, W\], not \[3, 12, 12\]"):
        visual_backprop(network, images[0], taps=[tap("early")])
    visual_backprop(network, images, taps=[tap("early"), tap("late")])
