"""Curves over epochs as SVG that follows the colours of the page: no line is told from another by its colour alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COLOURS = 6
"""Of `templates/experiment.css`, which the tests compare for every kind of colour blindness."""
WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 12, 38
_MOST_MARKS = 12  # of a line; a hundred epochs have no room for more
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000)

# Marks around the point (0, 0), as SVG paths; the last two have no area, so that they are never filled.
_SHAPES = (
    "m-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0z",
    "m-3.2,-3.2h6.4v6.4h-6.4z",
    "m0,-4.2l4,7.2h-8z",
    "m0,-4.6l4.2,4.6l-4.2,4.6l-4.2,-4.6z",
    "m-3.4,-3.4l6.8,6.8m0,-6.8l-6.8,6.8",
    "m-4.2,0h8.4m-4.2,-4.2v8.4",
)


@dataclass(frozen=True)
class Curve:
    """A training.

    Attributes:
        network: its name; networks differ in colour and mark.
        mode: `fine-tune`, `scratch` or `joint`, which differ in their dashes.
        transferred: the run or collection that its weights are from, whose marks are hollow; empty: ImageNet's or none.
        values: per cent, after each epoch.
        run: name of the run.
        published: epoch from 1 and per cent of the publication's best; None: it has none.
    """

    network: str
    mode: str
    transferred: str
    values: Sequence[float]
    run: str
    published: tuple[int, float] | None = None

    @property
    def best(self) -> tuple[int, float]:
        """Epoch from 1 and per cent of its highest value, the first of equal ones."""
        value = max(self.values)
        return list(self.values).index(value) + 1, value


@dataclass(frozen=True)
class Tick:
    """A position on an axis in pixels, and the number there."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A curve as it is drawn.

    Attributes:
        curve: that it shows.
        classes: of its colour and dashes.
        mark_classes: of its marks.
        path, marks, star: SVG paths; no star is empty.
        sample: a mark by itself in the middle of the legend's picture.
    """

    curve: Curve
    classes: str
    mark_classes: str
    path: str
    marks: str
    star: str
    sample: str


@dataclass(frozen=True)
class Plot:
    """The curves of one collection and task.

    Attributes:
        title: of the collection and task.
        curves: in the order of the legend; at least one.
    """

    title: str
    curves: Sequence[Curve]

    @property
    def has_published(self) -> bool:
        """Whether the publication has the best of some curve."""
        return any(curve.published for curve in self.curves)

    @property
    def epochs(self) -> int:
        """Of the longest training or the latest published best."""
        return max(
            max(len(curve.values), curve.published[0] if curve.published else 1) for curve in self.curves
        )

    @property
    def ends(self) -> tuple[int, int]:
        """Lowest and highest per cent of the axis, multiples of ten."""
        values = [value for curve in self.curves for value in curve.values]
        values += [curve.published[1] for curve in self.curves if curve.published]
        low, high = 10 * math.floor(min(values) / 10), 10 * math.ceil(max(values) / 10)
        return (low, high) if high > low else (max(0, low - 10), min(100, high + 10))

    def x_ticks(self) -> list[Tick]:
        """Epochs."""
        step = next(step for step in _STEPS if self.epochs / step <= 12)
        numbers = range(step, self.epochs + 1, step)
        return [Tick(self._x(number), str(number)) for number in dict.fromkeys((1, *numbers))]

    def y_ticks(self) -> list[Tick]:
        """Per cent."""
        low, high = self.ends
        step = 20 if high - low > 60 else 10
        first = -(-low // step) * step
        return [Tick(self._y(number), str(number)) for number in range(first, high + 1, step)]

    def lines(self) -> Iterator[Line]:
        """The curves; networks take the colours in turn, and once these are used up with other marks."""
        networks = list(dict.fromkeys(curve.network for curve in self.curves))
        for curve in self.curves:
            again, colour = divmod(networks.index(curve.network), COLOURS)
            shape = _SHAPES[(colour + again) % len(_SHAPES)]
            points = [(self._x(epoch), self._y(value)) for epoch, value in enumerate(curve.values, start=1)]
            every = math.ceil(len(points) / _MOST_MARKS)
            shown = [*points[:-1:every], points[-1]]
            yield Line(
                curve,
                f"series-{colour} {curve.mode}",
                f"mark series-{colour}" + (" hollow" if curve.transferred else ""),
                "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points),
                "".join(f"M{x:.1f},{y:.1f}{shape}" for x, y in shown),
                _star(self._x(curve.published[0]), self._y(curve.published[1])) if curve.published else "",
                f"M24,8{shape}",
            )

    def _x(self, epoch: int) -> float:
        """An epoch in pixels; of one alone the middle."""
        share = (epoch - 1) / (self.epochs - 1) if self.epochs > 1 else 0.5
        return _LEFT + 8 + share * (WIDTH - _LEFT - _RIGHT - 16)

    def _y(self, value: float) -> float:
        low, high = self.ends
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def _star(x: float, y: float) -> str:
    """A star of five points around a point."""
    corners = []
    for index in range(10):
        radius, angle = (8.0, 3.2)[index % 2], math.pi * index / 5
        corners.append(f"{x + radius * math.sin(angle):.1f},{y - radius * math.cos(angle):.1f}")
    return f"M{'L'.join(corners)}z"
