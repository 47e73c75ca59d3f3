"""What is refused before work: input sizes, batches of one, weights that are no numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import save_file

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, checks, load_model, load_weights
from arttl.models.checks import check_batch_of_one, check_finite, check_input_size
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])


@pytest.fixture
def nothing_known() -> Iterator[None]:
    """No network has been tried before, nor will one be known afterwards."""
    checks._failure_on_meta.cache_clear()
    yield
    checks._failure_on_meta.cache_clear()


@pytest.mark.parametrize(
    ("name", "size", "nearest"),
    [
        ("inception_v3", 64, 96),
        ("vgg19", 16, 32),
        ("vit_tiny_patch16_224", 130, 128),
        ("vit_small_patch14_dinov2", 230, 224),
        ("vit_small_patch14_dinov2", 100, 98),  # a multiple of its patches, and not of 32
        ("swin_tiny_patch4_window7_224", 256, 224),
        ("convnext_atto", 16, 32),
    ],
)
def test_a_size_that_a_network_cannot_take(name: str, size: int, nearest: int) -> None:
    backbone = Backbone(name)
    with pytest.raises(ArttlError) as error:
        check_input_size(backbone, size)
    message = str(error.value)
    assert message.startswith(f"{name} cannot take pictures of {size} px (") and "\n" not in message
    flag = re.search(r"give --input-size (\d+)$", message)
    assert flag is not None and int(flag[1]) == nearest
    # The corrected flag works, and the network is as it was.
    assert backbone.training
    check_input_size(backbone, nearest)
    with torch.inference_mode():
        assert backbone.eval()(torch.zeros(1, 3, nearest, nearest)).shape == (1, backbone.num_features)


def test_sizes_that_networks_take() -> None:
    for name, size in (("test_resnet", 1), ("test_vit", 64), ("inception_v3", 75), ("convnext_atto", 40)):
        check_input_size(Backbone(name), size)


def no_head(network: Backbone, images: torch.Tensor) -> torch.Tensor:
    """As timm's encoders for language models, deepseek_vit_412m_enc for one."""
    raise NotImplementedError("it does not support classification")


def maps(network: Backbone, images: torch.Tensor) -> torch.Tensor:
    return images


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (no_head, "it does not support classification"),
        (maps, r"its features are \(1, 3, \d+, \d+\), not \(1, \d+\)"),
    ],
)
def test_a_network_that_gives_no_features(
    nothing_known: None, monkeypatch: pytest.MonkeyPatch, forward: object, reason: str
) -> None:
    monkeypatch.setattr(Backbone, "forward", forward)
    for size in (48, None):  # None: its own
        with pytest.raises(
            ArttlError,
            match=rf"test_resnet gives no features of a picture \({reason}\): choose another --backbone$",
        ):
            load_weights(Backbone("test_resnet"), "none", size)


