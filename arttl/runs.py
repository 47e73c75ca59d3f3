"""The run folder: what every command that trains leaves behind."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def write_environment(
    folder: Path, device: torch.device, processes: int = 1, mixed_precision: str = "no"
) -> None:
    """Write `environment.json`: what a run runs on, and with which versions.

    Args:
        folder: of the run.
        device: that computes.
        processes: how many.
        mixed_precision: as Accelerate calls it.
    """
    versions: dict[str, str | None] = {}
    for package in (
        "arttl",
        "torch",
        "torchvision",
        "timm",
        "accelerate",
        "simplejpeg",
        "nvidia-dali-cuda130",
    ):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
        "device": str(device),
        "card": card,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "mixed_precision": mixed_precision,
    }
    (folder / "environment.json").write_text(json.dumps(found, indent=1) + "\n")
