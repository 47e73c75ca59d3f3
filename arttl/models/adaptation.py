"""Between off-the-shelf and fine-tuning: the last blocks alone learn, or low-rank changes of attention's matrices."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from arttl.errors import ArttlError, counted

if TYPE_CHECKING:
    from arttl.models.backbones import Backbone

_FORM = re.compile(r"full|last-(?P<blocks>[1-9][0-9]{0,3})|lora(-(?P<rank>[1-9][0-9]{0,3}))?")
_RANK = 8


@dataclass(frozen=True)
class Adaptation:
    """What of a network learns: all of it unless one of the two is given."""

    blocks: int | None = None
    """How many of the last blocks learn, with all that follows them."""
    rank: int | None = None
    """Of the changes of the matrices, in place of the matrices themselves (LoRA)."""

    @classmethod
    def of(cls, text: str) -> Adaptation:
        """Read `full`, `last-K`, `lora` (of rank 8) or `lora-RANK`.

        Raises:
            ArttlError: for another text.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ArttlError(
                f"--adapt {text!r} is not known; give full, last-K (such as last-2), lora or lora-RANK"
            )
        blocks, rank = match["blocks"], match["rank"]
        return cls(int(blocks) if blocks else None, int(rank or _RANK) if text.startswith("lora") else None)

    def apply(self, backbone: Backbone, size: int) -> str:
        """Freeze what does not learn, and add what learns in its place.

        Args:
            backbone: with its first weights, on the CPU; changed in place.
            size: side of its input in pixels.

        Returns:
            What learns, in words; empty where all does.

        Raises:
            ArttlError: if the network has too few blocks, or no attention; or if peft is not installed.
        """
        if self.blocks is not None:
            what = _freeze_but_last(backbone, self.blocks)
        elif self.rank is not None:
            what = _add_low_rank(backbone, self.rank, size)
        else:
            return ""
        learning, count = (
            sum(parameter.numel() for parameter in backbone.parameters() if parameter.requires_grad or every)
            for every in (False, True)
        )
        return f"{what}: {learning / 1e6:.2f} of {count / 1e6:.2f} million parameters of {backbone.name}"


def merge(backbone: Backbone) -> None:
    """Add low-rank changes to the matrices that they change, so that the network is an ordinary one again."""
    for name, module in list(backbone.network.named_modules()):
        if hasattr(module, "lora_A") and hasattr(module, "get_base_layer"):
            module.merge()
            backbone.network.set_submodule(name, module.get_base_layer())
    backbone.requires_grad_(True)


def is_frozen(module: nn.Module) -> bool:
    """Whether a module holds parameters and none of them learns."""
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def _freeze_but_last(backbone: Backbone, blocks: int) -> str:
    network = backbone.network
    if not hasattr(network, "group_matcher"):
        raise ArttlError(
            f"--adapt last-{blocks}: timm does not describe the blocks of {backbone.name}; give full"
        )
    # The stem is the first group, and what follows the last block belongs to its group.
    from timm.models import group_parameters  # not for help: it takes a second

    groups: dict[int, list[str]] = group_parameters(network, network.group_matcher(coarse=False))
    if blocks >= len(groups):
        raise ArttlError(
            f"--adapt last-{blocks}: {backbone.name} has {counted(len(groups) - 1, 'block')}; give a smaller number, or"
            " full"
        )
    learning = {name for group in sorted(groups)[-blocks:] for name in groups[group]}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in learning)
    return f"the last {counted(blocks, 'block')} learn" if blocks > 1 else "the last block learns"


def _add_low_rank(backbone: Backbone, rank: int, size: int) -> str:
    """LoRA (Hu et al. 2022, arXiv 2106.09685) of every matrix of attention, scaled by 2, the second factor zero."""
    names = _attention_matrices(backbone, size)
    if not names:
        raise ArttlError(
            f"--adapt lora changes the matrices of attention, and {backbone.name} has none: use last-K, such as last-2"
        )
    largest = max(min(backbone.network.get_submodule(name).weight.shape) for name in names)
    if rank > largest:
        raise ArttlError(
            f"--adapt lora-{rank}: the matrices of attention of {backbone.name} have a rank of {largest} at most; give"
            " a smaller number, or full"
        )
    peft = _peft()
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names)
    peft.inject_adapter_in_model(config, backbone.network)
    kinds = dict.fromkeys(name.rpartition(".")[2] for name in names)
    return f"changes of rank {rank} of {len(names)} matrices of attention ({', '.join(kinds)}) learn"


@torch.no_grad()
def _attention_matrices(backbone: Backbone, size: int) -> list[str]:
    """Names of the linear layers of attention that run as layers: some networks take the weights out of theirs."""
    layers = {
        name: module
        for name, module in backbone.network.named_modules()
        if isinstance(module, nn.Linear) and "attn" in name.split(".")[:-1]
    }
    ran: set[nn.Module] = set()
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output: ran.add(module))
        for layer in layers.values()
    ]
    training = backbone.training
    try:
        backbone.eval()(torch.zeros(1, 3, size, size))
    finally:
        backbone.train(training)
        for hook in hooks:
            hook.remove()
    return [name for name, layer in layers.items() if layer in ran]


def _peft() -> Any:
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        raise ArttlError('--adapt lora needs peft: pip install "arttl[adapt]"') from error
