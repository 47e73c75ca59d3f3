"""A model on disk: tensors and a description, which appear together or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from arttl.files import whole_folder
from arttl.models.calibration import Calibration
from arttl.runs import RunFolder


def find_model_folder(path: Path, name: str) -> Path | None:
    """The folder with `NAME.json` and `NAME.safetensors`: `path` itself, or its `best/` where it is a run folder."""
    for folder in (path, RunFolder(path).best):
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

    Raises:
        ArttlError: if it cannot be written.
    """
    with whole_folder(folder) as unfinished:
        save_tensors(unfinished / f"{name}.safetensors", state)
        text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
        (unfinished / f"{name}.json").write_text(text, encoding="utf-8")
        if calibration is not None:
            calibration.save(unfinished)


def save_tensors(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file, within a block of `whole_file` or `whole_folder`.

    Raises:
        OSError: if it cannot be written.
    """
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, path)
    except SafetensorError as error:  # how it tells of a full disk
        raise OSError(str(error)) from error
