"""The run folder: its only writer and reader, for every command that leaves a run.

- `config.yaml`: the command's settings as the run was begun with, from which it can be started again;
- `tasks.json`: the tasks that are predicted;
- `environment.json`: the machine and the versions;
- `metrics.jsonl`: one line per epoch, or per head that was fitted;
- `best/`: the model with its calibration;
- `predictions.parquet` and `classes.csv`: of the test split;
- `test.json`: the figures on the test split, written last: a run with it is done.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import cattrs
import torch
import yaml
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list

from arttl import files
from arttl.cpu import prepare_cpu
from arttl.documents import parse_json, read_json, read_yaml
from arttl.errors import ArttlError, without_credentials
from arttl.settings import Settings
from arttl.tasks import TaskSet

PREDICTIONS, CLASSES = "predictions.parquet", "classes.csv"
_DONE, _CONFIG, _CHECKPOINTS = "test.json", "config.yaml", "checkpoints"
_ENVIRONMENT = "environment.json"
# In the order in which they are removed: the file that means "done" first, those a run is resumed from last.
_CONTENTS = (
    *(_DONE, PREDICTIONS, CLASSES, "best", "maps", "tensorboard", "metrics.jsonl", "tasks.json"),
    *(_ENVIRONMENT, _CHECKPOINTS, _CONFIG),
)
_OF_ONE_CALL = ("overwrite", "resume")  # settings that say how the folder is opened, and nothing of the run
_LOST_RANK = re.compile("Connection (closed|reset) by peer|Broken pipe|Timed out waiting|NCCL|TCPStore")
_FAILURES = ("failed.json", "traceback.txt")
_PACKAGES = ("arttl", "torch", "torchvision", "timm", "accelerate", "simplejpeg", "nvidia-dali-cuda130")
_T = TypeVar("_T")


@dataclass(frozen=True)
class RunFolder:
    """One run on the disk. Only one rank may write; see `on_first_rank`.

    Attributes:
        path: of the folder, which need not exist yet.
    """

    path: Path

    @property
    def best(self) -> Path:
        """The folder of the model."""
        return self.path / "best"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / _CHECKPOINTS

    @property
    def tensorboard(self) -> Path:
        """The folder of the curves."""
        return self.path / "tensorboard"

    @property
    def predictions(self) -> Path:
        """The file of the predictions on the test split."""
        return self.path / PREDICTIONS

    @property
    def classes(self) -> Path:
        """The table of the classes on the test split."""
        return self.path / CLASSES

    @property
    def is_done(self) -> bool:
        """Whether the run is finished, and so whole."""
        return (self.path / _DONE).is_file()

    @property
    def precision(self) -> str | None:
        """That the run was computed in last; None where it is not known."""
        path = self.path / _ENVIRONMENT
        return read_json(path, dict[str, Any]).get("mixed_precision") if path.is_file() else None

    def settings(self) -> dict[str, Any]:
        """The settings that the run was begun with.

        Raises:
            ArttlError: if there are none that can be read.
        """
        path = self.path / _CONFIG
        settings = read_yaml(path)
        if not (isinstance(settings, dict) and all(isinstance(name, str) for name in settings)):
            raise ArttlError(f"{path} does not hold the settings of a run")
        return settings

    def test(self) -> dict[str, Any]:
        """The figures on the test split, as `metrics_to_json` gives them.

        Raises:
            ArttlError: if the run is not done.
        """
        try:
            return read_json(self.path / _DONE, dict[str, Any], finite=False)
        except ArttlError as error:
            raise ArttlError(f"{self.path} holds no finished run: {error}") from error

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`.

        Raises:
            ArttlError: if one is not JSON.
        """
        path = self.path / "metrics.jsonl"
        return [
            parse_json(line, dict[str, Any], f"line {number} of {path}", finite=False)
            for number, line in enumerate(files.read_lines(path), start=1)
        ]

    @property
    def failure(self) -> str | None:
        """The error message of the last attempt, if it failed."""
        path = self.path / _FAILURES[0]
        return read_json(path, dict[str, str]).get("error", "") if path.is_file() else None

    def check(self, *, overwrite: bool) -> None:
        """Find out early that the folder may not be replaced.

        Raises:
            ArttlError: if it holds a run and `overwrite` is not given, or if it holds something else.
        """
        if not self.path.exists() or (self.path.is_dir() and not self._contents()):
            return
        if not (self.path / _CONFIG).is_file():
            raise ArttlError(f"{self.path} is not a run folder; choose another --out")
        if not overwrite:
            raise ArttlError(f"{self.path} already holds a run; choose another --out, or pass --overwrite")

    def refuse_earlier_run(self, *, overwrite: bool, resume: bool) -> None:
        """Find out before any work whether `begin` would refuse the folder because of an earlier run.

        Raises:
            ArttlError: if it holds one that is neither to be replaced nor resumed.
        """
        resumed = resume and (self.path / _CONFIG).is_file()
        if not (overwrite or resumed) and any((self.path / name).exists() for name in _CONTENTS):
            raise ArttlError(
                f"{self.path} already holds a run; choose another --out, or pass --overwrite or --resume"
            )

    def begin(
        self,
        settings: Mapping[str, object],
        tasks: TaskSet,
        *,
        overwrite: bool = False,
        resume: bool = False,
        may_change: Collection[str] = (),
        device: torch.device | None = None,
        processes: int = 1,
        mixed_precision: str = "no",
    ) -> list[str]:
        """Make the folder, or empty it of an earlier run, and write the files that a run begins with.

        Files that no run makes are left alone; on resuming, the checkpoints and the settings are too.

        Args:
            settings: of the command, see `flat_settings`.
            tasks: what is predicted.
            overwrite: replace an earlier run.
            resume: continue an earlier run.
            may_change: settings that may differ from those the run was begun with.
            device, processes, mixed_precision: hardware and precision of the run; by default one process on the GPU if
                there is one.

        Returns:
            The settings that differ from those the run was begun with, as flags with both values.

        Raises:
            ArttlError: if the folder holds a run that is neither to be replaced nor resumed, or one of other settings,
                or cannot be written.
        """
        changes: list[str] = []
        files.make_folder(self.path)
        present = [name for name in _CONTENTS if (self.path / name).exists()]
        resumed = resume and _CONFIG in present
        if resumed:
            changes = self._compare(settings, may_change)
            present = [name for name in present if name not in (_CONFIG, _CHECKPOINTS)]
        else:
            self.refuse_earlier_run(overwrite=overwrite, resume=resume)
        for name in (*present, *_FAILURES):
            files.remove(self.path / name)
        for folder in (self.path, self.checkpoints):
            files.remove_leftovers(folder)
        if not resumed:
            write_config(self.path, settings)
        tasks.save(self.path / "tasks.json")
        device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        environment = {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {package: _version(package) for package in _PACKAGES},
            "device": str(device),
            "card": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "processes": processes,
            "threads": torch.get_num_threads(),
            "mixed_precision": mixed_precision,
        }
        files.write_json(self.path / _ENVIRONMENT, environment)
        return changes

    def append(self, *lines: Mapping[str, object]) -> None:
        """Append lines to `metrics.jsonl`.

        Raises:
            ArttlError: if it cannot be written, or the folder is not the one that `begin` made.
        """
        self._check_begun()
        files.append_lines(self.path / "metrics.jsonl", map(json.dumps, lines))

    def finish(
        self,
        figures: Mapping[str, object],
        *,
        predictions: Callable[[Path], None],
        classes: Callable[[Path], None],
    ) -> None:
        """Write the files that a run ends with, last the one that means "done". The calibrated model is there already.

        Args:
            figures: on the test split.
            predictions, classes: each writes a whole file of the name it is given.

        Raises:
            ArttlError: if something cannot be written, or the folder is not the one that `begin` made.
        """
        self._check_begun()
        predictions(self.predictions)
        classes(self.classes)
        files.write_json(self.path / _DONE, figures)

    def fail(self, error: str, traceback: str | None = None) -> None:
        """Record the error message of an attempt, and for a bug the traceback."""
        files.make_folder(self.path)
        if traceback is not None:
            files.write_text(self.path / _FAILURES[1], traceback)
        files.write_text(self.path / _FAILURES[0], json.dumps({"error": error}) + "\n")

    def _check_begun(self) -> None:
        """Refuse a folder that was made anew in place of one that is gone, such as one whose disk was unmounted."""
        if not (self.path / _CONFIG).is_file():
            raise ArttlError(
                f"{self.path / _CONFIG} is gone since the run was begun: bring the folder back and resume"
            )

    def _contents(self) -> list[Path]:
        return [
            path for path in self.path.iterdir() if path.name not in _FAILURES and not files.is_leftover(path)
        ]

    def _compare(self, settings: Mapping[str, object], may_change: Collection[str]) -> list[str]:
        before, now, changes = self.settings(), yaml.safe_load(_to_yaml(settings)), []
        for name in (*now, *(name for name in before if name not in now)):
            if before.get(name) == now.get(name) or name in _OF_ONE_CALL:
                continue
            flag, values = name.replace("_", "-"), [_as_flag(mapping.get(name)) for mapping in (before, now)]
            if name not in may_change:
                raise ArttlError(
                    f"{self.path} was begun with --{flag} {values[0]}, not {values[1]};"
                    " give that again, or another --out"
                )
            changes.append(f"--{flag} {values[1]} (begun with {values[0]})")
        return changes


def open_accelerator(mixed_precision: str | None, threads: int | None, **options: Any) -> Accelerator:
    """The processes and the device of a run.

    Args:
        mixed_precision: None: that of `accelerate launch`, which "no" would override; "auto": "no", to be chosen later.
        threads: on the CPU; None: one per core.
        options: further ones of `Accelerator`.

    Raises:
        ArttlError: for a precision that the device does not have.
    """
    AcceleratorState._reset_state()  # kept for the life of the process, and another run may want another precision
    accelerator = Accelerator(
        mixed_precision="no" if mixed_precision == "auto" else mixed_precision, **options
    )
    if accelerator.device.type == "cpu":
        if accelerator.mixed_precision == "fp16":
            raise ArttlError("--mixed-precision fp16 needs a GPU; on the CPU use bf16 or no")
        prepare_cpu(threads)
    return accelerator


def on_first_rank(work: Callable[[], _T]) -> _T:
    """Do work that writes files on the first rank; every rank must call this, and gets the result.

    Raises:
        ArttlError: on every rank, where the first one's work raises it.
    """
    state = PartialState()
    if state.num_processes == 1:
        return work()
    outcome: list[Any] = [None, None]
    if state.is_main_process:
        try:
            outcome[0] = work()
        except ArttlError as error:
            outcome[1] = str(error)
    broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise _FirstRankError(outcome[1])
    result: _T = outcome[0]
    return result


class _FirstRankError(ArttlError):
    """What `on_first_rank` raises on every rank."""


@contextmanager
def beside_other_ranks() -> Iterator[None]:
    """Work in which the ranks wait for each other: what ends one of them is reported by it and by those it leaves.

    Raises:
        ArttlError: of one rank alone, for its own failure or where another is gone.
    """
    try:
        yield
    except _FirstRankError:
        raise
    except ArttlError as error:
        error.on_every_rank = PartialState().num_processes == 1
        raise
    except RuntimeError as error:  # torch has no type for it: gloo's is this, NCCL's a subclass
        if PartialState().num_processes == 1 or not _LOST_RANK.search(str(error)):
            raise
        lost = ArttlError(
            f"rank {PartialState().process_index} stops, because another process of the run has ended; mend what"
            " ended it, such as too little memory, and resume the run"
        )
        lost.on_every_rank = False
        raise lost from error


def flat_settings(settings: Settings) -> dict[str, Any]:
    """The settings of a command by name, as plain values for YAML; addresses without credentials."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Path, lambda path: without_credentials(str(path)))
    converter.register_unstructure_hook(str, without_credentials)
    flat: dict[str, Any] = converter.unstructure(settings.flat())
    return flat


def write_config(folder: Path, settings: Mapping[str, object]) -> None:
    """Write the `config.yaml` from which a command can be started again.

    Args:
        folder: which the command leaves.
        settings: of the command, see `flat_settings`.

    Raises:
        ArttlError: if it cannot be written.
    """
    files.write_text(folder / _CONFIG, _to_yaml(settings))


def _to_yaml(settings: Mapping[str, object]) -> str:
    return str(yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True))


def _as_flag(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
