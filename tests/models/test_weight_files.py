"""Files of weights that neighbours write, and files that are no weights."""

from __future__ import annotations

import argparse
import collections
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from timm.utils import ModelEmaV3, get_state_dict
from torch import nn

from arttl.errors import ArttlError
from arttl.models import Backbone, load_weights
from arttl.models.weight_files import read_tensors

NAME = "test_resnet"


def network(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return Backbone(NAME).network


def loaded(path: Path) -> tuple[dict[str, torch.Tensor], Any]:
    backbone = Backbone(NAME)
    weights = load_weights(backbone, str(path))
    return backbone.network.state_dict(), weights


def equal(state: dict[str, torch.Tensor], other: nn.Module) -> bool:
    return all(torch.equal(tensor, state[name]) for name, tensor in other.state_dict().items())


@pytest.mark.parametrize(
    ("entry", "prefix"),
    [
        ("state_dict", "_orig_mod."),
        ("state_dict", "module._orig_mod."),
        ("state_dict", "_orig_mod.module."),
        ("model", "module."),
        ("state_dict", "model."),
        ("state_dict", "model._orig_mod."),
        ("state_dict", "backbone."),
        ("state_dict", "net.encoder."),
        ("model_state_dict", ""),
        ("network", ""),
    ],
)
def test_entries_and_prefixes(tmp_path, entry: str, prefix: str) -> None:
    donor = network()
    state = {prefix + name: tensor for name, tensor in donor.state_dict().items()}
    state["fc.weight"] = torch.zeros(3, 3)
    optimizer = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({entry: state, "epoch": 3, "optimizer": optimizer}, tmp_path / "w.pth")
    state, weights = loaded(tmp_path / "w.pth")
    assert equal(state, donor)
    assert weights.left_out == ("fc.weight",) and weights.origin == "weights of w.pth"


def test_parts_compiled_by_themselves(tmp_path) -> None:
    donor = network()
    state = {
        name.replace("layer1.0.", "layer1.0._orig_mod."): tensor
        for name, tensor in donor.state_dict().items()
    }
    assert any("_orig_mod" in name for name in state)
    save_file(state, tmp_path / "w.safetensors")
    assert equal(loaded(tmp_path / "w.safetensors")[0], donor)


@pytest.mark.parametrize("entry", ["state_dict_ema", "model_ema"])
def test_a_checkpoint_of_timm_gives_its_moving_average(tmp_path, entry: str) -> None:
    donor, average = network(1), ModelEmaV3(network(2))
    torch.save(
        {
            "epoch": 4,
            "arch": NAME,
            "state_dict": donor.state_dict(),
            "version": 2,
            "args": argparse.Namespace(model=NAME, lr=0.1, betas=[0.9, 0.99], mean=None),
            "metric": 71.2,
            entry: get_state_dict(average),
        },
        tmp_path / "checkpoint.pth.tar",
    )
    state, weights = loaded(tmp_path / "checkpoint.pth.tar")
    assert equal(state, average.module) and not equal(state, donor)
    assert weights.origin == f"weights of checkpoint.pth.tar, the moving average {entry}"


def test_torchvisions_average_with_its_counter(tmp_path) -> None:
    donor = network()
    average = torch.optim.swa_utils.AveragedModel(network(2))
    torch.save({"model": donor.state_dict(), "model_ema": average.state_dict()}, tmp_path / "w.pth")
    state, weights = loaded(tmp_path / "w.pth")
    assert equal(state, average.module) and weights.origin.endswith("the moving average model_ema.module")
    assert weights.left_out == ("n_averaged",)


def test_an_average_beside_the_model_in_one_entry(tmp_path) -> None:
    donor, average = network(1), network(2)
    state = {f"model.{name}": tensor for name, tensor in donor.state_dict().items()}
    state |= {f"ema.module.{name}": tensor for name, tensor in average.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    assert equal(loaded(tmp_path / "last.ckpt")[0], average)


def test_two_networks_are_not_chosen_between(tmp_path) -> None:
    student, teacher = (network(seed).state_dict() for seed in (1, 2))
    torch.save({"student": student, "teacher": teacher}, tmp_path / "dino.pth")
    with pytest.raises(
        ArttlError, match="hold two networks that fit, 'student' and 'teacher'; save one of them"
    ):
        loaded(tmp_path / "dino.pth")
    torch.save({"student": student, "teacher": student}, tmp_path / "same.pth")
    assert equal(loaded(tmp_path / "same.pth")[0], network(1))


def test_an_entry_that_holds_itself(tmp_path) -> None:
    state: dict[str, Any] = {"state_dict": network().state_dict()}
    state["more"] = state
    torch.save(state, tmp_path / "w.pth")
    assert equal(loaded(tmp_path / "w.pth")[0], network())


class Trainer:
    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (Trainer, "ran", True))


def test_other_classes_are_named_and_never_loaded(tmp_path) -> None:
    for value, name in (
        (np.float64(0.5), "numpy"),
        (Trainer(), "builtins.setattr"),
        (collections.deque(), "collections.deque"),
    ):
        torch.save({"state_dict": network().state_dict(), "metric": value}, tmp_path / "w.pth")
        with pytest.raises(
            ArttlError, match=rf"w.pth .*objects of {name}.*save the network's state_dict alone"
        ):
            loaded(tmp_path / "w.pth")
    assert not Trainer.ran


def test_the_one_class_that_is_allowed_is_so_only_here(tmp_path) -> None:
    torch.save({"args": argparse.Namespace(a=1), **network().state_dict()}, tmp_path / "w.pth")
    loaded(tmp_path / "w.pth")
    with pytest.raises(Exception, match=r"argparse.Namespace"):
        torch.load(tmp_path / "w.pth", weights_only=True)


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html></html>", "it is a web page"),
        (b"<html></html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n" + bytes(80), "arttl import-keras"),
        (archive(**{"config.json": b"{}", "model.weights.h5": b""}), "arttl import-keras"),
        (archive(**{"w__constants.pkl": b"", "w__data.pkl": b""}), "TorchScript"),
        (archive(**{"a.npy": npy()}), "torch.save did not write"),
        (npy(), "an array of NumPy"),
        (b"PK\x03\x04" + bytes(60), "it is damaged, incomplete or of another kind"),
        (b"\x80\x02garbage", "it is damaged, incomplete or of another kind"),
        (b"\xff" * 100, "it is damaged, incomplete or of another kind"),
    ],
)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_files_of_other_kinds_are_known_by_their_content(
    tmp_path, content: bytes, reason: str, suffix: str
) -> None:
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArttlError) as error:
        loaded(path)
    message = str(error.value)
    assert str(path) in message and reason in message and "\n" not in message


