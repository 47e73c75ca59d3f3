"""The `arttl` command: a view of the package, each subcommand one settings dataclass and one function."""

from __future__ import annotations

import argparse
import inspect
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from arttl.cpu import share_cores
from arttl.errors import ArttlError, did_you_mean

if TYPE_CHECKING:
    from arttl.training.settings import TrainSettings

Settings = TypeVar("Settings")


def _parse(
    settings: type[Settings],
    argv: Sequence[str],
    prog: str,
    *,
    default: Settings | None = None,
    epilog: str = "",
) -> Settings:
    import tyro

    description = inspect.cleandoc(settings.__doc__ or "") + epilog
    if default is None:
        return tyro.cli(settings, prog=prog, args=argv, description=description)
    return tyro.cli(settings, prog=prog, args=argv, description=description, default=default)


def _shards(argv: Sequence[str], prog: str) -> None:
    from arttl.packing import command, commands

    if not argv or argv[0].startswith("-"):
        words = "\n".join(f"  {name:<8} {what}" for name, (_, _, what) in commands.COMMANDS.items())
        epilog = f"\n\nFinished shards: arttl shards COMMAND FOLDER, with\n{words}"
        command.run(_parse(command.PackSettings, argv, prog, epilog=epilog))
        return
    name = argv[0]
    if name not in commands.COMMANDS:
        known = ", ".join(commands.COMMANDS)
        raise ArttlError(
            f"{prog} has no command {name!r}{did_you_mean(name, commands.COMMANDS)}; it has: {known}"
        )
    settings, run, _ = commands.COMMANDS[name]
    run(_parse(settings, argv[1:], f"{prog} {name}"))


def _train(argv: Sequence[str], prog: str) -> None:
    from accelerate import PartialState

    from arttl.training.embedded import EMBEDDED_SETTINGS, pack_embedded_collection
    from arttl.training.settings import TrainSettings, read_recipe

    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--recipe", type=Path)
    first.add_argument("--shards", type=Path)
    known, _ = first.parse_known_args(argv)
    rest = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    rest.add_argument("--recipe", type=Path)
    _, argv = rest.parse_known_args(argv)
    default = read_recipe(known.recipe) if known.recipe else TrainSettings()
    if not known.recipe and known.shards is None:
        default = EMBEDDED_SETTINGS
    epilog = "\n\n--recipe FILE reads these settings from YAML; flags given beside it come before it."
    settings = _parse(TrainSettings, argv, prog, default=default, epilog=epilog)
    if settings.shards is not None and settings.shards == EMBEDDED_SETTINGS.shards:
        pack_embedded_collection(settings.shards)
    from arttl.training.run import train
    from arttl.training.signals import Terminated

    try:
        train(settings)
    except Terminated as stop:
        print(stop)
        return
    if settings.maps and PartialState().is_main_process:
        _draw_maps(settings)


def _draw_maps(settings: TrainSettings) -> None:
    """What the trained network looks at in a few test pictures, in the run folder."""
    from arttl.explain.command import VisualizeSettings, visualize

    try:
        written = visualize(
            VisualizeSettings(
                model=settings.out / "best",
                shards=settings.shards,
                count=settings.maps,
                out=settings.out / "maps",
            )
        )
    except ArttlError as error:  # a network without maps, such as some transformers, is trained all the same
        print(f"no VisualBackProp overlays: {error}")
    else:
        print(f"{len(written) - 1} VisualBackProp overlays and a panel of them in {settings.out / 'maps'}")


def _features(argv: Sequence[str], prog: str) -> None:
    from arttl.frozen.extract import FeatureSettings, run

    run(_parse(FeatureSettings, argv, prog))


def _probe(argv: Sequence[str], prog: str) -> None:
    from arttl.frozen.probe import ProbeSettings, run

    run(_parse(ProbeSettings, argv, prog))


def _fuse(argv: Sequence[str], prog: str) -> None:
    from arttl.frozen.fuse import FuseSettings, run

    run(_parse(FuseSettings, argv, prog))


def _layers(argv: Sequence[str], prog: str) -> None:
    from arttl.frozen.layers import LayerSettings, run

    run(_parse(LayerSettings, argv, prog))


def _rebalance(argv: Sequence[str], prog: str) -> None:
    from arttl.frozen.rebalance import RebalanceSettings, run

    run(_parse(RebalanceSettings, argv, prog))


