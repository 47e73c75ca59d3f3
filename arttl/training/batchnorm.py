"""Which statistics batch normalisation uses in training, and the weights of a network from scratch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from arttl.errors import ArttlError
from arttl.models import TrainedModel
from arttl.models.adaptation import is_frozen
from arttl.models.checks import check_batch_of_one
from arttl.training.settings import BatchNorm


def training_mode(model: TrainedModel, *, backbone_learns: bool, batchnorm: BatchNorm) -> None:
    """Set a model to training.

    Args:
        model: changed in place.
        backbone_learns: else the backbone stays in evaluation mode, but for its batch normalisation where
            `batchnorm` is `batch`: that is what Keras did with frozen layers in 2018 (and until TensorFlow 2):
            normalise with the batch's statistics in training, and with ImageNet's at test. torch's `train()` would
            also change ImageNet's, so their momentum is 0. Where only a part learns, the rest stays in evaluation mode.
        batchnorm: `frozen` keeps the running statistics, and uses them.
    """
    model.train()
    for backbone in model.networks:
        backbone.train(backbone_learns)
        for module in backbone.modules():
            if isinstance(module, _BatchNorm):
                module.train(batchnorm != "frozen")
                if not backbone_learns:
                    module.momentum = 0.0
        if backbone_learns:
            for module in backbone.modules():
                if is_frozen(module):
                    module.eval()


def check_batches_of_one(model: TrainedModel, batchnorm: BatchNorm, processes: int) -> None:
    """Refuse batches of one picture where batch normalisation would see one value per channel.

    Args:
        model: that is trained with the batches' statistics, but where `batchnorm` is `frozen`.
        batchnorm: the setting; with `synchronised` the batches of all processes count.
        processes: how many train.

    Raises:
        ArttlError: naming the network and the flag.
    """
    if batchnorm == "frozen" or (batchnorm == "synchronised" and processes > 1):
        return
    for backbone, preprocess in zip(model.networks, model.preprocesses, strict=True):
        check_batch_of_one(backbone, preprocess.size)


def synchronise(model: TrainedModel, device: torch.device) -> None:
    """Make batch normalisation use the statistics of all ranks' batches together.

    Raises:
        ArttlError: without a GPU, which torch's SyncBatchNorm needs.
    """
    if device.type != "cuda":
        raise ArttlError("--batchnorm synchronised needs a GPU; use frozen or batch")
    for backbone in model.networks:
        backbone.synchronise_batchnorm()


@torch.no_grad()
def he_uniform(network: nn.Module) -> None:
    """Initialise every convolution from He's uniform distribution, as the paper's network from scratch.

    He et al. 2015: uniform within sqrt(6 / fan-in), Keras's `he_uniform`; biases are 0. Linear layers inside of
    attention keep the distribution that their network gives them.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
