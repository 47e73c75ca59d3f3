"""What an exported network is, beside it in its file: JSON that needs neither arttl nor the model's folder."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from arttl.export.network import ExportedNetwork
from arttl.files import digest_of_file
from arttl.models import TrainedModel
from arttl.models.folders import tensor_files
from arttl.tasks import Task
from arttl.version import __version__

_SEPARATORS = re.compile(r"[/\\]+")


def describe(network: ExportedNetwork) -> dict[str, Any]:
    """The outputs with their classes, the inputs with what is done before, and where the model comes from."""
    return {
        "arttl_version": __version__,
        "inputs": [
            {
                "name": each.name,
                "colours": "RGB",
                "range": [0, 1],
                "size": each.square.size,
                "resize_to": each.square.resize_to,
                "fit": each.square.fit,
                "filter": each.square.filter,
                "steps": each.steps,
            }
            for each in network.inputs
        ],
        "outputs": [_output(task, network.model) for task in network.model.tasks],
        "provenance": {
            **{key: last_part(value) for key, value in asdict(network.model.provenance).items()},
            "backbones": [backbone.name for backbone in network.model.networks],
            "sha256": digests(network.model),
        },
    }


def digests(model: TrainedModel) -> dict[str, str]:
    """Name to SHA-256 of the files of a model's tensors; empty for one that was not read from a folder."""
    if model.folder is None:
        return {}
    return {path.name: digest_of_file(path) for path in tensor_files(model.folder, model.file_name)}


def as_texts(description: dict[str, Any]) -> dict[str, str]:
    """A text per key, as ONNX and torch keep them: JSON where it is none already."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in description.items()
    }


def _output(task: Task, model: TrainedModel) -> dict[str, Any]:
    described: dict[str, Any] = {"name": task.name, "kind": task.kind}
    if task.kind == "number":
        return {**described, "values": "the number in its own unit"}
    of_task = model.calibration.tasks.get(task.name) if model.calibration else None
    return {
        **described,
        "values": "probabilities",
        "classes": list(task.vocabulary.classes),
        "temperature": None if of_task is None else of_task.temperature,
    }


def last_part(text: str) -> str:
    """A text in which paths have lost their folders, which are nobody else's business.

    Of a run folder's `best` the folder before it stays.
    """

    def shortened(match: re.Match[str]) -> str:
        parts = [part for part in _SEPARATORS.split(match[0]) if part]
        return "/".join(parts[-2:] if parts[-1:] == ["best"] else parts[-1:])

    return re.sub(r"\S+", shortened, text)
