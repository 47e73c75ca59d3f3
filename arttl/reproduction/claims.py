"""Tests of the paper's claims: each held, did not hold, or is not decided, by paired tests of predictions.

A claim is about pairs of cells on the same test samples. It held if the better one is ahead in every pair and beyond
chance in all of them together; it did not hold if in some pair the other is ahead beyond chance. Chance is judged at
5% over all pairs of a claim, by Holm's correction (1979) of McNemar's exact tests.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arttl.evaluation.compare import TaskComparison
from arttl.experiment_report.contents import Verdict
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.published import published
from arttl.reproduction.results import Results, compare_task
from arttl.reproduction.settings import CONVOLUTIONAL, TRANSFORMERS

LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two cells on the same samples.

    Attributes:
        expected: the better one according to the claim.
        other: the cell it is compared with.
        comparison: of `other` (first) and `expected` (second); its difference is positive in the claim's favour.
        beyond_chance: whether the difference, in whichever direction, survives the correction.
    """

    expected: Cell
    other: Cell
    comparison: TaskComparison
    beyond_chance: bool


@dataclass(frozen=True)
class Claim:
    """A claim and its verdict.

    Attributes:
        text: the claim.
        verdict: of the tests.
        pairs: that were tested.
        note: the reason for the verdict, one sentence.
    """

    text: str
    verdict: Verdict
    pairs: tuple[Pair, ...]
    note: str


def examine_claims(results: Results, source: str) -> list[Claim]:
    """All claims.

    Args:
        results: of the runs.
        source: name of the source collection.
    """

    def transferred(mode: str) -> Callable[[Cell], bool]:
        return lambda cell: (cell.weights, cell.mode) == (source, mode) and cell.part != "common"

    claims = [
        _claim(
            results,
            "Fine-tuning beats off-the-shelf in every cell.",
            lambda cell: cell.mode == "fine-tune" and cell.part in ("source", "target", "also"),
            mode="off-the-shelf",
        ),
        *(
            _claim(
                results,
                f"The weights fine-tuned on {source} beat ImageNet's on the other collection, {description}.",
                transferred(mode),
                weights=IMAGENET,
            )
            for mode, description in (("off-the-shelf", "off-the-shelf"), ("fine-tune", "fine-tuned"))
        ),
        _claim(
            results,
            "Initialising with ImageNet's weights beats training from scratch.",
            lambda cell: (cell.mode, cell.weights, cell.part) == ("fine-tune", IMAGENET, "source"),
            mode="scratch",
            weights="none",
        ),
        _claim(
            results,
            "One joint network beats one network per task (the paper's future work).",
            lambda cell: cell.mode == "joint",
            mode="fine-tune",
        ),
    ]
    if any(cell.task == "artist" for cell in results.plan.matrix.cells):
        claims.insert(1, _fails_on_artists(results))
    return claims


def examine_claims_of_networks(results: Results) -> list[Claim]:
    """The claims of Tonkes and Sabatelli 2022.

    Which networks stand for transformers and for convolutional networks is decided by the published figures, so that
    no test figure of ours chooses what it is compared with.
    """
    networks = results.plan.settings.networks
    transformer, convolutional = (_best_published(networks, kind) for kind in (TRANSFORMERS, CONVOLUTIONAL))
    text = "Frozen transformers are better feature extractors than frozen convolutional networks"
    if transformer and convolutional:
        text += f": {transformer} beats {convolutional}, each the best of its kind in the publication"
    return [
        _claim(
            results,
            f"{text}.",
            lambda cell: bool(convolutional) and (cell.mode, cell.backbone) == ("off-the-shelf", transformer),
            backbone=convolutional or "",
        ),
        _claim(
            results,
            "Fine-tuning beats off-the-shelf in every cell.",
            lambda cell: cell.mode == "fine-tune",
            mode="off-the-shelf",
        ),
    ]


def _best_published(networks: Sequence[str], kind: Sequence[str]) -> str | None:
    """Of some networks the one of a kind with the highest published accuracy off-the-shelf, the mean of the tasks."""

    def mean(network: str) -> float:
        figures = published().find(
            source="tonkes2022", network=network.partition(".")[0], mode="off-the-shelf", measure="accuracy"
        )
        return statistics.fmean(figure.value for figure in figures)

    return max((name for name in networks if name.partition(".")[0] in kind), key=mean, default=None)


def _claim(results: Results, text: str, is_better: Callable[[Cell], bool], **other: str) -> Claim:
    """Test a claim.

    Args:
        results: of the runs.
        text: the claim.
        is_better: true for the cells that are better according to the claim; of each figure the first seed is tested.
        other: the attributes in which the cell that each is compared with differs from it.
    """
    compared: list[tuple[Cell, Cell, TaskComparison]] = []
    for cell in filter(results.is_done, filter(is_better, results.cells(seed=0))):
        for against in filter(results.is_done, results.cells(**{**cell.figure, **other}, seed=0)):
            predictions = (results.predictions(against), results.predictions(cell))
            compared.append((cell, against, compare_task([predictions], cell.task)))
    if not compared:
        return Claim(text, "not tested", (), "No pair of cells that it is about has been run.")
    beyond_chance = holm([comparison.p for _, _, comparison in compared])
    pairs = tuple(Pair(*cells, beyond) for cells, beyond in zip(compared, beyond_chance, strict=True))
    ahead = [pair.beyond_chance for pair in pairs if pair.comparison.difference.value > 0]
    behind = sum(pair.beyond_chance for pair in pairs if pair.comparison.difference.value < 0)
    note = f"Ahead in {len(ahead)} of {len(pairs)} pairs, in {sum(ahead)} beyond chance"
    note += f"; behind beyond chance in {behind}." if behind else "."
    held = sum(ahead) == len(pairs)
    return Claim(text, "did not hold" if behind else "held" if held else "not decided", pairs, note)


def _fails_on_artists(results: Results) -> Claim:
    """Each network is compared with a constant: its interval over samples with the majority's accuracy."""
    text = "Off-the-shelf networks fail on artists."
    above = []
    for cell in results.cells(task="artist", mode="off-the-shelf", weights=IMAGENET, seed=0):
        result = results.result([cell])
        if cell.part != "common" and not isinstance(result, str):
            above.append(result.interval[0] > result.majority)
    if not above:
        return Claim(text, "not tested", (), "No network was tested on artists off-the-shelf.")
    note = (
        f"In {sum(above)} of {len(above)} cells they are above always predicting the most frequent artist, beyond"
        " chance."
    )
    verdict: Verdict = "did not hold" if all(above) else "not decided" if any(above) else "held"
    return Claim(text, verdict, (), note)


def holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which hypotheses Holm's step-down procedure (1979) rejects, which bounds the chance of any error.

    Args:
        p_values: of the hypotheses.
        level: the bound.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected
