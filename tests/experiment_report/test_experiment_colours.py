"""The colours of plots and heat maps, computed: contrast with the page, and for every kind of colour blindness."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt
import pytest
from experiment_cases import made_up

from arttl.experiment_report.heat_maps import STEPS
from arttl.experiment_report.plots import COLOURS
from arttl.experiment_report.writing import render_report
from arttl.pages import render_page

Vector = npt.NDArray[np.float64]

# How people without one kind of cones see linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.0.
SIGHTS = {
    "all": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
SCHEMES = ("light", "dark", "print")


def colours(scheme: str) -> dict[str, str]:
    """Name to colour of one scheme: those of the page, and those of a medium over them."""
    page = render_report(made_up(networks=1, tasks=1), beside_runs=True)
    css = page[page.index("<style>") : page.index("</style>")]
    medium = {"dark": r"\(prefers-color-scheme: dark\)", "print": "print"}.get(scheme)
    blocks = re.findall(r"^:root {(.*?)}", css.removeprefix("<style>"), re.DOTALL | re.MULTILINE)
    if medium:
        blocks += re.findall(rf"@media {medium} {{\s*:root {{(.*?)}}", css, re.DOTALL)
    return {
        name: value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:])
        for block in blocks
        for name, value in re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6})", block)
    }


def linear(colour: str) -> Vector:
    channels = np.array([int(colour[index : index + 2], 16) for index in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """WCAG 2.2's contrast ratio."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, sight: str) -> Vector:
    """CIELAB of a colour as people of a sight see it."""
    xyz = _TO_XYZ @ np.clip(SIGHTS[sight] @ linear(colour), 0, 1) / _WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_formulas() -> None:
    """Black on white; a red that has L* 53 (Lindbloom's table); and red and green, which deuteranopes confuse."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert lab("#ff0000", "all") == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    confused = ("#a05a00", "#5a7a00")
    distances = [np.linalg.norm(lab(confused[0], sight) - lab(confused[1], sight)) for sight in SIGHTS]
    assert distances[2] < 12 < 40 < distances[0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_stand_out_from_the_page_and_from_each_other(scheme: str) -> None:
    of_scheme = colours(scheme)
    series = [of_scheme[f"series-{index}"] for index in range(COLOURS)]
    assert f"series-{COLOURS}" not in of_scheme
    # WCAG 2.2, 1.4.11: three to one for parts of graphics.
    assert min(contrast(colour, of_scheme["paper"]) for colour in series) >= 3
    for sight in SIGHTS:
        seen = [lab(colour, sight) for colour in series]
        # A difference of 2.3 is just noticeable; thin lines need much more.
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 25, sight


@pytest.mark.parametrize("scheme", SCHEMES)
def test_heat_maps_are_read_by_lightness_alone(scheme: str) -> None:
    of_scheme = colours(scheme)
    steps = [of_scheme[f"heat-{index}"] for index in range(STEPS)]
    assert f"heat-{STEPS}" not in of_scheme
    for sight in SIGHTS:
        lightness = np.array([lab(colour, sight)[0] for colour in steps])
        rises = np.diff(lightness) * (1 if scheme == "dark" else -1)
        assert rises.min() > 6 and rises.max() < 13, sight
    # The higher, the farther from the page.
    assert contrast(steps[-1], of_scheme["paper"]) > 10 and contrast(steps[0], of_scheme["paper"]) < 1.5
    on = [
        of_scheme[f"on-{name}"]
        for name in ("low", "low", "low", "low", "middle", "middle", "high", "high", "high")
    ]
    assert min(contrast(text, step) for text, step in zip(on, steps, strict=True)) >= 4.5


def test_each_step_has_its_colour_and_the_text_that_was_measured() -> None:
    page = render_page("base.html", styles=("experiment.css",))
    rules = re.findall(r"\.heat-(\d) { background: var\(--heat-(\d)\); color: var\(--on-([a-z]+)\); }", page)
    groups = ["low"] * 4 + ["middle"] * 2 + ["high"] * 3
    assert rules == [(str(step), str(step), group) for step, group in enumerate(groups)]