def test_a_network_that_gives_no_features_says_so_of_every_size(nothing_known, monkeypatch) -> None:
    def forward(network: Backbone, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[-1] % 14 == 6, "no multiple of its patches"
        return no_head(network, images)

    monkeypatch.setattr(Backbone, "forward", forward)
    with pytest.raises(
        ArttlError, match=r"gives no features of a picture \(it does not support classification\)"
    ):
        check_input_size(Backbone("test_resnet"), 33)  # its own is 160


def test_what_fails_on_the_meta_device_alone_is_not_refused(nothing_known, monkeypatch) -> None:
    def no_meta(network: Backbone, images: torch.Tensor) -> torch.Tensor:
        if images.is_meta:
            raise NotImplementedError("no such operator")
        return torch.zeros(len(images), network.num_features)

    monkeypatch.setattr(Backbone, "forward", no_meta)
    check_input_size(Backbone("test_resnet"), 48)


def test_the_size_is_checked_before_weights_are_read(tmp_path) -> None:
    with pytest.raises(ArttlError, match="cannot take pictures of 100 px"):
        load_weights(Backbone("vit_tiny_patch16_224"), str(tmp_path / "none"), size=100)


def test_batches_of_one_picture() -> None:
    check_batch_of_one(Backbone("resnet18"), 48)  # its last maps are 2 x 2
    with pytest.raises(ArttlError, match=r"resnet18 has one value per channel .* 32 px.*--batch-size 2"):
        check_batch_of_one(Backbone("resnet18"), 32)
    network = Backbone("resnet18").train()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(torch.zeros(1, 3, 32, 32))
    network(torch.zeros(2, 3, 32, 32))  # as the sentence says
    network(torch.zeros(1, 3, 48, 48))
    check_batch_of_one(Backbone("test_vit"), 160)  # has none


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_no_numbers(tmp_path, value: float) -> None:
    state = Backbone("test_resnet").network.state_dict()
    save_file(state, tmp_path / "whole.safetensors")
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = value
    save_file(state, tmp_path / "one.safetensors")
    load_weights(Backbone("test_resnet"), str(tmp_path / "whole.safetensors"))
    with pytest.raises(
        ArttlError,
        match=r"weights of one.safetensors hold NaN or infinity in 1 of \d+ tensors, 'layer1.0.conv1.weight' first",
    ):
        load_weights(Backbone("test_resnet"), str(tmp_path / "one.safetensors"))


def test_numbers_that_are_too_large_for_float32(tmp_path) -> None:
    state = {name: tensor.double() for name, tensor in Backbone("test_resnet").network.state_dict().items()}
    state["layer1.0.conv1.weight"] += 1e300
    save_file(state, tmp_path / "large.safetensors")
    with pytest.raises(ArttlError, match=r"'layer1.0.conv1.weight' first"):
        load_weights(Backbone("test_resnet"), str(tmp_path / "large.safetensors"))


def test_a_model_whose_weights_are_nan(tmp_path) -> None:
    model = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=32))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    model.save(tmp_path / "model")
    with pytest.raises(
        ArttlError, match=r"the weights of the model in .*model hold NaN or infinity in \d+ of"
    ):
        load_model(tmp_path / "model")
    with pytest.raises(ArttlError, match="hold NaN"):
        load_weights(Backbone("test_resnet"), str(tmp_path / "model"))


def test_integers_and_empty_networks_are_finite() -> None:
    check_finite(torch.nn.Identity(), "weights")
    check_finite(torch.nn.BatchNorm2d(3), "weights")


@pytest.mark.parametrize("name", ["coat_tiny", "crossvit_tiny_240"])
def test_networks_of_several_branches_give_one_vector(name: str) -> None:
    backbone = Backbone(name).eval()
    size = int(backbone.pretrained_config["input_size"][-1])
    with torch.inference_mode():
        assert backbone(torch.zeros(1, 3, size, size)).shape == (1, backbone.num_features)


def test_shared_tensors_are_saved_under_all_their_names(tmp_path) -> None:
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone("coat_lite_tiny"), TASKS, Preprocess(size=224)).eval()
    shared = model.backbone.network.serial_blocks1
    assert shared[0].cpe is shared[1].cpe
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
    blocks = again.backbone.network.serial_blocks1
    assert blocks[0].cpe is blocks[1].cpe
    # A file that holds a shared tensor once, as others write it, has all of the network.
    once = {id(tensor): name for name, tensor in model.backbone.network.state_dict(keep_vars=True).items()}
    state = model.backbone.network.state_dict()
    assert len(once) < len(state)
    save_file({name: state[name].clone() for name in once.values()}, tmp_path / "once.safetensors")
    backbone = Backbone("coat_lite_tiny")
    load_weights(backbone, str(tmp_path / "once.safetensors"))
    assert all(torch.equal(tensor, state[name]) for name, tensor in backbone.network.state_dict().items())


def test_a_model_folder_whose_network_cannot_take_its_input(tmp_path) -> None:
    MultiTaskModel(Backbone("test_vit"), TASKS, Preprocess(size=160)).save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_text(path.read_text().replace('"size": 160', '"size": 100'))
    with pytest.raises(
        ArttlError, match=r"model in .* cannot be read: test_vit cannot take pictures of 100 px"
    ):
        load_model(tmp_path / "model")
