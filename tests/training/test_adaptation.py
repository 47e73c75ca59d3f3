"""--adapt: what learns, what is left as it was, and that a saved model is an ordinary one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import arttl
from arttl.errors import ArttlError
from arttl.models import Backbone
from arttl.models.adaptation import Adaptation, merge
from arttl.training.batchnorm import training_mode
from arttl.training.settings import TrainSettings
from arttl.training.train import open_model, train


@pytest.fixture
def settings(settings: TrainSettings) -> TrainSettings:
    return settings.replace(
        mode="fine-tune", weights="none", head_learning_rate=0.01, batch_size=16, learning_rate=0.01
    )


def vit(settings: TrainSettings, **changes: object) -> TrainSettings:
    return settings.replace(backbone="test_vit", input_size=32, **changes)


def learnt(settings: TrainSettings) -> dict[str, torch.Tensor]:
    state = load_file(settings.run.out / "best" / "model.safetensors")
    prefix = "backbone.network."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def differences(settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """By how much training changed each tensor of the network."""
    begun: dict[str, torch.Tensor] = {}

    def opened(*arguments: object) -> object:
        model, notes = open_model(*arguments)  # type: ignore[arg-type]
        begun.update({name: value.clone() for name, value in model.networks[0].network.state_dict().items()})
        return model, notes

    monkeypatch.setattr("arttl.training.train.open_model", opened)
    train(settings)
    after = learnt(settings)
    assert after.keys() == begun.keys()  # an ordinary model
    return {name: value - begun[name] for name, value in after.items()}


def changed(settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Tensors of the network that training changed."""
    return {name for name, change in differences(settings, monkeypatch).items() if change.any()}


@pytest.mark.slow
def test_the_last_blocks_of_a_transformer(settings: TrainSettings, monkeypatch, capsys) -> None:
    names = changed(vit(settings, adapt="last-2"), monkeypatch)
    assert {name.rpartition(".")[0].partition(".attn")[0].partition(".mlp")[0] for name in names} == {
        *(
            "blocks.4",
            "blocks.4.norm1",
            "blocks.4.norm2",
            "blocks.5",
            "blocks.5.norm1",
            "blocks.5.norm2",
            "norm",
        )
    }
    shown = " ".join(capsys.readouterr().out.split())
    assert "the last 2 blocks learn: 0.08 of 0.31 million parameters of test_vit" in shown


@pytest.mark.slow
def test_the_last_block_of_a_convolutional_network(settings: TrainSettings, monkeypatch) -> None:
    """Frozen batch normalisation keeps its statistics too."""
    names = changed(settings.replace(adapt="last-1"), monkeypatch)
    assert names and all(name.startswith("layer4.") for name in names)
    assert any(name.endswith("running_mean") for name in names)


@pytest.mark.slow
def test_low_rank_changes_are_merged(settings: TrainSettings, monkeypatch, capsys) -> None:
    pytest.importorskip("peft", reason="the extra `adapt` is not installed")
    chosen = vit(settings, adapt="lora-2")
    for name, change in differences(chosen, monkeypatch).items():
        of_attention = name.endswith(("attn.qkv.weight", "attn.proj.weight"))
        assert bool(change.any()) == of_attention, name
        if of_attention:
            assert torch.linalg.matrix_rank(change.double(), rtol=1e-4) == 2
    assert "changes of rank 2 of 12 matrices of attention (qkv, proj) learn" in capsys.readouterr().out
    assert arttl.load_model(chosen.run.out).provenance.mode == "fine-tune"


