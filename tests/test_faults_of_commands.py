"""A full disk, lost permission, a lost folder or a kill at any write of any command: one sentence, and nothing lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_trials import SOURCE, Case, Given, given_for, try_operations
from legacy_files import vgg19_layers, write_empty

from arttl.cli import COMMANDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the intercepting library is for Linux")


_NETWORK = "--backbone test_resnet --weights none --input-size 32 --threads 1"
_EVALUATE = "evaluate --model GIVEN/run --shards GIVEN/shards --threads 1"
_TRAIN = f"train --shards GIVEN/shards --tasks type --mode scratch {_NETWORK} --epochs 1 --batch-size 16"
_TIMED = "metrics.jsonl"
_OVERWRITTEN = "metrics.jsonl|config.yaml"

PACKING = {
    "shards": Case(f"shards {SOURCE} --out ROOT/s", "s/dataset.json", "--resume", most=12),
    "merge": Case(
        "shards merge GIVEN/shards GIVEN/others --out ROOT/s --workers 1 --shard-size 16",
        "s/dataset.json",
        "--resume",
        most=8,
    ),
    "relabel": Case(
        "shards relabel GIVEN/shards --source table --metadata GIVEN/others.csv --out ROOT/s --workers 1"
        " --shard-size 8",
        "s/dataset.json",
        "--resume",
        most=8,
    ),
    "relabel, decided": Case(
        "shards relabel GIVEN/shards --decisions GIVEN/decisions.sqlite --out ROOT/s --workers 1 --shard-size 8",
        "s/dataset.json",
        "--resume",
        most=8,
    ),
    "decisions": Case(
        "decisions export --decisions GIVEN/decisions.sqlite --to csv --metadata GIVEN/objects.csv --out ROOT/o.csv",
        "o.csv",
        refusal="exists already",
        most=8,
    ),
    "adopt": Case(
        "shards adopt GIVEN/tars --tasks type=type --out ROOT/s --workers 1 --shard-size 8",
        "s/dataset.json",
        "--resume",
        most=8,
    ),
    "fetch rijks2014": Case(
        "fetch rijks2014 --out ROOT/r --api SERVER", "r/fetched.json", refusal="is fetched already", most=16
    ),
    "vocabulary": Case(
        "vocabulary --shards GIVEN/shards --out ROOT/v.csv",
        "v.csv",
        refusal="exists, and may have been reviewed",
    ),
    "convert": Case(
        "convert --predictions GIVEN/suggestions.jsonl --to linked-art --out ROOT/o.json",
        "o.json",
        refusal="exists already",
        most=8,
    ),
    "fetch iiif": Case("fetch iiif SERVER/manifest.json --out ROOT/i --rate 1000", "i/fetched.json", most=12),
}
LONGER = {
    "shards, two processes": Case(f"shards {SOURCE} --out ROOT/s --workers 2", "s/dataset.json", "--resume"),
    "train": Case(
        f"{_TRAIN} --maps 0 --out ROOT/run --checkpoint-every 2 --resume",
        "run/test.json",
        varies=_TIMED,
        most=8,
    ),
    "off-the-shelf": Case(
        "train --shards GIVEN/shards --tasks type --mode off-the-shelf"
        " --backbone test_resnet --weights GIVEN/run --input-size 32 --threads 1 --maps 0 --out ROOT/run --resume",
        "run/test.json",
        varies=_TIMED,
    ),
    "features": Case(f"features GIVEN/shards --out ROOT/f {_NETWORK} --block-size 16", "f/features.json"),
    "probe": Case(
        "probe GIVEN/features --out ROOT/run --tasks type --learning-rates 0.01 --weight-decays 0",
        "run/test.json",
        refusal="pass --overwrite",
        remedy="--overwrite",
        varies=_OVERWRITTEN,
    ),
    "fuse": Case(
        "fuse GIVEN/features GIVEN/features2 --out ROOT/run --tasks type",
        "run/test.json",
        refusal="pass --overwrite",
        remedy="--overwrite",
        varies=_OVERWRITTEN,
    ),
    "layers": Case("layers GIVEN/features --out ROOT/l --tasks type", "l/layers.json"),
    "rebalance": Case("rebalance GIVEN/features --out ROOT/l --tasks type", "l/rebalance.json"),
    "audit": Case(
        "audit GIVEN/features GIVEN/features2 --tasks type --out ROOT/a",
        "a/audit.json",
        refusal="pass --overwrite",
        remedy="--overwrite",
        varies="audit.json",
        most=8,
    ),
    "audit of shards": Case(
        f"audit GIVEN/shards --tasks type --out ROOT/a {_NETWORK}",
        "a/audit.json",
        refusal="pass --overwrite",
        remedy="--overwrite",
        varies="audit.json|config.yaml",
        most=8,
    ),
    "evaluate": Case(
        f"{_EVALUATE} --json ROOT/e.json --classes-csv ROOT/c.csv --predictions ROOT/p.parquet", "e.json"
    ),
    "predict": Case(
        "predict --model GIVEN/run --metadata GIVEN/objects.csv --images GIVEN/images --batch-size 1 --threads 1"
        " --out ROOT/p.csv",
        "p.csv",
        refusal="pass --overwrite",
        remedy="--overwrite",
        most=8,
    ),
    "export": Case(
        "export --model GIVEN/run --to huggingface --out ROOT/h",
        "h/README.md",
        refusal="exists already",
        most=8,
    ),
    "export, a program": Case("export --model GIVEN/run --to torch --out ROOT/m.pt2", "m.pt2"),
    "compare": Case("compare GIVEN/run GIVEN/run2 --json ROOT/c.json", "c.json"),
    "visualize": Case(
        "visualize --model GIVEN/run --shards GIVEN/shards --count 2 --pdf --sheets type --out ROOT/v",
        "v/panel.png",
    ),
    "reproduce": Case(
        "reproduce --source GIVEN/shards --target GIVEN/subjects --out ROOT/r --backbones test_resnet"
        " --weights test_resnet=GIVEN/run --recipe GIVEN/recipe.yaml --classes train",
        "r/report.html",
        varies=rf"{_TIMED}|report\.(html|md)|networks\.csv",
    ),
    "explain score": Case(
        "explain score --model GIVEN/run --shards GIVEN/shards --count 1 --steps 1 --drawn 0 --json ROOT/s.json",
        "s.json",
    ),
    "explain regions": Case(
        "explain regions --model GIVEN/run --predictions GIVEN/predicted.jsonl --images GIVEN/images"
        " --targets GIVEN/targets.csv --out ROOT/t.csv",
        "t.csv",
        refusal="exists already",
    ),
    "report": Case(
        "report --model GIVEN/run --predictions GIVEN/predicted.jsonl --images GIVEN/images --out ROOT/r.html",
        "r.html",
        refusal="exists already",
    ),
    "report, in pages": Case(
        "report --predictions GIVEN/predicted.jsonl --images GIVEN/images --out ROOT/r --paged",
        "r/index.html",
        refusal="exists already",
    ),
    "import-keras": Case(
        "import-keras GIVEN/vgg19.h5 --backbone vgg19 --size 32 --out ROOT/m",
        "m/model.json",
        refusal="exists already: name a folder to be made",
    ),
    "remote shards": Case(
        "evaluate --model GIVEN/run --shards SERVER/shards --threads 1 --json ROOT/e.json", "e.json"
    ),
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """What is packed or fetched."""
    modules = ("arttl.packing.commands", "arttl.fetching.fetch", "arttl.fetching.iiif")
    with given_for(tmp_path_factory.mktemp("given"), *modules) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def given_networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """Two runs and two folders of features too."""
    with given_for(tmp_path_factory.mktemp("given"), "arttl.training.train") as prepared:
        prepared.prepare(
            f"{_TRAIN} --maps 0 --out GIVEN/run",
            f"{_TRAIN} --maps 0 --out GIVEN/run2 --seed 1",
            f"shards {SOURCE.replace('objects', 'subjects')} --out GIVEN/subjects --tasks subject",
            f"features GIVEN/shards --out GIVEN/features {_NETWORK}",
            f"features GIVEN/shards --out GIVEN/features2 {_NETWORK.replace('resnet', 'efficientnet')}",
        )
        prepared.prepare(
            "predict --model GIVEN/run --images GIVEN/images --threads 1 --out GIVEN/predicted.jsonl"
        )
        (prepared.folder / "targets.csv").write_text("picture,target\n0.jpg,https://a.example/0\n")
        write_empty(prepared.folder / "vgg19.h5", vgg19_layers(classes=None))
        (prepared.folder / "recipe.yaml").write_text("epochs: 1\ninput_size: 32\nthreads: 1\n")
        yield prepared


@pytest.mark.parametrize("name", PACKING)
def test_packing_and_fetching(given: Given, tmp_path: Path, name: str) -> None:
    try_operations(given, PACKING[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONGER)
def test_commands_with_networks(given_networks: Given, tmp_path: Path, name: str) -> None:
    try_operations(given_networks, LONGER[name], tmp_path)


def test_every_command_is_tried() -> None:
    # `arttl review` runs until it is stopped; tests/review kills it.
    tried = {case.argv.split()[0] for case in (*PACKING.values(), *LONGER.values())}
    assert tried == {*COMMANDS} - {"review"}
