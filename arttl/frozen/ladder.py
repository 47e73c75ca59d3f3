"""The fusion ladder: from one backbone's last layer to gates and attention over every stage of all, with controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arttl.evaluation.measures import is_correct
from arttl.frozen.measuring import task_values
from arttl.frozen.mixing import (
    Fitted,
    HiddenHead,
    fit_hidden,
    fit_mixing,
    hidden_width,
    late_fusion,
)
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
"""The rungs over all backbones, of which `CHOSEN` is the one with the lowest validation loss.

With one backbone the simple ones are its last layer by itself, and left out.
"""


@dataclass(frozen=True)
class Outcome:
    """A rung for one task on one split.

    Attributes:
        rung: its name.
        places: its tokens, as places among all.
        fitted: the head.
        val_loss: mean over the validation samples.
        rows: [N] rows of the manifest, of the test samples.
        correct: [N] which of them it got right, see `arttl.evaluation.measures.is_correct`.
        values: measure name to value on them.
        chosen: of the rung `CHOSEN`, which one that is.
    """

    rung: str
    places: tuple[int, ...]
    fitted: Fitted
    val_loss: float
    rows: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]
    values: dict[str, float]
    chosen: str | None = None


class Ladder:
    """Fits the rungs for one task on one split."""

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
            last: how many of a backbone's last stages the rung of several last layers has.
            seed: of the controls' first weights.
            on_fit: called after each rung, `rungs(backbones)` times.
        """
        self._task, self._samples, self._backbones = task, samples, backbones
        self._last, self._seed, self._on_fit = last, seed, on_fit
        self._several = len(backbones) > 1
        self._of_backbone = [
            [place for place, (owner, _) in enumerate(tokens) if owner == number]
            for number in range(len(backbones))
        ]
        self._last_layers = [place for place, (_, stage) in enumerate(tokens) if stage == LAST_LAYER]
        self._widths = [found.shape[1] for found in samples["train"].tokens]
        self._outcomes: list[Outcome] = []

    def climb(self) -> list[Outcome]:
        """Fit every rung, in the order of `rungs`."""
        everything = range(len(self._widths))
        alone = [
            self._mix(last_layer(name), "uniform", [place])
            for name, place in zip(self._backbones, self._last_layers, strict=True)
        ]
        for name, places in zip(self._backbones, self._of_backbone, strict=True):
            self._mix(last_layers(name, self._last), "uniform", places[-self._last :])
        if self._several:
            self._mix(CONCATENATION, "uniform", self._last_layers)
            self._late(alone)
        self._mix(CONCATENATION_OF_ALL, "uniform", everything)
        gates = self._mix(GATES, "gates", everything)
        self._mix(ATTENTION, "attention", everything)
        self._choose()
        best = min(range(len(alone)), key=lambda number: alone[number].val_loss)
        self._hidden(self._last_layers[best], gates)
        if self._several:
            self._mix(TWICE, "gates", self._of_backbone[best] * 2)
            for number, name in enumerate(self._backbones):
                others = [place for place in everything if place not in self._of_backbone[number]]
                self._mix(without(name), "gates", others)
        return self._outcomes

    def _choose(self) -> None:
        fusions = [found for found in self._outcomes if found.rung in FUSIONS]
        best = min(fusions, key=lambda found: found.val_loss)
        self._outcomes.append(replace(best, rung=CHOSEN, chosen=best.rung))
        self._on_fit()

    def _mix(self, rung: str, mixing: Mixing, places: Sequence[int]) -> Outcome:
        train, val = (self._samples[split].only(places) for split in ("train", "val"))
        return self._keep(rung, places, fit_mixing(self._task, train, val, mixing))

    def _late(self, alone: Sequence[Outcome]) -> None:
        widths = [self._widths[place] for place in self._last_layers]
        parts = [((number,), found.fitted) for number, found in enumerate(alone)]
        fused = late_fusion(self._task, self._samples["val"].only(self._last_layers), parts, widths)
        self._keep(LATE_FUSION, self._last_layers, fused)

    def _hidden(self, place: int, gates: Outcome) -> None:
        """A head over one backbone's last layer with as many parameters as the gates have over all."""
        count = sum(parameter.numel() for parameter in gates.fitted.head.parameters())
        hidden = hidden_width(self._widths[place], self._task.outputs, count)
        head = HiddenHead(self._widths[place], hidden, self._task.outputs, self._seed)
        train, val = (self._samples[split].only([place]) for split in ("train", "val"))
        fitted = fit_hidden(self._task, head.to(train.targets.device), train, val)
        self._keep(SAME_PARAMETERS, [place], fitted)

    def _keep(self, rung: str, places: Sequence[int], fitted: Fitted) -> Outcome:
        test = self._samples["test"].only(places)
        logits = fitted.logits(test.tokens).cpu()
        outcome = Outcome(
            rung,
            tuple(places),
            fitted,
            fitted.val_loss,
            test.rows.numpy(),
            is_correct(self._task, logits.numpy(), test.targets.cpu().numpy()),
            task_values(self._task, logits, test.targets),
        )
        self._outcomes.append(outcome)
        self._on_fit()
        return outcome


def last_layer(backbone: str) -> str:
    """The name of the rung of one backbone's last layer."""
    return f"{backbone}, last layer" if backbone else "last layer"


def last_layers(backbone: str, count: int) -> str:
    """The name of the rung of one backbone's several last stages."""
    return f"{backbone}, last {count} stages" if backbone else f"last {count} stages"


def without(backbone: str) -> str:
    """The name of the control that leaves one backbone out."""
    return f"gates without {backbone}"


def rungs(backbones: Sequence[str], last: int) -> list[str]:
    """The names of all rungs, in order."""
    several = len(backbones) > 1
    return [
        *(last_layer(name) for name in backbones),
        *(last_layers(name, last) for name in backbones),
        *(SIMPLE_FUSIONS if several else ()),
        CONCATENATION_OF_ALL,
        GATES,
        ATTENTION,
        CHOSEN,
        SAME_PARAMETERS,
        *((TWICE, *(without(name) for name in backbones)) if several else ()),
    ]
