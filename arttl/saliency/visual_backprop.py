"""VisualBackProp: which pixels a network looks at, from one forward pass.

Bojarski et al., "VisualBackProp: efficient visualization of CNNs" (arXiv 1611.05418). The map depends on the
network's trunk alone: it is the same for every task and every class.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arttl.errors import ArttlError, did_you_mean
from arttl.models.networks import is_channels_last, prefix_tokens, trunk_of
from arttl.saliency import ops
from arttl.saliency.geometry import Size, token_grid
from arttl.saliency.plan import DEFAULT_MODE, Mode, Plan, plan_of
from arttl.saliency.taps import Tap


def visual_backprop(
    model: nn.Module, images: Tensor, mode: Mode = DEFAULT_MODE, *, taps: Sequence[Tap | str] | None = None
) -> Tensor:
    """Maps of the pixels that a network's activations come from.

    With a_1 ... a_n the channel means of the taps from the image on, and up_i the all-ones transposed convolution from
    the size of a_i to that of a_{i-1} (a_0: the image's), all modes compute

        m_n = a_n,   m_{i-1} = up_i(m_i) * a_{i-1},   map = minmax(up_1(m_1)),   minmax(m) = (m - min) / (max - min)

    for each image by itself, and differ in a and up:

    - `bojarski` (arXiv 1611.05418, section 3): a_i is the mean of max(x, 0), that is, of the maps after the ReLU.
      up_i reverses each layer between the two taps with that layer's own kernel, stride and padding.
      Where `taps_of` gives no layers, it follows from the sizes (`geometry.step_between`).
    - `overlap-normalised`: as `bojarski`, but up_i divides each sum by the number of deep positions in it. Windows that
      overlap unevenly then leave no chequerboard, and those that the edge cuts off no dark frame.
    - `sabatelli` (the code published with "Deep Transfer Learning for Art Classification Problems", 2018): a_i is the
      mean of x, rescaled to (a - min) / (max - min + 1e-6). up_i is the identity where the sizes are equal, else a
      kernel of 3 and a stride of 2 with TensorFlow's `same` padding. That code takes every convolution of a plain
      network (VGG), stops at the first one's resolution, and fails where the sizes are not exact doubles; here other
      networks are tapped along their trunk, larger ratios take several such steps and maps shrunk by an unpadded
      convolution a step of stride 1, up to the image.

    The running map is rescaled at each step by a power of two, which the final min-max cancels, so that no number
    of steps overflows or vanishes. All is float32, whatever the type of the activations. A constant map, as from
    activations that are all zero, is all zeros; activations that are not finite give NaN.

    Args:
        model: a timm network, a model that wraps one (`MultiTaskModel`), or any module with `taps`. It is run in
            evaluation mode without gradients, and left as it was.
        images: [B, 3, H, W], normalised as the model expects them, in floating point; they are moved to its device and
            type.
        mode: see above.
        taps: instead of the known ones (`print_taps` shows those), from the image on: names of modules, or `Tap`s.

    Returns:
        [B, H, W] float32 in [0, 1], on the model's device.

    Raises:
        ArttlError: for an unknown mode, a network without known taps, or taps that do not fit it.
    """
    if mode not in get_args(Mode):
        raise ArttlError(
            f"unknown mode {mode!r}{did_you_mean(str(mode), get_args(Mode))}: it is one of {', '.join(get_args(Mode))}"
        )
    if images.dim() != 4:
        raise ArttlError(f"images must be [B, 3, H, W], not {list(images.shape)}")
    network, modules, plan = plan_of(model, taps)
    images = on_device_of(network, images)
    # Without the head, where the network separates it: it costs time and may require an input size.
    run = trunk_of(network) if taps is None else network
    size = (images.shape[2], images.shape[3])
    with evaluating(modules), torch.no_grad():
        means, _ = channel_means(network, plan, images, run, rectify_all=mode != "sabatelli")
        sizes = [(mean.shape[1], mean.shape[2]) for mean in means]
        epsilon = 1e-6 if mode == "sabatelli" else None
        return ops.run_backproject(means, plan.backprojection(network, mode, size, sizes), epsilon)


def on_device_of(network: nn.Module, images: Tensor) -> Tensor:
    """Images on the device and in the type of a network.

    Raises:
        ArttlError: for whole numbers, which are no normalised images.
    """
    if not images.is_floating_point():
        raise ArttlError(f"images must be normalised, of a floating-point type, not {images.dtype}")
    parameter = next(network.parameters(), None)
    return images if parameter is None else images.to(parameter.device, parameter.dtype)


def channel_means(
    network: nn.Module, plan: Plan, images: Tensor, run: Callable[[Tensor], Any], *, rectify_all: bool
) -> tuple[list[Tensor], Any]:
    """The channel means [B, h, w] of a plan's taps, from the image on, and what `run` returns.

    Args:
        network: that the plan is of, in evaluation mode.
        plan: see `plan_of`.
        images: [B, 3, H, W], on its device.
        run: runs the network.
        rectify_all: whether negative activations count as zero, also where the tap does not say so.

    Raises:
        ArttlError: for taps that do not run in their order, or give no maps.
    """
    size = (images.shape[2], images.shape[3])
    with _hooked(network, plan.taps, size, rectify_all=rectify_all) as maps:
        output = run(images)
    _check_order(plan.taps, maps)
    return [maps.pop(tap.module) for tap in plan.taps], output


@contextlib.contextmanager
def evaluating(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Set every module to evaluation mode, and afterwards back to the mode it was in."""
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def _hooked(
    network: nn.Module, taps: Sequence[Tap], image: Size, *, rectify_all: bool
) -> Iterator[dict[str, Tensor]]:
    """Collect the channel mean of each tap's output, [B, h, w] float32, while the network runs.

    The mean is taken as soon as the module is done, since a later layer may change its output in place.
    """
    means: dict[str, Tensor] = {}

    def hook_of(tap: Tap) -> Any:
        name = tap.module

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if name in means:
                raise ArttlError(
                    f"tap {name!r} runs more than once in a forward pass: tap a module that runs once"
                )
            maps = as_maps(tap, output, network, image)  # [B, C, h, w]
            if maps.dtype not in ops.DTYPES:
                maps = maps.float()
            means[name] = ops.run_channel_mean(maps, rectify_all or tap.rectify)

        return hook

    with contextlib.ExitStack() as hooks:
        for tap in taps:
            handle = network.get_submodule(tap.module).register_forward_hook(hook_of(tap))
            hooks.callback(handle.remove)
        yield means


def as_maps(tap: Tap, output: Any, network: nn.Module, image: Size) -> Tensor:
    """A module's output as [B, C, h, w], from timm's three forms: NCHW, NHWC, and tokens [B, L, C]."""
    if isinstance(output, (tuple, list)) and output:
        output = output[0]
    if isinstance(output, Tensor) and output.is_floating_point():
        if output.dim() == 4:
            channels_last = is_channels_last(network)
            if tap.channels is not None:
                channels_last = output.shape[1] != tap.channels == output.shape[3]
            return output.permute(0, 3, 1, 2) if channels_last else output
        if output.dim() == 3:
            # Class and register tokens come first; some networks add them only in their last blocks.
            for prefix in (prefix_tokens(network), 0):
                tokens = output[:, prefix:]
                with contextlib.suppress(ArttlError):
                    grid = token_grid(tokens.shape[1], image)
                    return tokens.transpose(1, 2).unflatten(2, grid)
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise ArttlError(
        f"tap {tap.module!r} returns {shape}, which is not a stack of maps [B, C, H, W]: tap another module"
    )


def enlarged(maps: Tensor, size: Size) -> Tensor:
    """Maps [B, h, w] at another size, bilinearly, rescaled by their own minimum and maximum: [B, *size] float32."""
    larger = F.interpolate(maps[:, None], size, mode="bilinear")[:, 0]
    return ops.minmax_normalise(larger.float(), 0.0)


def _check_order(taps: Sequence[Tap], means: dict[str, Tensor]) -> None:
    for tap in taps:
        if tap.module not in means:
            raise ArttlError(f"tap {tap.module!r} did not run in the forward pass: tap a module that does")
    if list(means) != [tap.module for tap in taps]:
        raise ArttlError(
            f"the taps run in the order {', '.join(means)}: list them in that order, from the image to the head"
        )
