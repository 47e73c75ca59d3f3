"""A model on disk: tensors and a description, which appear together or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from arttl.models.calibration import FILE, Calibration


def find_model_folder(path: Path, name: str) -> Path | None:
    """The folder with `NAME.json` and `NAME.safetensors`: `path` itself, or its `best/` where it is a run folder."""
    for folder in (path, path / "best"):
        if all((folder / f"{name}{suffix}").is_file() for suffix in (".json", ".safetensors")):
            return folder
    return None


def write_model_folder(
    folder: Path,
    name: str,
    state: Mapping[str, torch.Tensor],
    description: Mapping[str, Any],
    calibration: Calibration | None,
) -> None:
    """Write `NAME.safetensors`, `NAME.json` and, for a calibrated model, `calibration.json`.

    Args:
        folder: replaced if it is there.
        name: of both files.
        state: tensors by name.
        description: JSON-ready.
        calibration: of the model; None for a model without.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, unfinished / f"{name}.safetensors")
    text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
    (unfinished / f"{name}.json").write_text(text, encoding="utf-8")
    if calibration is not None:
        (unfinished / FILE).write_text(calibration.to_json(), encoding="utf-8")
    for path in unfinished.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    if folder.exists():
        shutil.rmtree(folder)
    unfinished.rename(folder)
