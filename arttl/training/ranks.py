"""What ranks that train together need: a gradient of every parameter, in every step, on each of them."""

from __future__ import annotations

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs

from arttl.models import TrainedModel


def prepare_ranks(accelerator: Accelerator, model: TrainedModel) -> None:
    """Let torch look for parameters without a gradient only where a network has some.

    Looking costs a pass over the graph in every step. Heads need none: `TrainingStep` gives those of tasks without a
    label a gradient on all ranks, and takes it away again.

    Args:
        accelerator: that will prepare the model.
        model: on its device, with the parameters frozen that do not learn.
    """
    if accelerator.num_processes > 1:
        idle = _has_idle_parameters(model)
        accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=idle)


def _has_idle_parameters(model: TrainedModel) -> bool:
    """Whether the networks hold parameters that learn, but that their output does not depend on."""
    training = {module for module in model.modules() if module.training}
    model.eval()  # no statistics of batch normalisation change
    device = next(model.parameters()).device
    images = [torch.zeros(1, 3, each.size, each.size, device=device) for each in model.preprocesses]
    with torch.enable_grad():
        torch.stack([logits.sum() for logits in model(*images).values()]).sum().backward()
    idle = any(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    model.zero_grad(set_to_none=True)
    for module in model.modules():
        module.training = module in training
    return idle
