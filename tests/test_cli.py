from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import timm
import tyro
from PIL import Image
from safetensors.torch import save_file

from arttl.cli import COMMANDS, _load, _parse, run_command
from arttl.settings import Settings, settings_of

POSITIONAL = get_args(tyro.conf.Positional[int])[1]
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed to standard error: one line, no traceback."""
    shown = capsys.readouterr().err.strip()
    assert shown.startswith("error: ") and "\n" not in shown and "Traceback" not in shown
    return shown


@pytest.fixture
def collection(tmp_path) -> Path:
    """Twelve grey pictures and their metadata, with one empty column."""
    with (tmp_path / "objects.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "file", "type", "nothing"])
        for index in range(12):
            Image.new("RGB", (40, 30), (index * 20,) * 3).save(tmp_path / f"{index}.png")
            writer.writerow([f"A.{index}", f"{index}.png", "print" if index % 2 else "vase", ""])
    return tmp_path


def pack(collection: Path, *more: str, image: str = "file", tasks: tuple[str, ...] = ("type",)) -> int:
    argv = ["--metadata", str(collection / "objects.csv"), "--images", str(collection)]
    argv += ["--object-number", "number", "--image", image, "--tasks", *tasks, "--workers", "1"]
    return run_command("shards", [*argv, "--out", str(collection / "shards"), *more])


def test_packing_a_collection(collection, capsys) -> None:
    assert pack(collection) == 0
    assert (collection / "shards" / "manifest.parquet").is_file()


def test_a_missing_column(collection, capsys) -> None:
    assert pack(collection, tasks=("typ",)) == 2
    assert "no column 'typ' (--tasks typ) (did you mean 'type'?)" in sentence(capsys)
    assert pack(collection, image="picture") == 2
    assert "no column 'picture' (--image); it has: number, file, type, nothing" in sentence(capsys)


def test_an_empty_label_column(collection, capsys) -> None:
    assert pack(collection, tasks=("nothing",)) == 2
    assert "no artwork of" in (text := sentence(capsys)) and "(12 in all) has a label for nothing;" in text


def test_pictures_that_are_not_there_or_no_pictures_are_rejected_by_row(collection) -> None:
    (collection / "3.png").unlink()
    (collection / "4.png").write_text("<html>")
    assert pack(collection) == 0
    with (collection / "shards" / "rejects.csv").open(newline="") as file:
        rejected = {row["object_number"]: row["reason"] for row in csv.DictReader(file)}
    assert set(rejected) == {"A.3", "A.4"} and rejected["A.3"] != rejected["A.4"]


def test_no_picture_at_all(collection, capsys) -> None:
    for path in collection.glob("*.png"):
        path.unlink()
    assert pack(collection) == 2
    assert "no image that" in sentence(capsys)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--tasks", "types"], "no task 'types' (did you mean 'type'?)"),
        (["--backbone", "resnet999"], "'resnet999' is not a network of timm"),
        (["--weights", "OTHER", "--backbone", "resnet10t"], "are not of resnet10t"),
        (["--recipe", "nowhere.yaml"], "the recipe nowhere.yaml cannot be read"),
        (["--classes", "some"], "--classes 'some' is not a class rule"),
    ],
)
def test_training_input_that_cannot_be_used(small_shards, tmp_path, capsys, argv, words) -> None:
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "other.safetensors")
    argv = [str(tmp_path / "other.safetensors") if word == "OTHER" else word for word in argv]
    code = run_command("train", ["--shards", str(small_shards), "--out", str(tmp_path / "run"), *argv])
    assert code == 2 and words in sentence(capsys) and not (tmp_path / "run").exists()


def test_evaluating_what_is_no_model(small_shards, tmp_path, capsys) -> None:
    assert run_command("evaluate", ["--model", str(tmp_path), "--shards", str(small_shards)]) == 2
    assert "holds no model" in sentence(capsys)


@pytest.mark.parametrize(
    ("script", "flag"),
    [
        ("make_shards", "--metadata PATH"),
        ("train_multitask", "--epochs INT"),
        ("evaluate", "--model PATH"),
        ("visualize", "--method {"),
        ("reproduce_paper", "--backbones"),
    ],
)
def test_every_script_has_the_help_of_its_command(script: str, flag: str) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / f"{script}.py", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"usage: {script}.py [-h] [OPTIONS]") and flag in done.stdout
    assert max(map(len, done.stdout.partition("\n╭")[2].splitlines())) <= 80


def every_command() -> Iterator[tuple[str, Any, bool]]:
    """Name, settings and whether there is a --recipe, of every command and subcommand."""
    for name, command in COMMANDS.items():
        if command.settings:
            yield name, _load(command.settings), command.recipe
        if command.subcommands:
            for subcommand, (settings, *_) in _load(command.subcommands).items():
                yield f"{name} {subcommand}", _load(settings), False


def another_value(hint: Any, default: Any) -> Any:
    """A value of a setting's type that is not its default."""
    origin, inner = get_origin(hint), [each for each in get_args(hint) if each is not type(None)]
    if origin is Literal:
        return next(value for value in inner if value != default)
    if origin is tuple:
        return tuple(another_value(each, None) for each in inner if each is not ...)
    if origin is not None:  # Annotated, or with None
        return another_value(inner[0], default)
    return not default if hint is bool else hint({int: 3, float: 0.3}.get(hint, "x"))


