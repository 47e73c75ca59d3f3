"""Confident learning, on out-of-fold probabilities alone.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LEAST = 1e-9  # of a probability, so that ratios stay finite

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contradictions:
    """How far probabilities contradict the labels of N objects.

    Attributes:
        suggested: [N] int64, the likeliest class other than the label.
        contradicted: [N] bool, whether it is likelier than the label.
        confident: [N] bool, whether it also is as probable as it is, on average, for the objects that have it as label.
        score: [N] 0 to 1, the higher the more doubtful is the label.
    """

    suggested: npt.NDArray[np.int64]
    contradicted: npt.NDArray[np.bool_]
    confident: npt.NDArray[np.bool_]
    score: Floats


def find_contradictions(probabilities: Floats, given: npt.NDArray[np.int64]) -> Contradictions:
    """Compare labels with probabilities.

    With p the probability of the label, q that of the likeliest other class, and t the mean probability of a class over
    the objects that have it as label (the thresholds of confident learning), the score is

        (q / sqrt(t_q)) / (q / sqrt(t_q) + p / sqrt(t_p)).

    Heads give rare classes little probability. Without t every object of such a class is doubtful, with t in place of
    its root few are; `benchmarks/audit.md` compares the score with others.

    Args:
        probabilities: [N, Q], out-of-fold.
        given: [N] the label of each object, 0 to Q - 1.
    """
    rows, (_, classes) = np.arange(len(given)), probabilities.shape
    thresholds = np.array(
        [
            probabilities[given == index, index].mean() if (given == index).any() else 1
            for index in range(classes)
        ]
    )
    others = probabilities.copy()
    others[rows, given] = -1
    suggested = others.argmax(1)
    label, other = probabilities[rows, given], others[rows, suggested]
    scaled = np.maximum(probabilities, _LEAST) / np.sqrt(np.maximum(thresholds, _LEAST))
    against, for_label = scaled[rows, suggested], scaled[rows, given]
    contradicted = other > label
    return Contradictions(
        suggested,
        contradicted,
        contradicted & (other >= thresholds[suggested]),
        against / (against + for_label),
    )
