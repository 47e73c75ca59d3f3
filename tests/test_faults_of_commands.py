"""A full disk, lost permission, a lost folder or a kill at any write of any command: one sentence, and nothing lost."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from disk_faults import FAULTS, Commands, Ended, commands
from faults_inputs import draw_inputs, served
from legacy_files import vgg19_layers, write_empty

from arttl.cli import COMMANDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the intercepting library is for Linux")


@dataclass(frozen=True)
class Case:
    """A command that writes.

    Attributes:
        argv: its arguments; `ROOT` is an empty folder for what it writes, and `GIVEN` that of its input.
        done: what below `ROOT` means that all is there.
        again: the arguments that are added when it is given again.
        refusal: the sentence, as a pattern, with which it may then refuse a finished result.
        remedy: the arguments that this sentence names, and that are added next.
        varies: files that differ from run to run, as a pattern of their names.
        most: operations that are tried.
    """

    argv: str
    done: str
    again: str = ""
    refusal: str = ""
    remedy: str | None = None
    varies: str = "(?!)"
    most: int = 4


@dataclass(frozen=True)
class Given:
    """What commands read: a folder, which a server serves too, and the process that runs them."""

    folder: Path
    server: str
    commands: Commands

    def run(
        self,
        line: str,
        root: Path,
        fault: str = "",
        number: int = 0,
        aside: Path | None = None,
        killed_at: int = 0,
    ) -> Ended:
        names = {"ROOT": str(root), "GIVEN": str(self.folder), "SERVER": self.server}
        argv = [re.sub("ROOT|GIVEN|SERVER", lambda match: names[match[0]], word) for word in line.split()]
        environment = {"ARTTL_CACHE": str(root / "cache")}
        return self.commands.run(argv, root, fault, number, aside, environment, killed_at)

    def prepare(self, *lines: str) -> None:
        for line in lines:
            ended = self.run(line, self.folder)
            assert ended.status == 0, ended.err


@contextmanager
def given_for(folder: Path, *modules: str) -> Iterator[Given]:
    """A collection of 20 pictures, packed, as others would have packed it, and as servers have it."""
    folder.mkdir(parents=True, exist_ok=True)
    with served(folder) as server, commands(folder, *modules) as run:
        given = Given(folder, server, run)
        draw_inputs(folder, server)
        given.prepare(
            f"shards {_SOURCE} --out GIVEN/shards",
            f"shards {_SOURCE.replace('objects', 'others')} --out GIVEN/others --tasks type",
        )
        yield given


class Trial:
    """A command in its folder."""

    def __init__(self, given: Given, case: Case, scratch: Path) -> None:
        self.given, self.case = given, case
        self.root, self.aside = scratch / "root", scratch / "aside"
        self.good: set[frozenset[tuple[str, int]]] = set()
        self.clean()
        self.ended = self.command()
        assert self.ended.status == 0, self.ended.err
        self.whole = self.tree()
        assert case.done in self.whole

    def clean(self) -> None:
        for folder in (self.root, self.aside):
            shutil.rmtree(folder, ignore_errors=True)
        self.root.mkdir(parents=True)

    def command(self, more: str = "", fault: str = "", number: int = 0, killed_at: int = 0) -> Ended:
        return self.given.run(f"{self.case.argv} {more}", self.root, fault, number, self.aside, killed_at)

    def tree(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): b""
            if path.is_dir() or re.fullmatch(self.case.varies, path.name)
            else path.read_bytes()
            for path in self.root.rglob("*")
            if "tensorboard" not in path.parts  # whose files have the time in their names
        }

    def differing(self, tree: dict[str, bytes], surplus: bool = False) -> list[str]:
        """Names of what is missing or differs from an undisturbed command's, and of what is there besides."""
        names = self.whole.keys() | (tree.keys() if surplus else ())
        return sorted(name for name in names if tree.get(name) != self.whole.get(name))

    def numbers(self) -> list[int]:
        """Operations to try: as many as the case says, first and last included; of many writes to a file, two."""
        lines = self.ended.operations
        ends = [
            n
            for n in range(len(lines))
            if not 0 < n < len(lines) - 1 or not lines[n - 1] == lines[n] == lines[n + 1]
        ]
        count = min(self.case.most, len(ends))
        return [ends[round(n * (len(ends) - 1) / (count - 1))] + 1 for n in range(count)]

    def meets(self, fault: str, number: int, *, killed_at: int = 0, full_at: int = 0) -> None:
        """Let the command meet the fault, and give it once more.

        Args:
            fault: one of `FAULTS`.
            number: of the operation.
            killed_at: an operation after it, at which the command is killed while it deals with the fault.
            full_at: an operation of the command given again, which finds the disk full, before it is given once more.
        """
        self.clean()
        ended = self.command(fault=fault, number=number, killed_at=killed_at)
        if fault == "killed":
            assert ended.status in (137, 0), ended
        elif killed_at:
            assert ended.status == 137 or len(ended.operations) < killed_at, ended
        if full_at and ended.status:
            ended = self.command(self.case.again, "full", full_at)
        if ended.status not in (137, 0):
            assert_one_sentence(ended)
        if self.aside.exists() and (ended.status or not self.root.exists()):
            shutil.rmtree(self.root, ignore_errors=True)
            self.aside.rename(self.root)
        left = self.tree()
        if ended.status == 0 or self.case.done in left:
            assert not self.differing(left)
        state = frozenset((name, hash(data)) for name, data in left.items())
        if state in self.good:
            return
        again = self.command(self.case.again)
        if again.status and self.case.refusal:
            assert_one_sentence(again)
            assert re.search(self.case.refusal, again.err), again.err
            if self.case.remedy is not None:
                again = self.command(self.case.remedy)
                assert again.status == 0, again.err
            else:
                assert self.case.done in left
        else:
            assert again.status == 0, again.err
        assert not self.differing(self.tree(), surplus=True)
        self.good.add(state)


