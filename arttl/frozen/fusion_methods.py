"""The methods of fusion compared: from one backbone's last layer to gates and attention over every stage of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arttl.evaluation.measures import is_correct
from arttl.frozen.mixing import (
    FittedHead,
    HiddenHead,
    fit_hidden,
    fit_mixing,
    hidden_width,
    late_fusion,
)
from arttl.frozen.study import task_values
from arttl.frozen.tokens import Samples
from arttl.models.fusion import Mixing
from arttl.models.stages import LAST_LAYER
from arttl.tasks import Task

CONCATENATION = "concatenation"
CONCATENATION_OF_ALL = "concatenation, all stages"
LATE_FUSION = "late fusion"
GATES = "gates"
ATTENTION = "attention"
CHOSEN = "best on validation"
SAME_PARAMETERS = "best alone, more parameters"
TWICE = "best twice, gates"
SIMPLE_FUSIONS = (CONCATENATION, LATE_FUSION)
"""What gates have to be better than."""
FUSIONS = (*SIMPLE_FUSIONS, CONCATENATION_OF_ALL, GATES, ATTENTION)
"""The methods over all backbones, of which `CHOSEN` is the one with the lowest validation loss.

With one backbone the simple ones are its last layer by itself, and left out.
"""


@dataclass(frozen=True)
class Outcome:
    """A method for one task on one split.

    Attributes:
        method: its name.
        indices: of its tokens.
        fitted: the head.
        rows: [N] rows of the manifest, of the test samples.
        correct: [N] which of them it got right, see `arttl.evaluation.measures.is_correct`.
        values: measure name to value on them.
        chosen: of the method `CHOSEN`, which one that is.
    """

    method: str
    indices: tuple[int, ...]
    fitted: FittedHead
    rows: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]
    values: dict[str, float]
    chosen: str | None = None

    @property
    def val_loss(self) -> float:
        """Mean over the validation samples."""
        return self.fitted.val_loss


class Comparison:
    """Fits every method for one task on one split."""

    def __init__(
        self,
        task: Task,
        samples: dict[str, Samples],
        tokens: Sequence[tuple[int, str]],
        backbones: Sequence[str],
        *,
        last: int,
        seed: int,
        on_fit: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare.

        Args:
            task: what is predicted.
            samples: split name to samples with all tokens.
            tokens: number of the backbone and stage of each.
            backbones: a name for each; a single one needs none ("").
            last: how many of a backbone's last stages the method of several last stages has.
            seed: of the controls' first weights.
            on_fit: called after each method, `len(method_names(backbones, last))` times.
        """
        self._task, self._samples, self._backbones = task, samples, backbones
        self._last, self._seed, self._on_fit = last, seed, on_fit
        self._of_backbone = [
            [index for index, (owner, _) in enumerate(tokens) if owner == number]
            for number in range(len(backbones))
        ]
        self._last_layers = [index for index, (_, stage) in enumerate(tokens) if stage == LAST_LAYER]
        self._widths = [token.shape[1] for token in samples["train"].tokens]
        self._outcomes: list[Outcome] = []

    def fit_all(self) -> list[Outcome]:
        """Fit every method, in the order of `method_names`."""
        everything = range(len(self._widths))
        several = len(self._backbones) > 1
        alone = [
            self._mix(last_layer(name), "uniform", [index])
            for name, index in zip(self._backbones, self._last_layers, strict=True)
        ]
        for name, indices in zip(self._backbones, self._of_backbone, strict=True):
            self._mix(last_stages(name, self._last), "uniform", indices[-self._last :])
        if several:
            self._mix(CONCATENATION, "uniform", self._last_layers)
            self._late(alone)
        self._mix(CONCATENATION_OF_ALL, "uniform", everything)
        gates = self._mix(GATES, "gates", everything)
        self._mix(ATTENTION, "attention", everything)
        fusions = [outcome for outcome in self._outcomes if outcome.method in FUSIONS]
        chosen = min(fusions, key=lambda outcome: outcome.val_loss)
        self._keep(replace(chosen, method=CHOSEN, chosen=chosen.method))
        best = min(range(len(alone)), key=lambda number: alone[number].val_loss)
        self._hidden(self._last_layers[best], gates)
        if several:
            self._mix(TWICE, "gates", self._of_backbone[best] * 2)
            for name, own in zip(self._backbones, self._of_backbone, strict=True):
                self._mix(without(name), "gates", [index for index in everything if index not in own])
        return self._outcomes

    def _mix(self, method: str, mixing: Mixing, indices: Sequence[int]) -> Outcome:
        train, val = (self._samples[split].with_tokens(indices) for split in ("train", "val"))
        return self._test(method, indices, fit_mixing(self._task, train, val, mixing))

    def _late(self, alone: Sequence[Outcome]) -> None:
        """The mean of the heads over each backbone's last layer."""
        widths = [self._widths[index] for index in self._last_layers]
        parts = [((number,), outcome.fitted) for number, outcome in enumerate(alone)]
        fused = late_fusion(self._task, self._samples["val"].with_tokens(self._last_layers), parts, widths)
        self._test(LATE_FUSION, self._last_layers, fused)

    def _hidden(self, index: int, gates: Outcome) -> None:
        """A head over one backbone's last layer with as many parameters as the gates have over all."""
        count = sum(parameter.numel() for parameter in gates.fitted.head.parameters())
        hidden = hidden_width(self._widths[index], self._task.outputs, count)
        head = HiddenHead(self._widths[index], hidden, self._task.outputs, self._seed)
        train, val = (self._samples[split].with_tokens([index]) for split in ("train", "val"))
        fitted = fit_hidden(self._task, head.to(train.targets.device), train, val)
        self._test(SAME_PARAMETERS, [index], fitted)

    def _test(self, method: str, indices: Sequence[int], fitted: FittedHead) -> Outcome:
        test = self._samples["test"].with_tokens(indices)
        logits = fitted.logits(test.tokens).cpu()
        correct = is_correct(self._task, logits.numpy(), test.targets.cpu().numpy())
        values = task_values(self._task, logits, test.targets)
        return self._keep(Outcome(method, tuple(indices), fitted, test.rows.numpy(), correct, values))

    def _keep(self, outcome: Outcome) -> Outcome:
        self._outcomes.append(outcome)
        self._on_fit()
        return outcome


def last_layer(backbone: str) -> str:
    """The name of the method of one backbone's last layer."""
    return f"{backbone}, last layer" if backbone else "last layer"


def last_stages(backbone: str, count: int) -> str:
    """The name of the method of one backbone's several last stages."""
    return f"{backbone}, last {count} stages" if backbone else f"last {count} stages"


def without(backbone: str) -> str:
    """The name of the control that leaves one backbone out."""
    return f"gates without {backbone}"


def method_names(backbones: Sequence[str], last: int) -> list[str]:
    """The names of all methods, in order."""
    several = len(backbones) > 1
    return [
        *(last_layer(name) for name in backbones),
        *(last_stages(name, last) for name in backbones),
        *(SIMPLE_FUSIONS if several else ()),
        CONCATENATION_OF_ALL,
        GATES,
        ATTENTION,
        CHOSEN,
        SAME_PARAMETERS,
        *((TWICE, *(without(name) for name in backbones)) if several else ()),
    ]
