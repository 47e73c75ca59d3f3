"""The choice of the engine that reads, and the reason for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from arttl.errors import ArttlError, did_you_mean

if TYPE_CHECKING:
    import torch

Engine = Literal["auto", "dali", "dali-gpu", "dali-cpu", "cpu"]


def choose_engine(engine: Engine, device: torch.device) -> tuple[Engine, str]:
    """The engine for a device, and the reason for it in one line.

    Raises:
        ArttlError: for an unknown name, an engine that does not serve the device, or DALI where it is missing.
    """
    known = get_args(Engine)
    if engine not in known:
        raise ArttlError(
            f"--engine {engine!r} is unknown{did_you_mean(engine, known)}; choose {', '.join(known)}"
        )
    if engine == "cpu":
        return "cpu", "cpu: as asked"
    if engine == "auto" and device.type != "cuda":
        return "cpu", f"cpu: the device is {device}, where it needs no DALI and is faster"
    if engine == "dali-gpu" and device.type != "cuda":
        raise ArttlError(f"--engine dali-gpu needs a GPU and the device is {device}; choose dali-cpu or cpu")
    if engine == "dali-cpu" and device.type == "cuda":
        raise ArttlError(
            f"--engine dali-cpu gives batches on the CPU and the device is {device}; choose dali-gpu"
        )
    try:
        from arttl.loading import dali_engine  # noqa: F401
    except ArttlError as error:
        if engine == "auto":
            return "cpu", f"cpu: {error}"
        raise
    chosen: Engine = "dali-gpu" if device.type == "cuda" else "dali-cpu"
    reason = "DALI is installed" if engine == "auto" else "as asked"
    return chosen, f"{chosen}: {reason}, the device is {device}"
