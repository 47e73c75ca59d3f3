"""ICC profiles made from a gamma and chromaticities, for files that give no profile but these."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_D50 = np.array([0.9642, 1.0, 0.8249])  # ICC.1:2010, 7.2.16
# Bradford's cone responses; ICC.1:2010, annex E.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# IEC 61966-2-1 as a parametric curve of type 3 (ICC.1:2010, 10.16): g, a, b, c, d.
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_NEAR = 0.002  # of chromaticities: rounding of writers, less than a grey level
_GAMMA_NEAR = 0.05  # relative; libpng's own threshold, below which it changes nothing
_GAMMAS = (0.1, 10.0)  # anything else is nonsense
_LEAST_AREA = 0.01  # of the triangle of the primaries; sRGB's has 0.112


class Chromaticities(NamedTuple):
    """x and y of the white point and of the three primaries."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


_D65 = (0.3127, 0.3290)
SRGB = Chromaticities(_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
# By the code points of ITU-T H.273, tables 2 and 3, that PNG, AVIF and HEIF use.
PRIMARIES: Mapping[int, Chromaticities] = {
    1: SRGB,
    5: Chromaticities(_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: Chromaticities(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: Chromaticities(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: Chromaticities(_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Chromaticities((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: Chromaticities(_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_UNSPECIFIED = 2
# Those of television are shown as sRGB's, as browsers do.
_TRANSFERS: Mapping[int, float | None] = {
    **dict.fromkeys((1, 2, 6, 13, 14, 15), None),
    4: 2.2,
    5: 2.8,
    8: 1.0,
}
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}


def of_code_points(primaries: int, transfer: int) -> tuple[float | None, Chromaticities | None]:
    """The exponent and colours of the code points of ITU-T H.273, as `rgb_profile` takes them.

    Raises:
        ValueError: for code points that have no agreed rendering, such as those of high dynamic range.
    """
    if transfer in HIGH_DYNAMIC_RANGE:
        raise ValueError(f"high dynamic range ({HIGH_DYNAMIC_RANGE[transfer]})")
    if primaries != _UNSPECIFIED and primaries not in PRIMARIES:
        raise ValueError(f"colour primaries {primaries}")
    if transfer not in _TRANSFERS:
        raise ValueError(f"transfer characteristics {transfer}")
    return _TRANSFERS[transfer], PRIMARIES.get(primaries)


def rgb_profile(exponent: float | None, colours: Chromaticities | None) -> bytes | None:
    """A profile of RGB pixels.

    Args:
        exponent: of the power that takes pixels from 0 to 1 to light; None: sRGB's curve.
        colours: white point and primaries; None: sRGB's.

    Returns:
        The profile; None where it is sRGB (an exponent of 2.2 with sRGB's primaries counts as sRGB), or where the
        figures are of no possible colour space.
    """
    plain = colours is None or bool(np.abs(np.subtract(colours, SRGB)).max() <= _NEAR)
    if not _is_possible(exponent) or (plain and _is_srgb(exponent)):
        return None
    if plain or colours is None:
        colours = SRGB
    if _area(colours) < _LEAST_AREA:
        return None
    try:
        matrix = _to_d50(colours)
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return None
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 4 or matrix[1].min() < -1:
        return None
    tags = {b"wtpt": _xyz(_D50)}
    for column, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = _xyz(matrix[:, column])
        tags[name + b"TRC"] = _curve(exponent)
    return _profile(b"RGB ", tags)


def grey_profile(exponent: float | None) -> bytes | None:
    """A profile of grey pixels; None where it is sRGB's curve, see `rgb_profile`."""
    if not _is_possible(exponent) or _is_srgb(exponent):
        return None
    return _profile(b"GRAY", {b"wtpt": _xyz(_D50), b"kTRC": _curve(exponent)})


def _is_possible(exponent: float | None) -> bool:
    return exponent is None or _GAMMAS[0] <= exponent <= _GAMMAS[1]


def _is_srgb(exponent: float | None) -> bool:
    return exponent is None or abs(exponent / 2.2 - 1) <= _GAMMA_NEAR


def _area(colours: Chromaticities) -> float:
    """Of the triangle of the primaries: whether a matrix of rounded numbers is singular depends on the processor."""
    (x, y), green, blue = colours.red, colours.green, colours.blue
    return abs((green[0] - x) * (blue[1] - y) - (blue[0] - x) * (green[1] - y)) / 2


def _to_d50(colours: Chromaticities) -> npt.NDArray[np.float64]:
    """The matrix from linear RGB to XYZ relative to D50 [3, 3]: SMPTE RP 177, adapted after Bradford."""
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in colours)
    columns = np.stack(primaries, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    return np.asarray(np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix)


def _profile(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """A version 4 display profile with the given tags (ICC.1:2010, 7)."""
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content
    header = struct.pack(
        ">I4sI4s4s4s12s4s", offset + len(body), b"", 0x04300000, b"mntr", space, b"XYZ ", b"", b"acsp"
    )
    header = header.ljust(68, b"\0") + _fixed(_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(values: npt.ArrayLike) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in np.asarray(values))


def _xyz(values: npt.ArrayLike) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _curve(exponent: float | None) -> bytes:
    kind, values = (3, _SRGB_CURVE) if exponent is None else (0, (exponent,))
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _fixed(values)
