"""Which engine reads, and why."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from arttl.errors import ArttlError, did_you_mean

Engine = Literal["auto", "dali", "dali-gpu", "dali-cpu", "cpu"]


def choose_engine(wanted: Engine, device: torch.device) -> tuple[Engine, str]:
    """The engine for a device, and why in one line.

    Raises:
        ArttlError: for an unknown name, an engine that does not serve the device, or DALI where it is missing.
    """
    if wanted not in get_args(Engine):
        known = get_args(Engine)
        raise ArttlError(
            f"--engine {wanted!r} is unknown{did_you_mean(wanted, known)}; choose {', '.join(known)}"
        )
    if wanted == "cpu":
        return "cpu", "cpu: as asked"
    if wanted == "auto" and device.type != "cuda":
        return "cpu", f"cpu: the device is {device}, where it needs no DALI and is the faster"
    if wanted == "dali-gpu" and device.type != "cuda":
        raise ArttlError(f"--engine dali-gpu needs a GPU and the device is {device}; choose dali-cpu or cpu")
    if wanted == "dali-cpu" and device.type == "cuda":
        raise ArttlError(
            f"--engine dali-cpu gives batches on the CPU and the device is {device}; choose dali-gpu"
        )
    try:
        from arttl.loading import dali_engine  # noqa: F401
    except ArttlError as error:
        if wanted == "auto":
            return "cpu", f"cpu: {error}"
        raise
    chosen: Engine = "dali-gpu" if device.type == "cuda" else "dali-cpu"
    return (
        chosen,
        f"{chosen}: {'DALI is installed' if wanted == 'auto' else 'as asked'}, the device is {device}",
    )
