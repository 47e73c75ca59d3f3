"""The table "Where to change what" of CONTRIBUTING.md: a toy of each row, added by its registration alone."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.evaluation.measures import MEASURES, ClassSamples, Measure, mean_of
from arttl.evaluation.metrics import measure_task, metrics_to_json
from arttl.evaluation.report import metrics_table
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, load_model
from arttl.models.heads import HEADS, Head
from arttl.models.losses import LOSSES, LossOptions, summed_loss
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.saliency import visual_backprop
from arttl.saliency.taps import TAPS, Tap, print_taps
from arttl.shards.manifest import Manifest
from arttl.sources.registry import SOURCES, Source, open_source
from arttl.sources.settings import SourceSettings
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.optimisation import build_optimizer
from arttl.training.settings import TrainSettings
from arttl.training.train import train

ROOT = Path(__file__).resolve().parents[1]
TYPE = Task("type", "single-label", Vocabulary(("a", "b", "c"), (5, 3, 2), (0,)))


def table() -> list[tuple[str, str, str]]:
    """What to add, the file and the registry of each row."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Where to change what\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return [(what, file, registry) for what, file, registry, _ in rows]


def test_the_files_and_registries_of_the_table_exist_and_each_has_a_toy_here() -> None:
    rows = table()
    assert {registry for _, _, registry in rows} == {"LOSSES", "MEASURES", "HEADS", "TAPS", "SOURCES"}
    for _, file, registry in rows:
        assert (ROOT / file).is_file()
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert isinstance(getattr(module, registry), dict)


@pytest.mark.parametrize(
    ("registry", "names"),
    [(HEADS, ("mlp",)), (TAPS, ("DenseNet", "InceptionV3", "Xception"))],
    ids=["HEADS", "TAPS"],
)
def test_no_second_file_lists_what_is_registered(registry: dict[str, Any], names: tuple[str, ...]) -> None:
    assert set(names) <= set(registry)
    for name in names:
        files = [path for path in (ROOT / "arttl").rglob("*.py") if f'"{name}"' in path.read_text("utf-8")]
        assert len(files) == 1, f"{name} stands in {files}"


def test_a_loss(monkeypatch: pytest.MonkeyPatch, small_shards: Path, tmp_path: Path) -> None:
    """A loss of seven per sample, whatever is predicted, is what a whole run reports for training and validation."""

    def seven(task: Task, logits: torch.Tensor, targets: torch.Tensor, options: LossOptions) -> torch.Tensor:
        return 7.0 * len(targets) + 0.0 * logits.sum()

    monkeypatch.setitem(LOSSES, "single-label", seven)
    settings = TrainSettings.of(
        shards=small_shards,
        tasks=("type",),
        backbone="test_resnet",
        mode="scratch",
        input_size=32,
        epochs=1,
        out=tmp_path / "run",
        threads=1,
        maps=0,
    )
    train(settings)
    lines = [json.loads(line) for line in (settings.run.out / "metrics.jsonl").read_text().splitlines()]
    losses = [(line["train_loss"], line["val_loss"]) for line in lines if "val_loss" in line]
    assert losses == [(pytest.approx(7.0), pytest.approx(7.0))]


