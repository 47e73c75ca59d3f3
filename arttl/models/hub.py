"""Models at the Hugging Face Hub, by an address: `hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`.

Fetched are the files of a model folder alone, by their names, into the cache that all programs of the Hub share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arttl.documents import LARGEST
from arttl.errors import ArttlError, one_line
from arttl.loading.preprocess import Preprocess
from arttl.models.backbones import Backbone
from arttl.models.calibration import FILE as CALIBRATION
from arttl.models.folders import HEADS_FILE

SCHEME = "hf://"
LARGEST_TENSORS = 16 * 2**30
"""Bytes of a safetensors file."""
PROMISES = "promises.safetensors"
_ADDRESS = re.compile(r"hf://([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?", re.ASCII)
_SECONDS = 10  # for the first reply


def local_folder(model: str | Path) -> Path:
    """A model's folder on this machine: `model` itself, or what is fetched for an address of the Hub.

    Args:
        model: a folder, which is not looked at, or an address; a `Path` of an address has one slash of two.

    Raises:
        ArttlError: if the address is none, or the model cannot be fetched, is larger than allowed or not one of arttl.
    """
    if not str(model).startswith("hf:/"):
        return Path(model)
    text = re.sub("^hf:/+", SCHEME, str(model))
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ArttlError(
            f"{text} is not the address of a model; write {SCHEME}OWNER/NAME or {SCHEME}OWNER/NAME@REVISION"
        )
    repository, revision = match.groups()
    address = f"{SCHEME}{repository}" + (f"@{revision}" if revision else "")
    from huggingface_hub import constants  # a second to import

    try:
        if constants.HF_HUB_OFFLINE:
            return _from_cache(address, repository, revision)
        return _fetched(address, repository, revision)
    except ArttlError:
        raise
    except Exception as error:  # the client raises errors of several libraries
        raise ArttlError(f"{address} cannot be fetched: {_reason(error)}") from error


def _fetched(address: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi

    api = HfApi()
    info = api.model_info(repository, revision=revision, files_metadata=True, timeout=_SECONDS)
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    folder = Path()
    for name in _names(address, sizes):
        largest = LARGEST_TENSORS if name.endswith(".safetensors") else LARGEST
        if (sizes[name] or 0) > largest:
            raise ArttlError(f"{address} is not fetched: its {name} has more than {largest / 2**20:,g} MiB")
        # The first by its revision, which the cache notes; the others of the same commit, whose name the folder has.
        folder = Path(api.hf_hub_download(repository, name, revision=revision)).parent
        revision = folder.name
    return folder


def _from_cache(address: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import try_to_load_from_cache

    kinds = ("model", "fused")
    every = [*(f"{kind}{suffix}" for kind in kinds for suffix in (".json", ".safetensors")), HEADS_FILE]
    cached = {
        name: Path(path)
        for name in every
        if isinstance(path := try_to_load_from_cache(repository, name, revision=revision), str)
    }
    if not cached:
        raise ArttlError(
            f"{address} is not in the cache, and HF_HUB_OFFLINE is set: unset it to fetch the model"
        )
    return cached[_names(address, cached)[0]].parent


def _names(address: str, files: Mapping[str, Any]) -> list[str]:
    """The files of a model folder that a repository has."""
    for kind in ("model", "fused"):
        needed = [f"{kind}.json", f"{kind}.safetensors"]
        if all(name in files for name in needed):
            return needed + [name for name in (HEADS_FILE, CALIBRATION, PROMISES) if name in files]
    raise ArttlError(
        f"{address} holds no model of arttl: expected model.json and model.safetensors, or fused.json and"
        " fused.safetensors, as `arttl export --to huggingface` writes them"
    )


def _reason(error: Exception) -> str:
    name = type(error).__name__
    if name in ("RepositoryNotFoundError", "GatedRepoError"):
        return "there is no such model, or it is not public: compare the name, or log in with `hf auth login`"
    if name == "RevisionNotFoundError":
        return "it has no such revision; leave it out, or give a branch, a tag or a commit"
    return f"{one_line(error)}; once it is in the cache, HF_HUB_OFFLINE=1 uses it without a connection"


def timm_config(backbone: Backbone, preprocess: Preprocess) -> dict[str, Any]:
    """What timm reads of a network in the Hub's `config.json`."""
    pretrained = backbone.pretrained_config
    config: dict[str, Any] = {
        "architecture": backbone.name.partition(".")[0],
        "num_classes": 0,
        "num_features": backbone.own_width,
        "pretrained_cfg": {
            "input_size": [3, preprocess.size, preprocess.size],
            "interpolation": preprocess.filter,
            "crop_pct": _crop_pct(preprocess),
            "crop_mode": "center" if preprocess.fit == "crop" else "squash",
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "num_classes": 0,
            "first_conv": pretrained.get("first_conv"),
            "classifier": pretrained.get("classifier"),
        },
    }
    if backbone.is_cut:
        config["model_args"] = {"pretrained_strict": False}  # the layers that are left out stay random
    return config


def _crop_pct(preprocess: Preprocess) -> float:
    """The share with which timm, which rounds down where arttl rounds, resizes to the same side."""
    if math.floor(preprocess.size / preprocess.crop_pct) == preprocess.resize_to:
        return preprocess.crop_pct
    return preprocess.size / (preprocess.resize_to + 0.5)
