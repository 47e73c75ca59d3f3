"""Export as a folder for the Hugging Face Hub, which arttl and timm read: weights, descriptions, evidence, a card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from arttl.errors import ArttlError
from arttl.export.comparison import Outputs, Pictures, compare, expected_outputs
from arttl.export.description import last_part
from arttl.export.model_card import model_card
from arttl.export.run_record import RunRecord
from arttl.files import whole_folder
from arttl.inference.promises import FILE as PROMISES
from arttl.inference.promises import Promises
from arttl.models import MultiTaskModel, Provenance, TrainedModel
from arttl.models.folders import BACKBONE_PREFIX, HEADS_FILE, save_tensors
from arttl.models.hub import timm_config
from arttl.version import __version__


def export_huggingface(model: TrainedModel, folder: Path, pictures: Pictures, run: RunRecord | None) -> float:
    """Write a model as a folder for the Hub.

    Args:
        model: as read from its folder.
        folder: to make.
        pictures: that the folder as read back and the model are compared on.
        run: that made the model; None: it is not at hand.

    Returns:
        The largest difference.

    Raises:
        ArttlError: if the folder exists or cannot be written, or the results differ.
    """
    if folder.exists():
        raise ArttlError(f"--out {folder} exists already: name a folder to be made")
    promises = None if model.folder is None else Promises.load(model.folder, model.tasks)
    with whole_folder(folder) as unfinished:
        _write_tensors(model, unfinished)
        provenance = model.provenance
        model.provenance = Provenance(**{key: last_part(value) for key, value in asdict(provenance).items()})
        try:
            model.save_description(unfinished)
            (unfinished / "README.md").write_text(
                model_card(model, promises, run, folder.absolute().name), encoding="utf-8"
            )
        finally:
            model.provenance = provenance
        config = json.dumps(_config(model), ensure_ascii=False, indent=1) + "\n"
        (unfinished / "config.json").write_text(config, encoding="utf-8")
        copied = [] if promises is None or model.folder is None else [model.folder / PROMISES]
        if run is not None:
            copied += [run.folder.classes]
        for path in copied:
            shutil.copyfile(path, unfinished / path.name)
        reread = type(model).read(unfinished)

        def outputs(squares: Sequence[torch.Tensor]) -> Outputs:
            values = expected_outputs(reread, pictures)
            return {name: of_task[: len(squares[0])] for name, of_task in values.items()}

        return compare(model, pictures, outputs, "folder")


def _write_tensors(model: TrainedModel, folder: Path) -> None:
    state = model.state_dict()
    if not isinstance(model, MultiTaskModel):
        save_tensors(folder / f"{model.file_name}.safetensors", state)
        return
    backbone = {
        name.removeprefix(BACKBONE_PREFIX): state.pop(name)
        for name in list(state)
        if name.startswith(BACKBONE_PREFIX)
    }
    save_tensors(folder / "model.safetensors", backbone)
    save_tensors(folder / HEADS_FILE, state)


def _config(model: TrainedModel) -> dict[str, Any]:
    """`config.json`; of one backbone as timm reads it."""
    described: dict[str, Any] = {"arttl_version": __version__, "tasks": list(model.tasks.names)}
    if not isinstance(model, MultiTaskModel):
        return {**described, "architectures": [network.name for network in model.networks]}
    return {**timm_config(model.backbone, model.preprocess), **described}
