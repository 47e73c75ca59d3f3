"""The heads of a multi-task model: from pooled features to one task's logits.

`HEADS` names the kinds. To add one, write a subclass of `Head` and register it:

    from arttl.models.heads import HEADS
    HEADS["my-head"] = MyHead
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from arttl.errors import ArttlError, did_you_mean
from arttl.tasks import TaskSet

HIDDEN_WIDTH = 512
"""Hidden units of the `mlp` head by default."""
_MAX_HIDDEN_WIDTH = 16_384  # a model folder from elsewhere must not decide the memory


class Head(nn.Module, ABC):
    """One task's head: features [B, D] to logits [B, Q].

    A subclass is built from D, Q and keywords, all of which have defaults.
    """

    @abstractmethod
    def absorb_standardisation(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Turn a head trained on `(features - mean) / std` into one on the features themselves.

        Args:
            mean, std: [D], of the features the head was trained on.
        """

    @abstractmethod
    def specification(self) -> dict[str, Any]:
        """The `kind` under which the class is registered, and the keywords that built the head; JSON-ready."""


class LinearHead(nn.Linear, Head):
    """One linear layer."""

    @torch.no_grad()
    def absorb_standardisation(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """See `Head`."""
        _absorb(self, mean, std)

    def specification(self) -> dict[str, Any]:
        """See `Head`."""
        return {"kind": "linear"}


class MlpHead(Head):
    """One hidden layer: linear to `width` units, GELU, dropout, linear to the logits."""

    def __init__(
        self, in_features: int, out_features: int, width: int = HIDDEN_WIDTH, dropout: float = 0.0
    ) -> None:
        """Build the head with torch's initial weights.

        Args:
            in_features: D.
            out_features: Q.
            width: hidden units.
            dropout: probability with which training sets a hidden unit to zero.

        Raises:
            ValueError: for a width or a probability out of range.
        """
        super().__init__()
        if not 1 <= width <= _MAX_HIDDEN_WIDTH:
            raise ValueError(f"an mlp head's width is between 1 and {_MAX_HIDDEN_WIDTH}, not {width}")
        self.hidden = nn.Linear(in_features, width)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, out_features)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits [B, Q] of features [B, D]."""
        logits: torch.Tensor = self.output(self.dropout(nn.functional.gelu(self.hidden(features))))
        return logits

    @torch.no_grad()
    def absorb_standardisation(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """See `Head`."""
        _absorb(self.hidden, mean, std)

    def specification(self) -> dict[str, Any]:
        """See `Head`."""
        return {"kind": "mlp", "width": self.hidden.out_features, "dropout": self.dropout.p}


def _absorb(layer: nn.Linear, mean: torch.Tensor, std: torch.Tensor) -> None:
    layer.weight.div_(std)
    layer.bias.sub_(layer.weight @ mean)


HEADS: dict[str, type[Head]] = {"linear": LinearHead, "mlp": MlpHead}
"""Kind of head, as `--head` and `model.json` name it, to its class."""


def check_head(kind: str) -> None:
    """Check that a kind is registered.

    Raises:
        ArttlError: if it is not.
    """
    if kind not in HEADS:
        known = ", ".join(HEADS)
        raise ArttlError(f"--head {kind!r} is not known{did_you_mean(kind, HEADS)}; there are: {known}")


def build_head(specification: Mapping[str, Any], in_features: int, out_features: int) -> Head:
    """A new head: the inverse of `Head.specification`, but for the weights.

    Args:
        specification: `kind`, one of `HEADS`, and keywords of its class; those left out have their defaults.
        in_features: D.
        out_features: Q.

    Raises:
        ArttlError: for an unknown kind, or keywords that its class does not take.
    """
    keywords = dict(specification)
    kind = str(keywords.pop("kind", None))
    check_head(kind)
    try:
        return HEADS[kind](in_features, out_features, **keywords)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]  # torch adds its own stack
        raise ArttlError(f"a head of kind {kind!r} cannot be built from {keywords}: {reason}") from error


class Heads(nn.Module):
    """One head per task, all of one kind and on the same features.

    They are in a list, in the order of the tasks: task names come from users, and some of them (`type`, `train`) cannot
    name a submodule.

    Attributes:
        tasks: what is predicted.
        layers: the heads.
        specification: JSON-ready; given as `head`, it builds the same heads but for the weights.
    """

    def __init__(self, num_features: int, tasks: TaskSet, head: str | Mapping[str, Any] = "linear") -> None:
        """Build new heads.

        Args:
            num_features: D.
            tasks: what to predict.
            head: a kind of `HEADS`, or a specification.

        Raises:
            ArttlError: as `build_head` does.
        """
        super().__init__()
        specification = {"kind": head} if isinstance(head, str) else dict(head)
        heads = [build_head(specification, num_features, task.outputs) for task in tasks]
        self.tasks = tasks
        self.layers = nn.ModuleList(heads)
        self.specification = heads[0].specification() if heads else specification

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of every task, [B, Q] each, from features [B, D]."""
        return {task.name: head(features) for task, head in zip(self.tasks, self.layers, strict=True)}

    def absorb_standardisation(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Of every head, see `Head`."""
        for head in self.layers:
            assert isinstance(head, Head)
            head.absorb_standardisation(mean, std)

    def linear_layers(self) -> tuple[nn.Linear, ...]:
        """The heads where each is one linear layer, whose weights logistic regression can solve for.

        Raises:
            ArttlError: for another kind.
        """
        linear = tuple(head for head in self.layers if isinstance(head, nn.Linear))
        if len(linear) < len(self.layers):
            raise ArttlError(
                f"--head {self.specification['kind']} and --mode off-the-shelf do not go together, since logistic"
                " regression solves for linear heads: use --head linear, or train by epochs with --frozen-batchnorm"
                " batch-statistics"
            )
        return linear
