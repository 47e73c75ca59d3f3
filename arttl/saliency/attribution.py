"""Maps for one class of one task: Grad-CAM, integrated gradients and plain gradients, through captum.

VisualBackProp reads the trunk, which all tasks share. These methods explain one head's score for one class, at the cost
of one or more backward passes. Their maps have the same form, so that pictures and scores treat all methods alike.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from arttl.errors import ArttlError, did_you_mean
from arttl.models import MultiTaskModel
from arttl.saliency import ops
from arttl.saliency.geometry import token_grid
from arttl.saliency.visual_backprop import evaluating

Method = Literal["grad-cam", "integrated-gradients", "gradients"]

INTEGRATION_STEPS = 32
_PASSES_AT_ONCE = 8  # steps of integrated gradients, to bound the memory


def attribute(
    model: MultiTaskModel, images: Tensor, method: Method, task: str, classes: Tensor | None = None
) -> Tensor:
    """Which pixels a class of one task is predicted from.

    With s the class's logit:

    - `grad-cam` (Selvaraju et al. 2017, arXiv 1610.02391): relu(sum_k w_k A_k) of the network's last feature maps A_k,
      w_k the mean of ds/dA_k over the map, enlarged to the image bilinearly. Of a vision transformer the A_k are the
      patches' tokens that its last block attends over, as a map: the class token alone reads the last ones.
    - `integrated-gradients` (Sundararajan et al. 2017, arXiv 1703.01365): the gradients of s along the straight line
      from the mean colour (zeros, since images are normalised) to the image, averaged over 32 Gauss-Legendre points and
      multiplied by the image; per pixel, the magnitude of the sum over its channels.
    - `gradients` (Simonyan et al. 2013, arXiv 1312.6034): per pixel, the largest magnitude of ds/dx.

    Each map is then rescaled by its own minimum and maximum; a constant map is all zeros.

    Args:
        model: it is run in evaluation mode, and left as it was.
        images: [B, 3, H, W], normalised; they are moved to the model's device.
        method: see above.
        task: name of one of the model's tasks.
        classes: [B] indices of the classes to explain; None for the class with each image's highest logit.

    Returns:
        [B, H, W] float32 in [0, 1], on the model's device.

    Raises:
        ArttlError: for an unknown method or task, a network without feature maps or tokens of patches (`grad-cam`), or
            where captum is not installed.
    """
    if method not in get_args(Method):
        known = ", ".join(get_args(Method))
        raise ArttlError(
            f"unknown method {method!r}{did_you_mean(str(method), get_args(Method))}: it is one of {known}"
        )
    check_task(model, task)
    captum = _captum()
    scores = _TaskScores(model, task)
    with evaluating(model.modules()), torch.inference_mode(False), torch.enable_grad():
        # Inside torch.inference_mode nothing has gradients, and its tensors must be copied to have them outside.
        images = images.to(next(model.parameters()).device).clone()
        if classes is None:
            with torch.no_grad():
                classes = scores(images).argmax(1)
        classes = classes.to(images.device).clone()
        if method == "grad-cam":
            if _has_maps(model, images):
                grad_cam = captum.LayerGradCam(scores, scores.maps)
                maps = grad_cam.attribute(images, target=classes, relu_attributions=True)  # [B, 1, h, w]
            else:
                maps = _token_grad_cam(scores, images, classes)
            maps = captum.LayerAttribution.interpolate(maps, images.shape[2:], "bilinear")[:, 0]
        elif method == "integrated-gradients":
            at_once = max(len(images), _PASSES_AT_ONCE)
            gradients = captum.IntegratedGradients(scores)
            maps = gradients.attribute(
                images, target=classes, n_steps=INTEGRATION_STEPS, internal_batch_size=at_once
            )
            maps = maps.sum(1).abs()
        else:
            maps = captum.Saliency(scores).attribute(images.clone().requires_grad_(), target=classes)
            maps = maps.amax(1)
    return ops.minmax_normalise(maps.detach().float(), 0.0)


class _TaskScores(nn.Module):
    """The logits of one task, with a module that the last feature maps pass through, for captum to hook."""

    def __init__(self, model: MultiTaskModel, task: str) -> None:
        super().__init__()
        self.model = model
        self.task = task
        self.maps = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        backbone = self.model.backbone
        pooled = backbone.pooled(self.maps(backbone.feature_maps(images)))
        return self.model.logits([pooled])[self.task]


def check_task(model: MultiTaskModel, task: str) -> None:
    """Raise an `ArttlError` for a task that a model does not predict."""
    if task not in model.tasks:
        raise ArttlError(
            f"the model has no task {task!r}{did_you_mean(task, model.tasks.names)}: it predicts "
            f"{', '.join(model.tasks.names) or 'nothing'}"
        )


def _has_maps(model: MultiTaskModel, images: Tensor) -> bool:
    """Whether a network ends in maps; if not, its last block attends over tokens."""
    with torch.no_grad():
        maps = model.backbone.feature_maps(images[:1])
    if isinstance(maps, Tensor) and maps.dim() == 4:
        return True
    if not isinstance(maps, Tensor) or model.backbone.last_attention_input is None:
        ends = f"{list(maps.shape)[1:]} tokens" if isinstance(maps, Tensor) else "several tensors"
        raise ArttlError(
            f"Grad-CAM needs feature maps, and {model.backbone.name} ends in {ends}: use "
            "integrated-gradients or visual-backprop"
        )
    return False


def _token_grad_cam(scores: _TaskScores, images: Tensor, classes: Tensor) -> Tensor:
    """Grad-CAM of the tokens that the last block attends over, [B, 1, h, w]."""
    kept: list[Tensor] = []
    layer = scores.model.backbone.last_attention_input
    assert layer is not None
    hook = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        score = scores(images.clone().requires_grad_()).gather(1, classes[:, None]).sum()
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    prefix = scores.model.backbone.prefix_tokens
    tokens, gradient = kept[0].detach()[:, prefix:], gradient[:, prefix:]  # [B, P, D]
    maps = (tokens * gradient.mean(1, keepdim=True)).sum(2).clamp_min(0)
    return maps.unflatten(1, token_grid(maps.shape[1], (images.shape[2], images.shape[3])))[:, None]


def _captum() -> Any:
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise ArttlError(
            "Grad-CAM and gradients need captum: pip install 'arttl[explain]', or use the method visual-backprop"
        ) from error
