"""The `arttl` command: a view of the package, each command a settings dataclass and a function."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from arttl.cpu import share_cores
from arttl.errors import ArttlError, did_you_mean
from arttl.exit_status import status_of
from arttl.terminal import choose_colours, filled_help, listed


@dataclass(frozen=True)
class Command:
    """A command; its modules are imported when it is run.

    Attributes:
        text: its line in the list of commands.
        settings: its settings dataclass, as "module:name"; empty where it only has subcommands.
        run: the function that takes them, likewise; by default `run` of the same module.
        recipe: whether it takes `--recipe`, as commands that leave a run do.
        defaults: "module:name" of a function that takes the settings given without a recipe, and returns the settings
            that replace the defaults, or None to keep the dataclass's own.
        subcommands: "module:name" of a mapping from name to (settings dataclass, function, text).
        ranks: whether several processes of `accelerate launch` share its work.
    """

    text: str
    settings: str = ""
    run: str = ""
    recipe: bool = False
    defaults: str = ""
    subcommands: str = ""
    ranks: bool = False


COMMANDS = {
    "shards": Command(
        "pack a collection's photographs and labels into shards",
        "arttl.packing.settings:PackSettings",
        "arttl.packing.command:run",
        subcommands="arttl.packing.commands:COMMANDS",
    ),
    "train": Command(
        "train a network on one task or several",
        "arttl.training.settings:TrainSettings",
        "arttl.training.train:run",
        recipe=True,
        defaults="arttl.training.embedded:embedded_defaults",
        ranks=True,
    ),
    "features": Command(
        "compute a frozen network's features once",
        "arttl.frozen.extract:FeatureSettings",
        recipe=True,
        ranks=True,
    ),
    "probe": Command(
        "compare several kinds of heads on features computed once",
        "arttl.frozen.probe:ProbeSettings",
        recipe=True,
    ),
    "fuse": Command(
        "join several backbones, and measure the gain",
        "arttl.frozen.fuse:FuseSettings",
        recipe=True,
    ),
    "layers": Command(
        "show which layers know most about each task", "arttl.frozen.layers:LayerSettings", recipe=True
    ),
    "rebalance": Command(
        "compare what helps rare classes", "arttl.frozen.rebalance:RebalanceSettings", recipe=True
    ),
    "evaluate": Command(
        "measure a saved model on a split",
        "arttl.evaluation.settings:EvaluateSettings",
        "arttl.evaluation.command:run",
    ),
    "predict": Command(
        "suggest labels for pictures, with what is promised of them",
        "arttl.suggesting.settings:PredictSettings",
        "arttl.suggesting.command:run",
        ranks=True,
    ),
    "audit": Command(
        "list the objects whose catalogue labels the pictures contradict",
        "arttl.auditing.settings:AuditSettings",
        "arttl.auditing.command:run",
    ),
    "report": Command(
        "write suggestions, or doubtful labels, as a page to look at without a network",
        "arttl.reports.settings:ReportSettings",
        "arttl.reports.command:run",
    ),
    "review": Command(
        "look at suggestions in the browser, and accept, correct or reject them",
        "arttl.review.settings:ReviewSettings",
        "arttl.review.command:run",
    ),
    "decisions": Command(
        "take decisions home, and measure how far reviewers agree",
        subcommands="arttl.review.export:COMMANDS",
    ),
    "convert": Command(
        "write suggestions and accepted values as Linked Art, LIDO, Web Annotation or CSV",
        "arttl.exchange.command:ConvertSettings",
    ),
    "export": Command("write a trained model for other programs", "arttl.export.command:ExportSettings"),
    "compare": Command(
        "compare two runs on the same samples", "arttl.evaluation.compare_command:CompareSettings"
    ),
    "reproduce": Command(
        "run the paper's experiment on two collections",
        "arttl.reproduction.settings:ReproduceSettings",
        "arttl.reproduction.command:run",
        ranks=True,
    ),
    "visualize": Command("draw what a model looks at", "arttl.explain.command:VisualizeSettings"),
    "explain": Command(
        "measure how faithful those pictures are (score), or write their strongest parts as a table (regions)",
        subcommands="arttl.cli:EXPLAIN",
    ),
    "fetch": Command(
        "download the Rijksmuseum Challenge, or pictures from any IIIF server",
        subcommands="arttl.fetching.fetch:COMMANDS",
    ),
    "vocabulary": Command(
        "collect the identifiers of labels that shards carry, as a table to review",
        "arttl.vocabularies.command:VocabularySettings",
    ),
    "import-keras": Command(
        "turn weights that Keras saved into a model", "arttl.models.keras.command:ImportKerasSettings"
    ),
}
EXPLAIN = {
    "score": (
        "arttl.explain.score:ScoreSettings",
        "arttl.explain.score:run",
        "measure how faithful a model's maps are",
    ),
    "regions": (
        "arttl.explain.regions_command:RegionsSettings",
        "arttl.explain.regions_command:run",
        "write where the maps of suggestions are strongest, for arttl convert --targets",
    ),
}


def _load(name: Any) -> Any:
    """The object that "module:name" names; anything else is itself."""
    if not isinstance(name, str):
        return name
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True)
class Form:
    """One way to call a command.

    Attributes:
        prog: as it is called, such as `arttl shards verify`.
        settings: its settings dataclass.
        run: the function that takes them, as "module:name".
        recipe: whether it takes `--recipe`.
    """

    prog: str
    settings: type[Any]
    run: str
    recipe: bool


def forms_of(name: str) -> Iterator[Form]:
    """The ways to call a command: itself, if it has settings, and its subcommands; their modules are imported.

    Args:
        name: a key of `COMMANDS`.
    """
    command = COMMANDS[name]
    if command.settings:
        run = command.run or command.settings.partition(":")[0] + ":run"
        yield Form(f"arttl {name}", _load(command.settings), run, command.recipe)
    for inner, (kind, function, _) in (_load(command.subcommands) if command.subcommands else {}).items():
        run = function if isinstance(function, str) else f"{function.__module__}:{function.__name__}"
        yield Form(f"arttl {name} {inner}", _load(kind), run, recipe=False)


def _run(command: Command, argv: Sequence[str], prog: str) -> None:
    epilog = ""
    if command.subcommands:
        known = _load(command.subcommands)
        words = listed({name: text for name, (_, _, text) in known.items()})
        if argv and not argv[0].startswith("-"):
            name = argv[0]
            if name not in known:
                raise ArttlError(
                    f"{prog} has no command {name!r}{did_you_mean(name, known)}; it has: {', '.join(known)}"
                )
            kind, function, _ = known[name]
            _load(function)(_parse(_load(kind), argv[1:], f"{prog} {name}"))
            return
        if not command.settings:
            print(f"usage: {prog} COMMAND [OPTIONS]\n\n{words}")
            return
        epilog = f"\n\nFinished shards: {prog} COMMAND FOLDER, with\n{words}"
    kind, values = _load(command.settings), {}
    if command.recipe:
        from arttl.settings import recipe_values

        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--recipe")
        given, _ = parser.parse_known_args(argv)
        if given.recipe:
            values = recipe_values(given.recipe, kind)
    settings = _parse(kind, argv, prog, values, command.recipe, epilog)
    if command.defaults and not values and (defaults := _load(command.defaults)(settings)):
        settings = _parse(kind, argv, prog, defaults.flat(), command.recipe)
    _load(command.run or command.settings.partition(":")[0] + ":run")(settings)


def _parse(
    kind: type[Any],
    argv: Sequence[str],
    prog: str,
    values: Mapping[str, Any] = {},
    recipe: bool = False,
    epilog: str = "",
) -> Any:
    """Settings from flags.

    Args:
        kind: their dataclass.
        argv: the arguments.
        prog: the command's name in the help.
        values: name to value that replaces the default, such as a recipe's.
        recipe: whether there is a flag --recipe, which has been read already.
        epilog: follows the description in the help.
    """
    import tyro

    from arttl.command_line import registry_for

    with filled_help() if {"-h", "--help"} & set(argv) else nullcontext():
        return tyro.cli(
            kind,
            prog=prog,
            args=argv,
            description=inspect.cleandoc(kind.__doc__ or "") + epilog,
            config=(tyro.conf.OmitArgPrefixes,),
            registry=registry_for(kind, values, recipe),
        )


def run_command(name: str, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run one subcommand.

    Args:
        name: a key of `COMMANDS`.
        argv: its arguments; by default those of the process.
        prog: its name in the help text.

    Returns:
        The exit status: 0, 2 for a failure the user can mend (a sentence on standard error), 130 for Ctrl-C.

    Raises:
        SystemExit: after the help text, for arguments that cannot be read, and with 141 when the reader of standard
            output has closed it, as `head` does.
    """
    share_cores()  # before anything imports torch
    choose_colours()
    arguments = sys.argv[1:] if argv is None else argv
    prog = prog or f"arttl {name}"

    def work() -> None:
        if not COMMANDS[name].ranks:
            _check_alone(prog)
        _run(COMMANDS[name], arguments, prog)

    return status_of(work)


