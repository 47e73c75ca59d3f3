"""Curves as SVG: where lines and ticks are, and that no two networks look alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.experiment_report.plots import COLOURS, HEIGHT, WIDTH, Curve, Plot

per_cent = st.floats(0, 100, allow_nan=False)
values = st.lists(per_cent, min_size=1, max_size=130)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


@given(st.lists(values, min_size=1, max_size=4))
def test_points_are_where_the_ticks_say(curves: list[list[float]]) -> None:
    plot = Plot("t", [Curve(f"n{index}", "fine-tune", "", each, "r") for index, each in enumerate(curves)])
    ticks = [(tick.at, float(tick.text)) for tick in plot.y_ticks()]
    (bottom, low), (top, high) = ticks[0], ticks[-1]
    epochs = {int(tick.text): tick.at for tick in plot.x_ticks()}
    assert 2 <= len(ticks) <= 11 and len(epochs) <= 14
    for line, of_curve in zip(plot.lines(), curves, strict=True):
        drawn = points(line.path)
        assert len(drawn) == len(of_curve)
        for (_, y), value in zip(drawn, of_curve, strict=True):
            assert y == pytest.approx(bottom + (value - low) / (high - low) * (top - bottom), abs=0.06)
        for epoch, at in epochs.items():
            if epoch <= len(drawn):
                assert drawn[epoch - 1][0] == pytest.approx(at, abs=0.06)
        assert all(0 < x < WIDTH and 0 <= y < HEIGHT for x, y in drawn)
        assert drawn == sorted(drawn, key=lambda point: point[0])
        marks = line.marks.count("M")
        assert marks <= 13 and line.marks.startswith(f"M{drawn[0][0]:.1f},{drawn[0][1]:.1f}")


def test_the_published_best_is_a_star_at_its_epoch() -> None:
    plot = Plot(
        "t",
        [
            Curve("n", "fine-tune", "", [40.0, 60.0, 50.0], "r", (5, 80.0)),
            Curve("m", "joint", "", [1.0], "r"),
        ],
    )
    starred, plain = plot.lines()
    assert plot.epochs == 5 and plot.ends == (0, 80) and plain.star == ""
    corners = points(starred.star)
    x, y = (sum(axis) / len(corners) for axis in zip(*corners, strict=True))
    assert x == pytest.approx(plot.x_ticks()[-1].at, abs=0.2) and y == pytest.approx(
        plot.y_ticks()[-1].at, abs=0.2
    )
    assert plot.curves[0].best == (2, 60.0)


def test_no_two_networks_look_alike_and_modes_differ_without_colour() -> None:
    names = [f"n{index}" for index in range(36)]
    lines = list(Plot("t", [Curve(name, "fine-tune", "", [1.0, 2.0], "r") for name in names]).lines())
    looks = {(line.mark_classes, line.sample) for line in lines}
    assert len(looks) == 36
    # The first of them, as many as there are colours, differ in each of the two alone.
    for part in ([line.mark_classes for line in lines], [line.sample for line in lines]):
        assert len(set(part[:COLOURS])) == COLOURS
    modes = ("fine-tune", "scratch", "joint")
    of_modes = Plot("t", [Curve("n", mode, "", [1.0], "r") for mode in modes]).lines()
    assert [line.classes for line in of_modes] == [f"series-0 {mode}" for mode in modes]
    (hollow,) = Plot("t", [Curve("n", "fine-tune", "gallery", [1.0], "r")]).lines()
    assert "hollow" in hollow.mark_classes