def test_a_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share of samples predicted as the first class: in the JSON, in the table, with an interval and a baseline."""

    def first_class(samples: ClassSamples) -> Any:
        return mean_of(samples.predicted == 0)

    measure = Measure("share_of_first", "share of the first", "share", "lower", first_class)
    monkeypatch.setitem(MEASURES, "single-label", [*MEASURES["single-label"], measure])
    targets = torch.arange(40) % 3
    logits = nn.functional.one_hot((torch.arange(40) % 4).clamp_max(2), 3).float()
    found = measure_task(TYPE, logits, targets, replicates=50)
    described = metrics_to_json({"type": found})["tasks"]["type"]
    assert described["share_of_first"] == 10 / 40 and described["baseline"]["share_of_first"] == 1.0
    low, high = described["intervals"]["share_of_first"]
    assert 0 <= low < 0.25 < high <= 1
    out = StringIO()
    Console(file=out, width=120).print(metrics_table({"type": found}, "Test"))
    assert re.search(r"share of the first +25\.0 .*100\.0", out.getvalue())


class CosineHead(Head):
    """Logits are a scale times the cosine with a direction per class, of features less a centre."""

    def __init__(self, in_features: int, out_features: int, scale: float = 10.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(out_features, in_features))
        self.register_buffer("mean", torch.zeros(in_features))
        self.register_buffer("std", torch.ones(in_features))
        self.scale = scale

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        centred = nn.functional.normalize((features - self.mean) / self.std, dim=1)
        return self.scale * centred @ nn.functional.normalize(self.directions, dim=1).T

    def absorb_standardisation(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        self.mean.add_(self.std * mean)
        self.std.mul_(std)

    def specification(self) -> dict[str, Any]:
        return {"kind": "cosine", "scale": self.scale}


@pytest.mark.parametrize("head", ["mlp", {"kind": "cosine", "scale": 20.0}])
def test_a_head(head: str | dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It learns, is saved and loaded; without its registration the folder is refused in one sentence."""
    monkeypatch.setitem(HEADS, "cosine", CosineHead)
    torch.manual_seed(0)
    tasks = TaskSet([TYPE])
    model = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=32), head=head)
    settings = TrainSettings.of(mode="fine-tune").resolved()
    optimizer = build_optimizer(model, settings.optimisation, backbone_learns=True)
    images, targets = torch.randn(12, 3, 32, 32), torch.arange(12) % 3
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = summed_loss(TYPE, model(images)["type"], targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    model.eval().save(tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert type(loaded.heads.layers[0]) is type(model.heads.layers[0])
    with torch.inference_mode():
        assert torch.equal(loaded(images)["type"], model(images)["type"])
    with pytest.raises(ArttlError, match=r"--head (mlp|cosine) and --mode off-the-shelf do not go together"):
        model.heads.linear_layers()
    if head != "mlp":
        monkeypatch.delitem(HEADS, "cosine")
        with pytest.raises(ArttlError, match=r"--head 'cosine' is not known.*; there are: linear, mlp"):
            load_model(tmp_path / "m")


class ToyNet(nn.Module):
    """Two convolutions registered in the reverse of the order in which they run, so that only its taps tell the way."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(images).relu()).relu()


def test_taps_of_an_architecture(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    torch.manual_seed(0)
    network, images = ToyNet(), torch.randn(2, 3, 32, 24)
    with pytest.raises(ArttlError, match="no taps are known for ToyNet"):
        visual_backprop(network, images)
    taps = [Tap("first", ("first",)), Tap("second", ("second",))]
    monkeypatch.setitem(TAPS, "ToyNet", lambda network: taps)
    maps = visual_backprop(network, images)
    assert maps.shape == (2, 32, 24) and maps.amin() == 0 and maps.amax() == 1
    assert torch.equal(maps, visual_backprop(network, images, taps=taps))
    print_taps(network)
    assert "3x3 stride 2 pad 1" in capsys.readouterr().out


def test_a_metadata_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A JSON object of file names to types, from the metadata to the rows of a manifest."""

    def read(settings: SourceSettings) -> Iterator[Artwork]:
        assert settings.metadata is not None and settings.images is not None
        for name, label in json.loads(settings.metadata.read_text()).items():
            yield Artwork(sample_key(name), name, settings.images / name, {"type": (label,)})

    images = tmp_path / "images"
    images.mkdir()
    random = np.random.default_rng(0)
    names = {f"{index}.png": "vase" if index % 2 else "bowl" for index in range(30)}
    for name in names:
        Image.fromarray(random.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(images / name)
    metadata = tmp_path / "types.json"
    metadata.write_text(json.dumps(names))
    settings = PackSettings(
        source="toy", metadata=metadata, images=images, out=tmp_path / "shards", workers=1
    )
    with pytest.raises(ArttlError, match="--source 'toy' is not known"):
        open_source(settings)
    monkeypatch.setitem(SOURCES, "toy", Source(read, ("type",)))
    pack(open_source(settings), settings)
    manifest = Manifest.read(tmp_path / "shards")
    assert manifest.task_names == ("type",) and len(manifest) == 30
    assert sorted(labels[0] for labels in manifest.labels("type") if labels) == sorted(names.values())