def test_a_compressed_archive_is_refused(tmp_path) -> None:
    torch.save(network().state_dict(), tmp_path / "w.pth")
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as file,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in file.namelist():
            bomb.writestr(name, file.read(name))
    with pytest.raises(ArttlError, match=r"bomb.pth .* archive that torch.save did not write"):
        loaded(tmp_path / "bomb.pth")


def test_an_old_file_that_announces_more_than_it_holds_takes_no_memory(tmp_path, monkeypatch) -> None:
    torch.save({"weight": torch.zeros(3000, 100)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    raw, announced = (tmp_path / "old.pth").read_bytes(), (2**31 - 1).to_bytes(4, "little")
    (tmp_path / "old.pth").write_bytes(raw.replace((300_000).to_bytes(4, "little"), announced, 1))
    allocated: list[int] = []

    class Storage(torch.UntypedStorage):
        def __new__(cls, size: int, **options: str) -> torch.UntypedStorage:
            allocated.append(0 if options.get("device") == "meta" else size)
            return torch.UntypedStorage(size, **options)

    monkeypatch.setattr(torch, "UntypedStorage", Storage)
    with pytest.raises(ArttlError, match=r"old.pth cannot be read .* damaged, incomplete"):
        loaded(tmp_path / "old.pth")
    assert allocated and max(allocated) == 0


def test_a_format_is_told_by_content_and_not_by_name(tmp_path) -> None:
    donor = network()
    save_file(donor.state_dict(), tmp_path / "w.bin")
    torch.save(donor.state_dict(), tmp_path / "w.safetensors")
    torch.save(donor.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("w.bin", "w.safetensors", "old.pth"):
        assert equal(loaded(tmp_path / name)[0], donor)


@pytest.mark.parametrize("value", [[1, 2], 7, {}, {"epoch": 3}, None, {"state_dict": {"a": 1}}])
def test_no_tensors(tmp_path, value: object) -> None:
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(ArttlError, match=r"w.pth hold no named tensors; save a network's state_dict"):
        loaded(tmp_path / "w.pth")


def test_a_folder_that_is_no_model(tmp_path) -> None:
    with pytest.raises(ArttlError, match=r"holds no model: expected model.json"):
        loaded(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    state = network().state_dict()
    torch.save({"state_dict": state}, folder / "w.pth")
    torch.save({"state_dict": state}, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "w.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_one_sentence_or_load(whole, tmp_path, data) -> None:
    name = data.draw(st.sampled_from(sorted(whole)))
    raw = bytearray(whole[name])
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            # Most bytes are numbers: half of the changes are where the structure is.
            near = data.draw(st.sampled_from([len(raw) - 1, 4000]))
            raw[data.draw(st.integers(0, min(near, len(raw) - 1)))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(raw)
    try:
        loaded(path)
    except ArttlError as error:
        assert str(path) in str(error) or path.name in str(error)
        assert "\n" not in str(error)


def test_a_pickle_whose_text_announces_more_than_the_file_holds_takes_no_memory(tmp_path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    raw = (tmp_path / "old.pth").read_bytes()
    text = b"X" + len("weight").to_bytes(4, "little") + b"weight"
    (tmp_path / "old.pth").write_bytes(
        raw.replace(text, b"X" + (2**31 - 1).to_bytes(4, "little") + b"weight")
    )
    assert text in raw
    tracemalloc.start()
    try:
        with pytest.raises(ArttlError, match="is damaged"):
            read_tensors(tmp_path / "old.pth")
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