def _check_alone(prog: str) -> None:
    """Refuse to do the same work, and write the same files, once per process.

    Raises:
        ArttlError: where a launcher has started several.
    """
    processes = os.environ.get("WORLD_SIZE", "")  # of accelerate launch and torchrun
    if processes.isdecimal() and int(processes) > 1:
        *shared, last = (name for name, command in COMMANDS.items() if command.ranks)
        raise ArttlError(
            f"{prog} works in one process, and {int(processes)} were started: give it without accelerate launch or"
            f" torchrun (only {', '.join(shared)} and {last} use several)"
        )


def _print_completion(shell: str) -> None:
    """Print a script that completes all commands in a shell; their modules are imported for it."""
    choose_colours()
    from arttl.command_line import flags_of
    from arttl.completion import SHELLS, completion

    if shell not in SHELLS:
        raise ArttlError(f"--print-completion {shell!r}: there are scripts for {' and '.join(SHELLS)}")
    following: dict[str, list[str]] = {"": [*COMMANDS, "--help", "--version"]}
    values: dict[str, tuple[str, ...]] = {}
    for name, command in COMMANDS.items():
        following[name] = [*(_load(command.subcommands) if command.subcommands else ()), "--help"]
        for form in forms_of(name):
            words = form.prog.removeprefix("arttl ")
            flags = flags_of(form.settings)
            values |= {f"{words} {flag}": choices for flag, choices in flags.items() if choices is not None}
            values |= {f"{words} --recipe": ()} if form.recipe else {}
            own = following.setdefault(words, ["--help"])
            own += [*flags, *(["--recipe"] if form.recipe else [])]
    print(completion(shell, following, values), end="")


def main() -> None:
    """The `arttl` console script."""
    lines = listed({name: command.text for name, command in COMMANDS.items()})
    usage = f"usage: arttl COMMAND [OPTIONS]\n\n{lines}\n\n`arttl COMMAND --help` lists a command's options."
    usage += (
        "\n`arttl --print-completion bash` prints a script that completes them by the tab key (bash, zsh)."
    )
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        sys.exit(status_of(lambda: print(usage)))
    if name == "--version":
        from arttl.version import __version__

        sys.exit(status_of(lambda: print(f"arttl {__version__}")))
    if name == "--print-completion":
        shell = "".join(sys.argv[2:3])
        sys.exit(status_of(lambda: _print_completion(shell)))
    if name not in COMMANDS:
        print(f"error: arttl has no command {name!r}{did_you_mean(name, COMMANDS)}\n{usage}", file=sys.stderr)
        sys.exit(2)
    sys.exit(run_command(name, sys.argv[2:]))
