"""Maps of what a vision transformer attends to: rollout, gradient-weighted attention, and a pooling head's own.

Attention says which tokens are mixed into which. Multiplied through the blocks down to the patches it says which of
these the pooled features are made of; weighted by gradients, from which of them a class is predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from arttl.errors import ArttlError
from arttl.models import Backbone, MultiTaskModel
from arttl.saliency.attribution import check_task
from arttl.saliency.geometry import token_grid
from arttl.saliency.visual_backprop import enlarged, evaluating

AttentionMethod = Literal["attention-rollout", "attention-gradients", "attention-pool"]

_LARGEST = 2**27  # numbers of attention in memory at once, half a gigabyte; gradients take as much again


def attention_map(
    model: MultiTaskModel,
    images: Tensor,
    method: AttentionMethod,
    task: str = "",
    classes: Tensor | None = None,
) -> Tensor:
    """Which patches a transformer's pooled features, or a class of one task, come from.

    With A_l the attention of block l, [N, N] per head over all N tokens, E the mean over heads, and p [N] what the
    pooled features read of the last tokens (1 at the class token; 1 / P at each of P patches; the mean of the two where
    both are read; the pooling head's E[A]):

    - `attention-rollout` (Abnar and Zuidema 2020, arXiv 2005.00928): p (E[A_n] + I)/2 ... (E[A_1] + I)/2. It is the
      same for every task.
    - `attention-gradients` (Chefer, Gur and Wolf 2021, arXiv 2103.15679, equations 5 and 6): with s the class's logit,
      C_l = E[max(ds/dA_l * A_l, 0)], p (I + C_n) ... (I + C_1); a pooling head's p is its own C.
    - `attention-pool`: the pooling head's E[A], without the blocks; the same for every task.

    Of the result the patches' part, without class and register tokens, is enlarged to the image bilinearly and rescaled
    by its own minimum and maximum; a constant map is all zeros.

    Args:
        model: it is run in evaluation mode, and left as it was.
        images: [B, 3, H, W], normalised; they are moved to the model's device.
        method: see above.
        task: name of one of the model's tasks, for `attention-gradients`.
        classes: [B] indices of the classes to explain; None for the class with each image's highest logit.

    Returns:
        [B, H, W] float32 in [0, 1], on the model's device.

    Raises:
        ArttlError: for a network whose blocks do not attend to all tokens, or that has no pooling head.
    """
    if method == "attention-gradients":
        check_task(model, task)
    images = images.to(next(model.parameters()).device)
    size = (images.shape[2], images.shape[3])
    relevance: list[Tensor] = []
    start, at_once = 0, 1  # the first picture shows how large the attention is
    with evaluating(model.modules()):
        while start < len(images):
            chosen = slice(start, start + at_once)
            of_chosen = None if classes is None else classes[chosen]
            of_tokens, numbers = _relevance(model, images[chosen], method, task, of_chosen)
            relevance.append(of_tokens)
            start, at_once = start + at_once, max(1, _LARGEST // numbers)
    patches = torch.cat(relevance)[:, model.backbone.prefix_tokens :]  # [B, P]
    return enlarged(patches.unflatten(1, token_grid(patches.shape[1], size)), size)


def attention_methods_of(model: MultiTaskModel, images: Tensor) -> tuple[AttentionMethod, ...]:
    """The methods that suit a model; none for a network that is no vision transformer.

    Args:
        model: on its device.
        images: [B, 3, H, W], of which the first is tried.
    """
    try:
        attention_map(model, images[:1], "attention-rollout")
    except ArttlError:
        return ()
    others: tuple[AttentionMethod, ...] = ("attention-rollout", "attention-gradients")
    return (*others, "attention-pool") if model.backbone.pools == "attention" else others


def _relevance(
    model: MultiTaskModel, images: Tensor, method: AttentionMethod, task: str, classes: Tensor | None
) -> tuple[Tensor, int]:
    """The relevance of every token, [B, N], and how many numbers of attention a picture has."""
    backbone, graded = model.backbone, method == "attention-gradients"
    # Inside torch.inference_mode nothing has gradients, and its tensors must be copied to have them outside.
    with torch.inference_mode(False), torch.set_grad_enabled(graded):
        with backbone.attention() as attention:
            tokens = backbone.feature_maps(images.clone().requires_grad_(graded))
            features = backbone.pooled(tokens)
        blocks, pool = _layers(backbone, tokens, attention, method)
        numbers = sum(matrix[0].numel() for matrix in attention)
        if graded:
            logits = model.logits([features])[task]
            explained = logits.argmax(1) if classes is None else classes.to(logits.device).clone()
            score = logits.gather(1, explained[:, None]).sum()
            gradients = torch.autograd.grad(score, attention)
            weighted = [
                (gradient * matrix.detach()).clamp_min(0)
                for gradient, matrix in zip(gradients, attention, strict=True)
            ]
            blocks, pool = _layers(backbone, tokens, weighted, method)
    relevance = _read(backbone, tokens.shape, pool)
    if method == "attention-pool":
        return relevance, numbers
    share = 1.0 if graded else 0.5
    for matrix in reversed(blocks):
        relevance = share * (relevance + (relevance[:, None] @ matrix.mean(1))[:, 0])
    return relevance, numbers


def _layers(
    backbone: Backbone, tokens: Tensor, attention: Sequence[Tensor], method: AttentionMethod
) -> tuple[list[Tensor], Tensor | None]:
    """The attention of the blocks, [B, heads, N, N] each, and of the pooling head, [B, heads, 1, N or P]."""
    pools = backbone.pools
    blocks, pool = list(attention), None
    if pools == "attention" and blocks:
        pool = blocks.pop()
    if method == "attention-pool" and pool is None:
        others = "attention-rollout or attention-gradients" if blocks else "grad-cam or visual-backprop"
        raise ArttlError(
            f"--method attention-pool needs a network that pools by attention, as SigLIP, and {backbone.name} does not:"
            f" use {others}"
        )
    count = tokens.shape[1] if isinstance(tokens, Tensor) and tokens.ndim == 3 else 0
    if not blocks or pools is None or any(matrix.shape[2:] != (count, count) for matrix in blocks):
        raise ArttlError(
            f"--method {method} needs a vision transformer whose blocks attend to all patches, and {backbone.name} is"
            " none: use grad-cam or visual-backprop"
        )
    return blocks, pool


def _read(backbone: Backbone, shape: Sequence[int], pool: Tensor | None) -> Tensor:
    """What the pooled features read of the last tokens, [B, N].

    Args:
        backbone: the network.
        shape: of the tokens, [B, N, D].
        pool: of the pooling head [B, heads, 1, N or P], where there is one: its mean over heads, zero at tokens that it
            does not look at.
    """
    if pool is not None:
        of_keys = pool.mean((1, 2))
        return F.pad(of_keys, (shape[1] - of_keys.shape[1], 0))
    read = torch.zeros(shape[:2], device=next(backbone.parameters()).device)
    patches = read[:, backbone.prefix_tokens :]
    if backbone.pools != "class-token":
        patches += 1 / patches.shape[1]
    if backbone.pools != "patch-mean":
        read[:, 0] += 1
    return read / read.sum(1, keepdim=True)
