"""What `visual_backprop.py` and `card` time: a network, its map in several ways, and parts of the work."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from arttl.models import Backbone
from arttl.saliency import _torch_twin as twin
from arttl.saliency import ops, visual_backprop
from arttl.saliency.plan import DEFAULT_MODE, plan_of
from arttl.saliency.taps import Tap

IN_PLAIN_TORCH = {
    f"run_{name}": getattr(twin, name) for name in ("channel_mean", "minmax_normalise", "backproject")
}


class Classifier(nn.Module):
    """A backbone and a linear head, which the methods that explain a class need."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone = Backbone(name)
        self.head = nn.Linear(self.backbone.num_features, 100)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, 100]."""
        logits: Tensor = self.head(self.backbone(images))
        return logits


class NetworkAndTwin(nn.Module):
    """A network and VisualBackProp in plain torch as one module.

    Under torch.compile the channel means become part of the kernels that write the activations, which are then not read
    again for them.
    """

    def __init__(self, network: nn.Module, taps: Sequence[Tap], steps: list[int]) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)  # the hooks stay
        self.steps = steps
        self._means: list[Tensor] = []
        for tap in taps:
            self.network.get_submodule(tap.module).register_forward_hook(self._keep_mean)

    def _keep_mean(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._means.append(twin.channel_mean(output, True))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The last feature maps [B, C, h, w], and VisualBackProp's maps [B, H, W] of images [B, 3, H, W]."""
        features = self.network.forward_features(images)  # type: ignore[operator]
        maps = twin.backproject(self._means, self.steps)
        self._means.clear()  # as it was, or torch.compile would compile once more
        return features, maps


