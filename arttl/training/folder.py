"""The run folder: made, emptied of an earlier run, or taken up again."""

from __future__ import annotations

import shutil
from dataclasses import fields

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from arttl.errors import ArttlError
from arttl.runs import write_environment
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings, read_recipe

RUN_FILES = (
    "config.yaml",
    "tasks.json",
    "metrics.jsonl",
    "test.json",
    "predictions.parquet",
    "classes.csv",
    "environment.json",
)
RUN_FOLDERS = ("best", "checkpoints", "maps", "tensorboard")
MAY_CHANGE_ON_RESUME = (
    "shards",
    "out",
    "overwrite",
    "resume",
    "checkpoint_every",
    "keep_checkpoints",
    "threads",
    "maps",
    "engine",
    "on_bad_sample",
)


def prepare_folder(settings: TrainSettings, accelerator: Accelerator) -> None:
    """Make the run folder, or empty it of an earlier run; files that no run makes are left alone."""
    problem: list[str | None] = [None]
    if accelerator.is_main_process:
        out = settings.out
        try:
            out.mkdir(parents=True, exist_ok=True)
            held = [name for name in (*RUN_FILES, *RUN_FOLDERS) if (out / name).exists()]
            if settings.resume and (out / "config.yaml").is_file():
                problem[0] = _difference(read_recipe(out / "config.yaml"), settings)
                held = [name for name in held if name not in ("config.yaml", "checkpoints")]
            elif held and not settings.overwrite:
                problem[0] = (
                    f"{out} already holds a run; choose another --out, or pass --overwrite or --resume"
                )
            if problem[0] is None:
                for name in held:
                    path = out / name
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            problem[0] = f"the run folder {out} cannot be made: {error.strerror}"
        except ArttlError as error:
            problem[0] = str(error)
    broadcast_object_list(problem)
    if problem[0]:
        raise ArttlError(problem[0])


def _difference(begun: TrainSettings, settings: TrainSettings) -> str | None:
    """What keeps a run from being gone on with: a setting that decides its result and is another now."""
    for one in fields(TrainSettings):
        before, now = getattr(begun, one.name), getattr(settings, one.name)
        if before != now and one.name not in MAY_CHANGE_ON_RESUME:
            flag = "--" + one.name.replace("_", "-")
            return (
                f"{settings.out} was begun with {flag} {before}, not {now}; give that again, or another --out"
            )
    return None


def write_inputs(settings: TrainSettings, tasks: TaskSet, accelerator: Accelerator) -> None:
    """Write what the run begins with: settings, tasks and the machine."""
    if not accelerator.is_main_process:
        return
    (settings.out / "config.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    tasks.save(settings.out / "tasks.json")
    write_environment(
        settings.out, accelerator.device, accelerator.num_processes, accelerator.mixed_precision
    )
