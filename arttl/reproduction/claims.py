"""The paper's claims, put to the test: each held, did not hold, or is not decided, by paired tests of predictions.

A claim is about pairs of cells on the same test samples. It held if the better one is ahead in every pair and beyond
chance in all of them together; it did not hold if in some pair the other is ahead beyond chance. Chance is judged at
5% over all pairs of a claim, by Holm's correction (1979) of McNemar's exact tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from arttl.evaluation.compare import TaskComparison, compare_predictions
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.results import Results

LEVEL = 0.05
Verdict = Literal["held", "did not hold", "not decided", "not tested"]


@dataclass(frozen=True)
class Pair:
    """Two cells on the same samples.

    Attributes:
        expected: the one that the claim says is better.
        other: the other.
        comparison: of `other` (first) and `expected` (second); its difference is in the claim's favour.
        beyond_chance: whether the difference, in whichever direction, survives the correction.
    """

    expected: Cell
    other: Cell
    comparison: TaskComparison
    beyond_chance: bool


@dataclass(frozen=True)
class Claim:
    """A claim and what became of it.

    Attributes:
        text: the claim.
        verdict: what became of it.
        pairs: what it was tested on.
        note: what the verdict rests on, one sentence.
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
    claims = [
        _claim(
            "Fine-tuning beats off-the-shelf in every cell.",
            results,
            lambda cell: cell.mode == "fine-tune" and cell.part in ("source", "target", "also"),
            {"mode": "off-the-shelf"},
        ),
        _claim(
            f"The weights fine-tuned on {source} beat ImageNet's on the other collection, off-the-shelf.",
            results,
            lambda cell: cell.weights == source and cell.mode == "off-the-shelf" and cell.part != "common",
            {"weights": IMAGENET},
        ),
        _claim(
            f"The weights fine-tuned on {source} beat ImageNet's on the other collection, fine-tuned.",
            results,
            lambda cell: cell.weights == source and cell.mode == "fine-tune" and cell.part != "common",
            {"weights": IMAGENET},
        ),
        _claim(
            "Initialising with ImageNet's weights beats training from scratch.",
            results,
            lambda cell: cell.mode == "fine-tune" and cell.weights == IMAGENET and cell.part == "source",
            {"mode": "scratch", "weights": "none"},
        ),
        _claim(
            "One joint network beats one network per task (the paper's future work).",
            results,
            lambda cell: cell.mode == "joint",
            {"mode": "fine-tune"},
        ),
    ]
    if any(cell.task == "artist" for cell in results.matrix.cells):
        claims.insert(1, _fails_on_artists(results))
    return claims


def _claim(
    text: str,
    results: Results,
    expected: Callable[[Cell], bool],
    other: Mapping[str, str],
) -> Claim:
    compared = list(_compared(results, expected, other))
    if not compared:
        return Claim(text, "not tested", (), "No pair of cells that it is about has been run.")
    sure = holm([comparison.p for _, _, comparison in compared])
    pairs = tuple(
        Pair(mine, theirs, comparison, beyond)
        for (mine, theirs, comparison), beyond in zip(compared, sure, strict=True)
    )
    ahead = sum(pair.comparison.difference.value > 0 for pair in pairs)
    proved = sum(pair.comparison.difference.value > 0 and pair.beyond_chance for pair in pairs)
    against = [pair for pair in pairs if pair.comparison.difference.value < 0 and pair.beyond_chance]
    note = f"Ahead in {ahead} of {len(pairs)} pairs, in {proved} beyond chance"
    note += f"; behind beyond chance in {len(against)}." if against else "."
    if against:
        return Claim(text, "did not hold", pairs, note)
    held = ahead == proved == len(pairs)
    return Claim(text, "held" if held else "not decided", pairs, note)


def _compared(
    results: Results, expected: Callable[[Cell], bool], other: Mapping[str, str]
) -> Iterator[tuple[Cell, Cell, TaskComparison]]:
    """The pairs of cells that are both done; of each figure the first seed."""
    for mine in results.matrix.cells:
        if mine.seed != 0 or not expected(mine):
            continue
        for theirs in results.cells(**{**mine.figure, **other}, seed=0):
            if results.is_done(mine) and results.is_done(theirs):
                comparisons = compare_predictions([(results.predictions(theirs), results.predictions(mine))])
                of_task = next(comparison for comparison in comparisons if comparison.task == mine.task)
                yield mine, theirs, of_task


def _fails_on_artists(results: Results) -> Claim:
    """Not a pair of networks but a network and a constant: its interval over samples beside the majority's accuracy."""
    text = "Off-the-shelf networks fail on artists."
    above, all_cells = 0, 0
    for cell in results.cells(task="artist", mode="off-the-shelf", weights=IMAGENET, seed=0):
        if cell.part == "common":
            continue
        result = results.result([cell])
        if not isinstance(result, str):
            all_cells += 1
            above += result.interval[0] > result.majority
    if not all_cells:
        return Claim(text, "not tested", (), "No network was tested on artists off-the-shelf.")
    note = f"In {above} of {all_cells} cells they are above always predicting the most frequent artist, beyond chance."
    verdict: Verdict = "did not hold" if above == all_cells else "held" if not above else "not decided"
    return Claim(text, verdict, (), note)


def holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which hypotheses Holm's step-down procedure (1979) rejects, so that the chance of any mistake is small.

    Args:
        p_values: of each.
        level: that chance.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected
