"""A command that meets a fault at one of its operations on the disk, and is given once more."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from disk_faults import FAULTS, Commands, Ended, commands
from faults_inputs import draw_inputs, served

SOURCE = "--source table --metadata GIVEN/objects.csv --images GIVEN/images --workers 1 --shard-size 8"
"""The flags of a collection that `draw_inputs` has drawn."""


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
            f"shards {SOURCE} --out GIVEN/shards",
            f"shards {SOURCE.replace('objects', 'others')} --out GIVEN/others --tasks type",
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