def assert_one_sentence(ended: Ended) -> None:
    assert ended.status == 2, ended
    assert "Traceback" not in ended.err + ended.out, ended.err
    *_, last = ended.err.splitlines()
    assert last.startswith("error: ") and ended.err.count("error: ") == 1, ended.err


_NETWORK = "--backbone test_resnet --weights none --input-size 32 --threads 1"
_SOURCE = "--source table --metadata GIVEN/objects.csv --images GIVEN/images --workers 1 --shard-size 8"
_EVALUATE = "evaluate --model GIVEN/run --shards GIVEN/shards --threads 1"
_TRAIN = f"train --shards GIVEN/shards --tasks type --mode scratch {_NETWORK} --epochs 1 --batch-size 16"
_TIMED = "metrics.jsonl"
_OVERWRITTEN = "metrics.jsonl|config.yaml"

PACKING = {
    "shards": Case(f"shards {_SOURCE} --out ROOT/s", "s/dataset.json", "--resume", most=12),
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
    "shards, two processes": Case(f"shards {_SOURCE} --out ROOT/s --workers 2", "s/dataset.json", "--resume"),
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


def try_operations(given: Given, case: Case, scratch: Path) -> None:
    """Let the command meet each fault in turn, at operations from the first to the last; and two at once."""
    trial = Trial(given, case, scratch)
    numbers = trial.numbers()
    assert len(numbers) > 3
    for index, number in enumerate(numbers):
        trial.meets(FAULTS[index % len(FAULTS)], number)
    middle = numbers[len(numbers) // 2]
    trial.meets("full", middle, killed_at=middle + 1)
    trial.meets("killed", middle, full_at=2)


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
            f"shards {_SOURCE.replace('objects', 'subjects')} --out GIVEN/subjects --tasks subject",
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
