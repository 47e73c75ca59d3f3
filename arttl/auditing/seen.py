"""Whether a network has been trained on the labels that it would judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arttl.documents import read_json, structured
from arttl.errors import ArttlError
from arttl.inference.predictions import Predictions
from arttl.models.folders import Provenance, find_model_folder
from arttl.runs import RunFolder
from arttl.shards.manifest import Manifest

# How `arttl.models.weights`, `arttl train` and `arttl fuse` describe weights that are those of another model; `arttl
# fuse` has several, each after the name of its network.
_FROM_MODEL = re.compile(r"(?:[\w.]+: )?(?:backbone of|fused model of|the network of) (.+)")
_FROM_FILE = re.compile(r"(?:[\w.]+: )?(weights of .+)")
_FROZEN = ("off-the-shelf", "untrained")  # modes that leave a network as it was
_INSTEAD = "take the features of another network, for example of arttl features --weights imagenet"
_DEEPEST = 20


@dataclass(frozen=True)
class _Record:
    provenance: Provenance


def check_unseen(where: str, weights: str, manifest: Manifest, *, trained_elsewhere: bool) -> list[str]:
    """Refuse a network that was trained on the collection, or may have been.

    The features of a network that was fine-tuned on labels have these labels in them: heads on them confirm every
    label, right or wrong, whatever the folds.

    Args:
        where: the network is: a folder of features, or a flag with its value.
        weights: of the network, as a model or features describe theirs.
        manifest: of the collection.
        trained_elsewhere: what the user says of a network whose training is not at hand.

    Returns:
        Sentences on what is assumed.

    Raises:
        ArttlError: saying where the network is.
    """
    sentences = []
    for origin in _origins(weights):
        if (file := _FROM_FILE.fullmatch(origin)) is not None:
            sentences.append(
                f"note       the network of {where} has the {file[1]}: the audit is of use only if it was not trained"
                " on the labels of these objects"
            )
            continue
        if (model := _FROM_MODEL.fullmatch(origin)) is None:
            continue
        network = f"the network of {where} was trained ({model[1]})"
        shared = _shared_object(Path(model[1]), manifest)
        if shared:
            raise ArttlError(
                f"{network} on this collection, as its predictions of {shared} show: its features confirm the labels"
                f" that it has seen, right or wrong; {_INSTEAD}"
            )
        if shared is None and not trained_elsewhere:
            raise ArttlError(
                f"{network}, and there is no run folder to say on which objects: if on these, its features confirm the"
                f" labels that it has seen, right or wrong; {_INSTEAD}, or pass --trained-elsewhere if it has seen none"
                " of these labels"
            )
        sentences.append(f"note       {network} on other objects")
    return sentences


def _origins(weights: str, depth: int = 0) -> Iterator[str]:
    """Where weights came from in the end: a model that was trained, or what is none of arttl's models.

    Args:
        weights: as a model or features describe theirs.
        depth: of the models that were passed.
    """
    for origin in weights.split("; "):
        match = _FROM_MODEL.fullmatch(origin)
        provenance = None if match is None or depth == _DEEPEST else _provenance(Path(match[1]))
        if provenance is not None and provenance.mode in _FROZEN:
            yield from _origins(provenance.weights, depth + 1)
        else:
            yield origin


def _provenance(path: Path) -> Provenance | None:
    """Of a model's folder; None where there is none any more."""
    for name in ("model", "fused"):
        if (folder := find_model_folder(path, name)) is not None:
            document = read_json(folder / f"{name}.json", dict[str, Any])
            return structured(document, _Record, folder / f"{name}.json", surplus=True).provenance
    return None


def _shared_object(folder: Path, manifest: Manifest) -> str | None:
    """The key of an object that a model's run and a collection share; empty for none, None for a run not at hand.

    The predictions that a run leaves are of the test split of the shards on which it was trained.
    """
    for run in (folder, folder.parent):
        if (path := RunFolder(run).predictions).is_file():
            keys = set(manifest.keys)
            return next((key for key in Predictions.read(path).keys if key in keys), "")
    return None