class Subject:
    """A network with random weights, and the arrays that the calls take, in turn where there are several.

    Attributes:
        model: the network with a head.
        network: timm's module in it.
        taps: of VisualBackProp.
        steps: of the backprojection.
        images: of [B, 3, size, size] each.
        activations: one list or several of what the taps see.
        means: likewise of their channel means.
    """

    def __init__(
        self,
        name: str,
        size: int,
        batch: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        layout: torch.memory_format = torch.contiguous_format,
        cache: int = 0,
    ) -> None:
        """Make a network.

        Args:
            name, size: of the network, and of its images in pixels.
            batch: B.
            device, dtype, layout: of the network and its images.
            cache: in bytes; the arrays that a call takes in turn have four times as many, so that none is in the cache
                when its turn comes.
        """
        torch.manual_seed(0)
        self.model = Classifier(name).eval().to(device, dtype, memory_format=layout)
        self.network, _, plan = plan_of(self.model)
        self.taps = plan.taps
        images = torch.randn(batch, 3, size, size).to(device, dtype, memory_format=layout)
        self.images = copies_of(images, images.nbytes, cache)
        kept = self._kept_activations()
        self.activations = copies_of(kept, sum(maps.nbytes for maps in kept), cache)
        sizes = [(maps.shape[2], maps.shape[3]) for maps in kept]
        self.steps = plan.backprojection(self.network, DEFAULT_MODE, (size, size), sizes)
        means = [twin.channel_mean(maps, True) for maps in kept]
        self.means = copies_of(means, sum(maps.nbytes for maps in means), cache)
        self._images, self._activations, self._means = (
            itertools.cycle(arrays) for arrays in (self.images, self.activations, self.means)
        )

    def _kept_activations(self) -> list[Tensor]:
        """What the taps see, copied, since later layers work in place."""
        kept: list[Tensor] = []
        hooks = [
            self.network.get_submodule(tap.module).register_forward_hook(
                lambda m, i, out: kept.append(out.clone())
            )
            for tap in self.taps
        ]
        with torch.inference_mode():
            self.network.forward_features(self.images[0])  # type: ignore[operator]
        for hook in hooks:
            hook.remove()
        return kept

    def forward(self) -> Tensor:
        """The network without its head."""
        with torch.no_grad():
            maps: Tensor = self.network.forward_features(next(self._images))  # type: ignore[operator]
            return maps

    def map(self) -> Tensor:
        """`visual_backprop`, the network included."""
        return visual_backprop(self.model, next(self._images))

    def own_work(self) -> Tensor:
        """All that VisualBackProp does besides running the network, by whatever `ops` holds."""
        with torch.no_grad():
            means = [ops.run_channel_mean(maps, True) for maps in next(self._activations)]
            return ops.run_backproject(means, self.steps)

    def channel_means(self) -> None:
        """The means of what the taps see."""
        with torch.no_grad():
            for maps in next(self._activations):
                ops.run_channel_mean(maps, True)

    def backprojection(self) -> Tensor:
        """From the means to the map."""
        with torch.no_grad():
            return ops.run_backproject(next(self._means), self.steps)

    def grad_cam(self) -> Tensor:
        """Grad-CAM of class 0 in plain torch, differentiated from the score to the last feature maps and no further."""
        with torch.no_grad():
            maps = self.model.backbone.feature_maps(next(self._images))  # [B, C, h, w]
        with torch.enable_grad():
            scores = self.model.head(self.model.backbone.pooled(maps.requires_grad_()))[:, 0]
            (gradients,) = torch.autograd.grad(scores.sum(), maps)
        return (gradients.mean((2, 3), keepdim=True) * maps.detach()).sum(1).relu()  # [B, h, w]

    def compiled_twin(self, backend: str = "inductor") -> Callable[[], Tensor]:
        """The own work in plain torch under torch.compile, warm; its result is compared with the kernels'."""

        @torch.compile(fullgraph=True, dynamic=False, backend=backend)
        def whole(activations: list[Tensor]) -> Tensor:
            return twin.backproject([twin.channel_mean(maps, True) for maps in activations], self.steps)

        def call() -> Tensor:
            with torch.no_grad():
                maps: Tensor = whole(next(self._activations))
                return maps

        torch.testing.assert_close(call(), self.own_work(), rtol=1e-3, atol=1e-3)
        return call

    def compiled_forward(self, backend: str = "inductor", mode: str | None = None) -> Callable[[], Tensor]:
        """`forward` under torch.compile, warm."""
        compiled = torch.compile(
            self.network.forward_features, fullgraph=True, dynamic=False, backend=backend, mode=mode
        )

        def call() -> Tensor:
            with torch.no_grad():
                maps: Tensor = compiled(next(self._images))
                return maps

        call()
        return call

    def compiled_map(
        self, backend: str = "inductor", mode: str | None = None
    ) -> Callable[[], tuple[Tensor, Tensor]]:
        """Network and plain-torch map under torch.compile as one, warm; it is compared with `visual_backprop`'s."""
        compiled = torch.compile(
            NetworkAndTwin(self.network, self.taps, self.steps),
            fullgraph=True,
            dynamic=False,
            backend=backend,
            mode=mode,
        )

        def call_with(images: Tensor) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                result: tuple[Tensor, Tensor] = compiled(images)
                return result

        images = self.images[0]
        exact = images.dtype == torch.float32 and images.device.type == "cpu"  # else rounded to 8 or 11 bits
        difference = (call_with(images)[1] - visual_backprop(self.model, images)).abs().mean().item()
        assert difference < (1e-4 if exact else 0.05), f"the compiled map differs by {difference} on average"
        return lambda: call_with(next(self._images))


def in_plain_torch(call: Callable[[], Tensor]) -> Tensor:
    """A call with the kernels replaced by their plain-torch twins."""
    with mock.patch.multiple(ops, **IN_PLAIN_TORCH):
        return call()


def copies_of(arrays: Any, size: int, cache: int) -> list[Any]:
    """A tensor or list of tensors of `size` bytes, and as many copies as have four times the cache's bytes with it."""

    def copied() -> Any:
        return [array.clone() for array in arrays] if isinstance(arrays, list) else arrays.clone()

    return [arrays, *(copied() for _ in range(4 * cache // size))]