def words_of(value: Any) -> list[str]:
    """A value as it is written on the command line."""
    return [word for each in value for word in words_of(each)] if isinstance(value, tuple) else [str(value)]


@pytest.mark.parametrize(
    ("kind", "recipe"), [pytest.param(*rest, id=name) for name, *rest in every_command()]
)
def test_every_flag_reaches_its_setting(kind, recipe, monkeypatch) -> None:
    monkeypatch.setattr(Settings, "__post_init__", lambda self: None)  # values are judged in other tests
    values = {
        name: another_value(setting.hint, setting.default) for name, setting in settings_of(kind).items()
    }
    argv: list[str] = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        words = words_of(value)
        if POSITIONAL in get_args(settings_of(kind)[name].hint):
            argv = words + argv
        elif isinstance(value, bool):
            argv.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            argv += [f"--{flag}", *words]
    assert _parse(kind, argv, "arttl", recipe=recipe).flat() == values


def test_the_command_lists_and_refuses(capsys) -> None:
    program = [sys.executable, "-c", "from arttl.cli import main; main()"]
    shown = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(name in shown for name in COMMANDS)
    done = subprocess.run([*program, "trian"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no command 'trian' (did you mean 'train'?)" in done.stderr


# What poll says of a pipe without a reader on macOS and the BSDs.
_HANGING_UP = """
import select
real = select.poll
class Poll:
    def __init__(self):
        self._poll = real()
        self.register = self._poll.register
    def poll(self, *wait):
        found = self._poll.poll(*wait)
        return [(file, select.POLLHUP if events & select.POLLERR else events) for file, events in found]
select.poll = Poll
"""


@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"]])
@pytest.mark.parametrize("buffering", [[], ["-u"]])
@pytest.mark.parametrize("system", ["", _HANGING_UP], ids=["own", "macOS"])
def test_a_reader_that_leaves_early_is_no_failure(argv, buffering, system) -> None:
    """`arttl --help | head -1` shows no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    program = [sys.executable, *buffering, "-c", f"{system}\nfrom arttl.cli import main; main()", *argv]
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == "" and done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"]])
@pytest.mark.parametrize("buffering", [[], ["-u"]])
def test_standard_output_on_a_full_disk(argv, buffering) -> None:
    program = [sys.executable, *buffering, "-c", "from arttl.cli import main; main()", *argv]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        both = subprocess.run(program, stdout=full, stderr=full, check=False)
    assert done.stderr == "error: standard output cannot be read or written: No space left on device\n"
    assert done.returncode == both.returncode == 2


def test_a_file_of_the_system_is_named(monkeypatch, capsys) -> None:
    """What no command reports in its own words, such as a folder that is gone in the middle of its work."""

    def fail(*_) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/a/b")

    monkeypatch.setattr("arttl.cli._run", fail)
    assert run_command("train", []) == 2
    assert capsys.readouterr().err == "error: /a/b cannot be read or written: Permission denied\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_commands_that_are_not_made_for_several_processes_refuse_them(name: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    argv = ["merge"] if name == "shards" else ["score"] if name == "explain" else []
    refused = f"error: arttl {name} works in one process, and 2 were started"
    if name in ("train", "features", "predict", "reproduce"):
        with pytest.raises(SystemExit):  # its usage
            run_command(name, ["--no-such-flag"])
        assert refused not in capsys.readouterr().err
        return
    assert run_command(name, argv) == 2
    assert sentence(capsys).startswith(refused)
    monkeypatch.setenv("RANK", "1")  # the first says it
    assert run_command(name, argv) == 2
    assert capsys.readouterr().err == ""