def _evaluate(argv: Sequence[str], prog: str) -> None:
    from arttl.evaluation import command

    command.run(_parse(command.EvaluateSettings, argv, prog))


def _compare(argv: Sequence[str], prog: str) -> None:
    from arttl.evaluation import compare_command

    compare_command.run(_parse(compare_command.CompareSettings, argv, prog))


def _visualize(argv: Sequence[str], prog: str) -> None:
    from arttl.explain.command import VisualizeSettings, run

    run(_parse(VisualizeSettings, argv, prog))


def _explain(argv: Sequence[str], prog: str) -> None:
    name = argv[0] if argv else "--help"
    if name in ("-h", "--help"):
        print(f"usage: {prog} score [OPTIONS]\n\n  score  measure how faithful a model's maps are")
        return
    if name != "score":
        raise ArttlError(f"{prog} has no command {name!r}{did_you_mean(name, ['score'])}: it has score")
    from arttl.explain.score import ScoreSettings, run

    run(_parse(ScoreSettings, argv[1:], f"{prog} score"))


def _reproduce(argv: Sequence[str], prog: str) -> None:
    from arttl.reproduction import command

    command.run(_parse(command.ReproduceSettings, argv, prog))


def _fetch(argv: Sequence[str], prog: str) -> None:
    from arttl.fetching.fetch import FetchSettings, run

    run(_parse(FetchSettings, argv, prog))


def _import_keras(argv: Sequence[str], prog: str) -> None:
    from arttl.models.keras.command import ImportKerasSettings, run

    run(_parse(ImportKerasSettings, argv, prog))


COMMANDS: dict[str, tuple[Callable[[Sequence[str], str], None], str]] = {
    "shards": (_shards, "pack a collection's photographs and labels into shards"),
    "train": (_train, "train a network on one task or several"),
    "features": (_features, "compute a frozen network's features once"),
    "probe": (_probe, "train every usual head on features computed once"),
    "fuse": (_fuse, "join several backbones, and measure what that is worth"),
    "layers": (_layers, "show which layers know most about each task"),
    "rebalance": (_rebalance, "compare what helps rare classes"),
    "evaluate": (_evaluate, "measure a saved model on a split"),
    "compare": (_compare, "compare two runs on the same samples"),
    "reproduce": (_reproduce, "run the paper's experiment on two collections"),
    "visualize": (_visualize, "draw what a model looks at"),
    "explain": (_explain, "measure how faithful those pictures are (explain score)"),
    "fetch": (_fetch, "download the Rijksmuseum Challenge"),
    "import-keras": (_import_keras, "turn weights that Keras saved into a model"),
}


def run_command(name: str, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run one subcommand.

    Args:
        name: a key of `COMMANDS`.
        argv: its arguments; by default those of the process.
        prog: its name in the help text.

    Returns:
        The exit status: 0, 2 for a failure the user can mend (one sentence on standard error), 130 for Ctrl-C.

    Raises:
        SystemExit: after the help text, for arguments that cannot be read, and with 141 when whoever read standard
            output has left, as `head` does.
    """
    share_cores()  # before anything imports torch
    function, _ = COMMANDS[name]
    try:
        with _readers_may_leave():
            function(sys.argv[1:] if argv is None else argv, prog or f"arttl {name}")
    except ArttlError as error:
        if os.environ.get("RANK", "0") == "0":  # every process of a run meets the same failure
            print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """End quietly, as other programs do, when standard output is a pipe that nobody reads any more."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
        if not any(events & select.POLLERR for _, events in poll.poll(0)):
            raise  # another pipe, such as a worker's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit fails on it once more
        sys.exit(128 + signal.SIGPIPE)


def main() -> None:
    """The `arttl` console script."""
    lines = "\n".join(f"  {name:<{max(map(len, COMMANDS))}} {what}" for name, (_, what) in COMMANDS.items())
    usage = f"usage: arttl COMMAND [OPTIONS]\n\n{lines}\n\n`arttl COMMAND --help` lists a command's options."
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        with _readers_may_leave():
            print(usage)
        sys.exit(0)
    if name == "--version":
        from arttl.version import __version__

        print(f"arttl {__version__}")
        sys.exit(0)
    if name not in COMMANDS:
        print(f"error: arttl has no command {name!r}{did_you_mean(name, COMMANDS)}\n{usage}", file=sys.stderr)
        sys.exit(2)
    sys.exit(run_command(name, sys.argv[2:]))