@pytest.mark.slow
def test_a_merged_network_gives_the_same_features() -> None:
    pytest.importorskip("peft", reason="the extra `adapt` is not installed")
    torch.manual_seed(0)
    backbone = Backbone("test_vit").eval()
    names = list(backbone.state_dict())
    images = torch.randn(2, 3, 32, 32)
    Adaptation.of("lora").apply(backbone, 32)
    with torch.no_grad():
        before = backbone(images)
        for name, parameter in backbone.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
        changed = backbone(images)
        merge(backbone)
        assert float((changed - before).abs().max()) > 0.1
        torch.testing.assert_close(backbone(images), changed, rtol=1e-4, atol=1e-4)
    assert list(backbone.state_dict()) == names
    assert all(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("adapt", ["last-1", "lora"])
def test_a_resumed_run_repeats_the_uninterrupted_one(
    settings: TrainSettings, tmp_path: Path, adapt: str
) -> None:
    if adapt == "lora":
        pytest.importorskip("peft", reason="the extra `adapt` is not installed")
    whole = vit(settings, adapt=adapt, epochs=2, out=tmp_path / "whole", ema=0.9)
    train(whole)
    train(whole.replace(out=tmp_path / "again"))
    interrupted = whole.replace(out=tmp_path / "interrupted", checkpoint_every=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arttl.training.checkpoints.Checkpoints.save_best", _killed)
        with pytest.raises(KeyboardInterrupt):
            train(interrupted)
    assert list((tmp_path / "interrupted" / "checkpoints").glob("step-*"))
    train(interrupted.replace(resume=True))
    for folder in ("again", "interrupted"):
        files = [tmp_path / name / "best" / "model.safetensors" for name in ("whole", folder)]
        assert files[0].read_bytes() == files[1].read_bytes()


def _killed(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_frozen_parts_stay_in_evaluation_mode() -> None:
    backbone = Backbone("test_efficientnet")
    Adaptation.of("last-1").apply(backbone, 32)

    class Model(torch.nn.Module):
        networks = (backbone,)

    model = Model()
    model.backbone = backbone
    training_mode(model, backbone_learns=True, batchnorm="batch")  # type: ignore[arg-type]
    norms = {
        name: module.training
        for name, module in backbone.network.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    }
    learning = {
        name
        for name in norms
        if any(parameter.requires_grad for parameter in backbone.network.get_submodule(name).parameters())
    }
    assert learning and learning != set(norms)
    assert {name for name, training in norms.items() if training} == learning


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"adapt": "lastk"},
            r"--adapt 'lastk' is not known; give full, last-K \(such as last-2\), lora or lora-RANK",
        ),
        ({"adapt": "last-0"}, "--adapt 'last-0' is not known"),
        ({"adapt": "lora-0"}, "--adapt 'lora-0' is not known"),
        ({"adapt": "lora", "mode": "scratch"}, "--adapt lora is for --mode fine-tune, and --mode is scratch"),
        ({"adapt": "last-2", "mode": "off-the-shelf", "weights": "imagenet"}, "--adapt does not apply"),
    ],
)
def test_wrong_settings_are_one_sentence(
    settings: TrainSettings, changes: dict[str, str], reason: str
) -> None:
    plain = TrainSettings.of(shards=settings.data.shards, weights="none")
    with pytest.raises(ArttlError, match=reason):
        plain.replace(**changes)


def test_a_rank_above_that_of_the_matrices_is_refused() -> None:
    backbone = Backbone("test_vit")
    width = backbone.num_features
    with pytest.raises(
        ArttlError, match=f"--adapt lora-{width + 1}: .* test_vit have a rank of {width} at most"
    ):
        Adaptation.of(f"lora-{width + 1}").apply(backbone, 32)
    assert all(parameter.requires_grad for parameter in backbone.parameters())


def test_what_a_network_does_not_have_is_said_before_work(settings: TrainSettings, monkeypatch) -> None:
    with pytest.raises(ArttlError, match="test_vit has 6 blocks; give a smaller number, or full"):
        train(vit(settings, adapt="last-7"))
    with pytest.raises(ArttlError, match="test_resnet has none: use last-K"):
        train(settings.replace(adapt="lora"))
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ArttlError, match=r'--adapt lora needs peft: pip install "arttl\[adapt\]"'):
        train(vit(settings, adapt="lora"))
    assert not settings.run.out.exists()
