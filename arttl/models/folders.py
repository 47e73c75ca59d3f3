"""A model on disk: tensors and a description, which appear together or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from arttl.errors import ArttlError
from arttl.files import whole_folder
from arttl.models.calibration import Calibration
from arttl.runs import RunFolder

FORMAT_VERSION = 1
M = TypeVar("M", bound=nn.Module)


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
        folder: replaced if it exists.
        name: of both files.
        state: tensors by name.
        description: JSON-ready; the version of the format is put before it.
        calibration: of the model; None for a model without.

    Raises:
        ArttlError: if it cannot be written.
    """
    with whole_folder(folder) as unfinished:
        save_tensors(unfinished / f"{name}.safetensors", state)
        described = {"format_version": FORMAT_VERSION, **description}
        text = json.dumps(described, ensure_ascii=False, indent=1) + "\n"
        (unfinished / f"{name}.json").write_text(text, encoding="utf-8")
        if calibration is not None:
            calibration.save(unfinished)


def read_model_folder(folder: Path, name: str, kind: str, build: Callable[[Mapping[str, Any]], M]) -> M:
    """The inverse of `write_model_folder`, but for the calibration.

    Args:
        folder: that holds the two files.
        name: of both.
        kind: what messages call the model.
        build: makes the model, its weights aside, from its description.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ArttlError: if a file cannot be read, is of another version, or does not fit the description.
    """
    try:
        description = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        version = description.get("format_version")
        if version != FORMAT_VERSION:
            raise ArttlError(f"{folder} has {kind} format {version!r}; this version reads {FORMAT_VERSION}")
        model = build(description)
        model.load_state_dict(load_file(folder / f"{name}.safetensors"))
    except (
        OSError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        RuntimeError,
        SafetensorError,
    ) as error:
        raise ArttlError(f"the {kind} in {folder} cannot be read: {first_line(error)}") from error
    return model.eval()


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its name where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def save_tensors(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file, within a block of `whole_file` or `whole_folder`.

    Raises:
        OSError: if it cannot be written.
    """
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, path)
    except SafetensorError as error:  # how it reports a full disk
        raise OSError(str(error)) from error
