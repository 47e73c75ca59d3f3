"""What was expected of one H200 before anything had run on a card, beside which the table sets what was measured.

The times follow from counts: bytes over the bandwidth of a copy on such a card (4.3 TB/s, measured), instructions of
the compiled kernels over what 132 multiprocessors issue at 1.8 to 1.98 GHz, and about 2.5 us per queued operation.
The forward passes are assumptions: 7 ms of a ResNet50 at 224 pixels, batch 64 in bfloat16, and 15 ms in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

CARD = "H200"


@dataclass(frozen=True)
class Prediction:
    """An interval; None where it has no end."""

    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None:
            return f"at most {self.high:,g}"
        if self.high is None:
            return f"at least {self.low:,g}"
        return f"{self.low:,g}" if self.low == self.high else f"{self.low:,g} to {self.high:,g}"

    def misses(self, value: float) -> str:
        """`below` or `above` for a value outside, else nothing."""
        if self.low is not None and value < self.low:
            return "below"
        return "above" if self.high is not None and value > self.high else ""


PREDICTIONS: dict[str, dict[str, Prediction]] = {
    "facts": {
        "multiprocessors": Prediction(132, 132),
        "second-level cache": Prediction(60, 60),
        "copy bandwidth": Prediction(4.2, 4.4),
        "matrix products in bfloat16": Prediction(760, 800),
    },
    "build": {"build of the compiled module": Prediction(None, 30)},
    "kernel-tests": {"tests failed": Prediction(0, 0)},
    "kernel-tests-tf32": {"tests failed": Prediction(0, 0)},
    "loader-tests": {"tests failed": Prediction(0, 0)},
    "maps": {
        "bfloat16, batch 64: forward": Prediction(6, 8),
        "float32, batch 64: forward": Prediction(13, 17),
        "bfloat16, batch 1: forward": Prediction(2, 2.6),
        "bfloat16, batch 1: forward, CUDA graph": Prediction(0.5, 0.7),
        "bfloat16, batch 64: channel means": Prediction(200, 215),
        "float32, batch 64: channel means": Prediction(376, 480),
        "*, batch 64: backprojection": Prediction(25, 45),
        "bfloat16, batch 64: own work": Prediction(225, 260),
        "bfloat16, batch 1: own work": Prediction(None, 60),
        "bfloat16, batch 64: map over forward": Prediction(3.2, 3.7),
        "bfloat16, batch 1: map over forward, CUDA graphs": Prediction(None, 9),
    },
    "kernels-by-tap": {  # 88 to 93% of the bandwidth of a copy, 78 to 90%, 65 to 80% and 75 to 85%
        "bfloat16, batch 64, channels-last: *": Prediction(3780, 4000),
        "float32, batch 64, channels-last: *": Prediction(3350, 3870),
        "bfloat16, batch 64, planar: *": Prediction(2800, 3440),
        "float32, batch 64, planar: *": Prediction(3220, 3660),
    },
    "loader-rates": {"16 threads: DALI, *": Prediction(6000, None)},
    "epochs": {
        "dali: first batch of epoch 1": Prediction(300, 1000),
        "dali: first batch of epoch 2": Prediction(None, 100),
        "*: * memory, growth since epoch 2": Prediction(None, 64),
    },
    "training": {"fed by dali, of alone": Prediction(95, None)},
    "compiled": {  # less than reading the activations once takes
        "bfloat16, batch 64: map added to forward": Prediction(None, 200),
    },
}
"""Part to pattern of a figure's name to what was expected."""


def prediction_of(part: str, figure: str) -> Prediction | None:
    """The first that fits a figure's name."""
    patterns = PREDICTIONS.get(part, {})
    return next((patterns[pattern] for pattern in patterns if fnmatchcase(figure, pattern)), None)
