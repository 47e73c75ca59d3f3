"""Which engine feeds a GPU faster: measured once per machine and kind of work, and kept in the user's cache.

A card's JPEG engine may be slower than sixteen cores or faster than any number of them, and no table of cards tells
which; so both engines read some pictures of the collection at hand, as the loader will read them.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import torch

from arttl.cache import Rates, measured_once
from arttl.errors import ArttlError
from arttl.loading.engines import Engine
from arttl.loading.loader import Loader
from arttl.loading.sampling import UNIFORM
from arttl.version import __version__

CONTESTANTS: tuple[Engine, ...] = ("dali-gpu", "cpu")
FILE = "engines.json"
"""In the cache: kind of work to engine to pictures per second."""

_FEWEST = 64  # pictures; whatever reads fewer is soon done
_BATCHES = 8
_PASSES = 3


def faster_engine(loader: Loader) -> tuple[Engine, str]:
    """The faster engine for a loader on a GPU, and the reason for it in one line.

    It is measured unless this was done before for the same card, threads and versions, and for pictures, inputs and
    batches of about the same size. Of several processes on one machine the first measures, with its share of the cores,
    while the others wait.

    Args:
        loader: with the engine that it has if nothing can be measured.

    Returns:
        One of `CONTESTANTS`.
    """
    if len(loader.rows) < _FEWEST:
        return (
            loader.engine,
            f"{loader.engine_reason}, too few pictures for measuring the cpu engine against it",
        )
    try:
        rates = measured_once(FILE, kind_of_work(loader), CONTESTANTS, lambda: _measured(loader))
    except ArttlError as error:  # of the cache; or of the shards, and then the loader meets it too
        return loader.engine, f"{loader.engine_reason}, not measured against the cpu engine ({error})"
    first, second = sorted(CONTESTANTS, key=lambda name: -rates[name])
    return first, (
        f"{first}: {rates[first]:,.0f} pictures per second, {second} {rates[second]:,.0f}, as measured on this machine"
    )


def kind_of_work(loader: Loader) -> str:
    """What the speeds depend on, sizes as powers of two."""
    from nvidia.dali import __version__ as dali

    sizes = loader.manifest.sizes[loader.rows].astype(np.float64)
    side = 2 ** round(math.log2(float(np.median(np.sqrt(sizes.prod(axis=1))))))
    return (
        f"{torch.cuda.get_device_name(loader.device)}, {loader.threads} threads, DALI {dali}, arttl {__version__},"
        f" pictures of {side} pixels to {loader.preprocess.size}, batches of {2 ** round(math.log2(loader.batch_size))}"
    )


def pictures_per_second(loader: Loader) -> float:
    """The speed of one pass over a loader's pictures, until all are on its device."""
    started = time.perf_counter()
    for _batch in loader:
        pass
    if loader.device.type == "cuda":
        torch.cuda.synchronize(loader.device)
    return len(loader.rows) / (time.perf_counter() - started)


def _measured(loader: Loader) -> Rates:
    """The speed of each engine on some of a loader's pictures: that of its fastest pass, which was disturbed least."""
    rows = loader.rows[: _BATCHES * loader.batch_size]
    # One rank's part of the work, with the threads that it has.
    part = replace(loader, rows=rows, rank=0, world_size=1, shuffle=False, sampling=UNIFORM)
    loaders = {name: replace(part, engine=name) for name in CONTESTANTS}
    for each in loaders.values():
        pictures_per_second(each)  # which starts DALI, and brings the shards into memory
    rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for _ in range(_PASSES):
        for name, each in loaders.items():
            rates[name].append(pictures_per_second(each))
    return {name: round(max(passes), 1) for name, passes in rates.items()}
