"""The commands of docs/migration.md, on files as the other tools write them."""

from __future__ import annotations

import argparse
import csv
import io
import json
import tarfile
from pathlib import Path

import documented
import numpy as np
import pytest
import timm
import torch
from executed import run_blocks
from PIL import Image

from arttl.cli import run_command
from arttl.models import Backbone

PAGE = documented.REPOSITORY / "docs" / "migration.md"
SPLITS = {"train": 24, "val": 8, "test": 8}


def write_pictures(folder: Path) -> list[Path]:
    random = np.random.default_rng(0)
    pictures = []
    for split, count in SPLITS.items():
        for index in range(count):
            path = folder / split / ("vase", "bowl")[index % 2] / f"{split}{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
            pictures.append(path)
    return pictures


def write_table(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_tars(folder: Path, pictures: list[Path]) -> None:
    folder.mkdir()
    for split in SPLITS:
        with tarfile.open(folder / f"{split}-0000.tar", "w") as tar:
            for index, path in enumerate(each for each in pictures if split in each.parts):
                members = {
                    "jpg": path.read_bytes(),
                    "cls": str(index % 2).encode(),
                    "json": json.dumps({"type": path.parent.name}).encode(),
                }
                for suffix, data in members.items():
                    member = tarfile.TarInfo(f"{split}{index:04d}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pictures = write_pictures(Path("images"))
    labels = [(str(path.relative_to("images")), path.parent.name) for path in pictures]
    write_table(Path("labels.csv"), [["name", "label"], *map(list, labels)])
    with Path("metadata.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in labels)
    samples = [{"filepath": name, "tags": [], "ground_truth": {"label": label}} for name, label in labels]
    Path("list.json").write_text(json.dumps(samples), encoding="utf-8")
    write_tars(Path("tars"), pictures)
    Path("jpg").mkdir()
    rows = [["", "ImageId", "dc_creator", "dc_materiaal", "dc_type"]]
    for index, path in enumerate(pictures):
        name = f"{index:07d}_SK-A-{index}"
        (Path("jpg") / f"{name}.jpg").write_bytes(path.read_bytes())
        rows.append([str(index), name, " Everdingen, Caesar van", "olieverf", path.parent.name])
    write_table(Path("metadata.csv"), rows)
    return tmp_path


@pytest.fixture
def network() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = timm.create_model("resnet18", num_classes=7).state_dict()
    return state


@pytest.mark.slow
def test_the_commands_run_as_they_stand(folder: Path, network: dict[str, torch.Tensor]) -> None:
    h5py = pytest.importorskip("h5py", reason="the extra `rijks` is not installed")
    from legacy_files import vgg19_layers, write_empty

    assert h5py
    write_empty(Path("creator_VGG19_weights.h5"), vgg19_layers(3))
    Path("creators.txt").write_text("Rembrandt\nRuysdael\nSteen\n", encoding="utf-8")
    # As timm's train.py saves it, and as fastai does with a body of timm and a head of its own.
    wrapped = {f"module.{name}": tensor for name, tensor in network.items()}
    torch.save({"epoch": 3, "state_dict": wrapped, "args": argparse.Namespace(lr=0.1)}, "model_best.pth.tar")
    body = {f"0.model.{name}": tensor for name, tensor in network.items() if not name.startswith("fc.")}
    torch.save({"model": {**body, "1.8.weight": torch.zeros(7, 512)}, "opt": {"state": []}}, "stage-1.pth")
    run_blocks(
        documented.blocks(PAGE), {"train": "--epochs 1 --input-size 32 --learning-rate 1e-12 --maps 0"}
    )
    # Both networks have begun with these weights, and so small a step leaves them as they were.
    for run in ("from-timm", "from-fastai"):
        from arttl.models import load_model

        weight = load_model(folder / "runs" / run).backbone.network.conv1.weight
        assert torch.allclose(weight, network["conv1.weight"], atol=1e-6)


def test_what_the_page_says_is_refused(
    folder: Path, network: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("labels.json").write_text('{"classes": ["vase"], "labels": {"a": 0}}', encoding="utf-8")
    Path("samples.json").write_text('{"samples": [{"filepath": "a.jpg"}]}', encoding="utf-8")
    for name, sentence in (("labels.json", "not a list"), ("samples.json", "'samples' is such a list")):
        assert run_command("shards", ["--metadata", name, "--images", "images", "--out", "none"]) == 2
        assert sentence in capsys.readouterr().err
    # fastai's cut of torchvision's resnet18 has positions for names.
    positions = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    body = {
        f"0.{positions[name.partition('.')[0]]}.{name.partition('.')[2]}": tensor
        for name, tensor in network.items()
        if not name.startswith("fc.")
    }
    torch.save({"model": body}, "stage-1.pth")
    from arttl.errors import ArttlError
    from arttl.models import load_weights

    with pytest.raises(ArttlError, match=r"stage-1\.pth"):
        load_weights(Backbone("resnet18"), "stage-1.pth")


def test_the_sentences_of_earlier_versions_are_those_of_the_code() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Earlier versions")[2]
    cells = [line.split("|")[2] for line in section.splitlines() if line.startswith("|")][2:]
    said = {
        quoted.strip("`") for cell in cells for quoted in cell.strip().split(", `") if "has no" not in quoted
    }
    code = "".join(
        path.read_text(encoding="utf-8") for path in (documented.REPOSITORY / "arttl").rglob("*.py")
    )
    kinds = {"shard", "calibration", "feature", "checkpoint"}
    assert len(said) >= 7
    for sentence in said:
        kind = sentence.removeprefix("has ").removesuffix(" format")
        if kind in kinds:
            assert f'FORMAT_VERSION, "{kind}"' in code
        elif kind != "model":
            assert sentence in code, sentence
