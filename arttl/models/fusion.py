"""Fusion: the pooled stages of several backbones, each a token, mixed per task; and its folder on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from arttl.documents import structured
from arttl.errors import ArttlError
from arttl.loading.preprocess import Preprocess
from arttl.models.backbones import Backbone
from arttl.models.folders import Provenance, TrainedModel, find_model_folder
from arttl.models.hub import local_folder
from arttl.models.multitask import MultiTaskModel, load_model
from arttl.models.settings import Pooling
from arttl.models.stages import PooledStages
from arttl.tasks import TaskSet

Mixing = Literal["uniform", "gates", "attention"]

_WIDEST_STAGE = 2**20
_MOST_BACKBONES = 64  # of a file: building one takes up to a second
_NO_SHARE = -1e4  # a gate whose share is zero to the last bit; of infinity a moving average would make NaN


class TokenHead(nn.Module):
    """One task's head over T tokens: `sum over t of sqrt(share_t) W_t x_t, + b`, the shares adding up to one.

    With an L2 penalty on W this is a kernel machine on the mixed kernel `sum of share_t K_t`: minimising over the
    shares as well is multiple kernel learning (Bach, Lanckriet and Jordan 2004; Rakotomamonjy et al. 2008), whose
    penalty, the squared sum of the |W_t|, drops tokens that do not help. `uniform` keeps all shares equal, so that it
    is a linear head on the concatenated tokens; `gates` learns them; `attention` lets them depend on the picture,
    `softmax over t of (gate_t + u_t . x_t)`.
    """

    def __init__(self, widths: Sequence[int], outputs: int, mixing: Mixing) -> None:
        """A head of zeros.

        Args:
            widths: D of each token.
            outputs: Q.
            mixing: how the shares come about.
        """
        super().__init__()
        self.widths, self.mixing = tuple(widths), mixing
        self.weight = nn.Parameter(torch.zeros(outputs, sum(widths)))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gates = nn.Parameter(torch.zeros(len(widths)), requires_grad=mixing != "uniform")
        self.attention = nn.Parameter(torch.zeros(1, sum(widths))) if mixing == "attention" else None

    def forward(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [B, Q] of tokens [B, D] each, normalised."""
        pieces = zip(tokens, self.weight.split(self.widths, dim=1), strict=True)
        partial = torch.stack([F.linear(token, piece) for token, piece in pieces], dim=1)  # [B, T, Q]
        # The square root of a softmax, as half its logarithm: its gradient stays finite where a share nears 0.
        mixed: torch.Tensor = (partial * (self.log_shares(tokens) / 2).exp()[..., None]).sum(1)
        return mixed + self.bias

    def extended_to(self, widths: Sequence[int], indices: Sequence[int]) -> TokenHead:
        """The same head over more tokens, which it ignores: their shares are zero.

        Args:
            widths: D of all tokens.
            indices: of this head's own tokens in `widths`, ascending.
        """
        wider = TokenHead(widths, len(self.bias), self.mixing)
        wider.to(self.weight.device)
        with torch.no_grad():
            wider.bias.copy_(self.bias)
            wider.gates.fill_(_NO_SHARE)
            wider.gates[list(indices)] = self.gates
            for whole, own in ((wider.weight, self.weight), (wider.attention, self.attention)):
                if whole is not None and own is not None:
                    pieces = whole.split(list(widths), dim=1)
                    for index, piece in zip(indices, own.split(self.widths, dim=1), strict=True):
                        pieces[index].copy_(piece)
        return wider

    def log_shares(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logarithms of the shares: [1, T], or [B, T] for attention."""
        scores = self.gates[None]
        if self.attention is not None:
            pieces = zip(tokens, self.attention.split(self.widths, dim=1), strict=True)
            scores = scores + torch.cat([F.linear(token, piece) for token, piece in pieces], dim=1)
        return scores.log_softmax(1)


@dataclass(frozen=True)
class Token:
    """A pooled stage of one of the backbones."""

    backbone: int
    """Its index."""
    stage: str
    """A name of `arttl.models.stages.stage_widths`."""


class FusedModel(TrainedModel):
    """Several backbones whose pooled stages are mixed per task.

    Attributes:
        backbones: one `PooledStages` per network.
        tokens: what is mixed, in order; those of a backbone in the order of its stages.
        mixing: task name to how its shares come about.
        heads: one `TokenHead` per task.
    """

    file_name = "fused"
    noun = "fused model"
    heads: nn.ModuleList

    def __init__(
        self,
        backbones: Sequence[PooledStages],
        preprocesses: Sequence[Preprocess],
        tasks: TaskSet,
        mixing: Mapping[str, Mixing],
        provenance: Provenance | None = None,
    ) -> None:
        """Join backbones and new heads; the tokens are all stages of all backbones.

        Args:
            backbones: with their weights, cut to the stages that are to be mixed.
            preprocesses: of each; their pictures may differ in size.
            tasks: what to predict.
            mixing: for each task, see `TokenHead`.
            provenance: how the model came to be.
        """
        super().__init__(tasks, preprocesses, provenance)
        self.backbones = nn.ModuleList(backbones)
        self.tokens = tuple(
            Token(index, stage) for index, network in enumerate(backbones) for stage in network.widths
        )
        self.mixing = {name: mixing[name] for name in tasks.names}
        widths = [width for network in backbones for width in network.widths.values()]
        self.heads = nn.ModuleList(TokenHead(widths, task.outputs, mixing[task.name]) for task in tasks)
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("mean", torch.zeros(sum(widths)))
        self.register_buffer("scale", torch.ones(sum(widths)))

    def features(self, *images: torch.Tensor) -> list[torch.Tensor]:
        """What all tasks share, [B, D] for each of `tokens`: the backbones' pooled stages, normalised."""
        return self.normalise(
            [stage for network, own in zip(self.backbones, images, strict=True) for stage in network(own)]
        )

    def normalise(self, stages: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The backbones' pooled stages, [B, D] for each of `tokens`, normalised as the heads expect them."""
        widths = [stage.shape[1] for stage in stages]
        means, scales = self.mean.split(widths), self.scale.split(widths)
        return [(stage - mean) * scale for stage, mean, scale in zip(stages, means, scales, strict=True)]

    def logits(self, features: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Task name to logits [B, Q], from `features`."""
        return {task.name: head(features) for task, head in zip(self.tasks, self.heads, strict=True)}

    def head_of(self, task: str) -> nn.Module:
        """See `TrainedModel`."""
        return self.heads[self.tasks.names.index(task)]

    @property
    def networks(self) -> tuple[Backbone, ...]:
        """The backbones themselves."""
        return tuple(network.backbone for network in self._stages)

    @property
    def _stages(self) -> list[PooledStages]:
        return [network for network in self.backbones if isinstance(network, PooledStages)]

    def for_training(
        self, tasks: TaskSet, preprocesses: Sequence[Preprocess], provenance: Provenance
    ) -> tuple[FusedModel, tuple[str, ...]]:
        """The same networks and tokens for other tasks: a task of the same classes keeps its head.

        Args:
            tasks: what is to be predicted; new ones begin with equal gates over all tokens.
            preprocesses: of each backbone.
            provenance: how the new model came to be.

        Returns:
            The model, whose backbones are this one's; and the names of the tasks whose head is new.
        """
        known = {
            theirs.name: head
            for theirs, head in zip(self.tasks, self.heads, strict=True)
            if any(theirs.same_targets_as(task) for task in tasks)
        }
        mixing: dict[str, Mixing] = {
            task.name: self.mixing[task.name] if task.name in known else "gates" for task in tasks
        }
        model = FusedModel(self._stages, preprocesses, tasks, mixing, provenance)
        model.mean.copy_(self.mean)
        model.scale.copy_(self.scale)
        for task, head in zip(tasks, model.heads, strict=True):
            if task.name in known:
                head.load_state_dict(known[task.name].state_dict())
        return model, tuple(name for name in tasks.names if name not in known)

    @torch.no_grad()
    def shares(self) -> dict[str, dict[Token, float]]:
        """Task name to the share of each token; with attention, that of a picture whose features are average."""
        shares = {}
        for task, head in zip(self.tasks, self.heads, strict=True):
            assert isinstance(head, TokenHead)
            shares[task.name] = dict(zip(self.tokens, head.gates.softmax(0).tolist(), strict=True))
        return shares

    def description(self) -> dict[str, Any]:
        """See `TrainedModel`."""
        return {
            "mixing": self.mixing,
            "backbones": [
                {
                    "name": network.backbone.name,
                    "pooling": network.backbone.pooling,
                    "stages": network.widths,
                    "preprocess": preprocess.to_dict(),
                }
                for network, preprocess in zip(self._stages, self.preprocesses, strict=True)
            ],
        }

    @classmethod
    def build(cls, description: Mapping[str, Any]) -> FusedModel:
        """See `TrainedModel`."""
        record = structured(dict(description), _Record, "fused.json", surplus=True)
        tasks = TaskSet.from_dict(description, "fused.json")
        if lacking := [name for name in tasks.names if name not in record.mixing]:
            raise ValueError(f"fused.json: 'mixing' lacks the task {lacking[0]!r}")
        return cls(
            [PooledStages(Backbone(each.name, each.pooling), each.stages) for each in record.backbones],
            [Preprocess.from_dict(each.preprocess) for each in record.backbones],
            tasks,
            record.mixing,
            record.provenance,
        )


@dataclass(frozen=True)
class _BackboneRecord:
    name: str
    stages: dict[str, int]
    preprocess: dict[str, Any]
    pooling: Pooling | None = None

    def __post_init__(self) -> None:
        if not all(1 <= width <= _WIDEST_STAGE for width in self.stages.values()):
            raise ValueError(f"the width of a stage is not from 1 to {_WIDEST_STAGE:,}")


@dataclass(frozen=True)
class _Record:
    mixing: dict[str, Mixing]
    backbones: tuple[_BackboneRecord, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        if not 1 <= len(self.backbones) <= _MOST_BACKBONES:
            raise ValueError(f"there are {len(self.backbones)} backbones")


def is_fused(folder: Path) -> bool:
    """Whether a folder is that of a fused model, or a run that has left one."""
    return find_model_folder(folder, FusedModel.file_name) is not None


def load_trained_model(folder: str | Path) -> MultiTaskModel | FusedModel:
    """Load a saved model of either kind; both are called with a batch for each of their `preprocesses`.

    Args:
        folder: a model's folder, a run folder, or an address, see `load_model`.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ArttlError: as for `load_model` and `load_fused`.
    """
    folder = local_folder(folder)
    return load_fused(folder) if is_fused(folder) else load_model(folder)


def load_fused(folder: str | Path) -> FusedModel:
    """Load a saved fused model; it needs nothing of the run that made it.

    Args:
        folder: a fused model's folder, the run folder of `arttl fuse`, or an address, see `load_model`.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ArttlError: if the folder holds no fused model, or one that does not fit its own description.
    """
    path = find_model_folder(local_folder(folder), FusedModel.file_name)
    if path is None:
        raise ArttlError(
            f"{folder} holds no fused model: expected fused.json and fused.safetensors, as `arttl fuse` leaves them"
        )
    return FusedModel.read(path)
