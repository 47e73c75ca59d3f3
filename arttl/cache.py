"""The user's cache: where it is, and speeds of this machine that are measured once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from arttl.documents import read_json
from arttl.errors import ArttlError
from arttl.files import locked, make_folder, write_json

Rates = dict[str, float]
"""Contestant to its speed, above 0."""


def cache_folder() -> Path:
    """The user's cache, `$ARTTL_CACHE`, by default `~/.cache/arttl`; it need not be there."""
    return Path(os.environ.get("ARTTL_CACHE") or Path.home() / ".cache" / "arttl")


def measured_once(name: str, kind: str, contestants: Collection[str], measure: Callable[[], Rates]) -> Rates:
    """Speeds that were measured before for the same kind of work, or are measured now and kept.

    Of several processes on one machine the first measures, while the others wait.

    Args:
        name: of the file in the cache, kind of work to rates; a damaged one only costs another measurement.
        kind: what the speeds depend on: device, versions, sizes.
        contestants: that are measured.
        measure: gives the rate of each.

    Raises:
        ArttlError: if the cache cannot be used, or the measurement fails with one.
    """
    file = cache_folder() / name
    make_folder(file.parent)
    with locked(file.with_suffix(".lock")):
        kept = _read(file, contestants)
        if kind not in kept:
            kept[kind] = measure()
            write_json(file, kept)
    return kept[kind]


def _read(file: Path, contestants: Collection[str]) -> dict[str, Rates]:
    try:
        kept = read_json(file, dict[str, Rates])
    except ArttlError:
        return {}
    return {
        kind: rates
        for kind, rates in kept.items()
        if rates.keys() == set(contestants) and min(rates.values()) > 0
    }
