"""Arrays for the tests of the compiled kernels, and how their output is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor


def close(actual: Tensor, expected: Tensor, scale: float = 1.0) -> None:
    """Require equality but for rounding, of numbers up to about this scale."""
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5 * scale)


def on_threads(threads: int, operator: Callable[..., Any], *arguments: object) -> Any:
    """The output of an operator on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return operator(*arguments)
    finally:
        torch.set_num_threads(before)


def spread(x: Tensor) -> Tensor:
    """The same numbers with gaps between them, and NaN in the gaps."""
    gaps = torch.full_like(x, torch.nan)
    return torch.stack([x, gaps], dim=-1).flatten(-2)[..., ::2]


@st.composite
def pairs(draw: st.DrawFn, low: int, high: int) -> list[int]:
    """Two numbers, such as height and width."""
    return [draw(st.integers(low, high)), draw(st.integers(low, high))]
