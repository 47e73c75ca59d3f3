"""Settings of commands: typed groups with a constraint on each field, written as flat flags and flat YAML recipes.

A command's settings are a frozen dataclass derived from `Settings`. A small command inherits the groups it shares with
others, a large one has them as fields. Either way every setting has one name, which is its flag, its key in a recipe
and its keyword in Python: `TrainSettings.of(shards=..., epochs=2)`, `settings.replace(epochs=3)`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import math
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import cattrs

from arttl.documents import read_yaml
from arttl.errors import ArttlError, did_you_mean

RECIPES = Path(__file__).parent / "recipes"


# Files without which a folder that commands have made is of no use, each beside the one that is in every such folder.
_OF_FOLDERS = {
    "dataset.json": ("manifest.parquet", "rejects.csv", "near-duplicates.csv"),
    "features.json": (),
    "fetched.json": (),
    "environment.json": ("test.json", "predictions.parquet", "classes.csv", "tasks.json"),
    "model.json": ("calibration.json",),
    "fused.json": ("calibration.json",),
    "audit.json": ("audit.parquet", "audit.csv"),
}


class Constraint:
    """What a setting's type is annotated with, to be checked wherever settings are made."""

    def check(self, flag: str, value: Any) -> None:
        """Raise an `ArttlError` naming the flag for a value that breaks it; None is a setting left out."""
        raise NotImplementedError


@dataclass(frozen=True)
class Bound(Constraint):
    """A constraint on a number, or on each of a tuple; the help and the error have the same words.

    Attributes:
        text: ends the sentence "--flag must be".
        holds: whether a value keeps it.
    """

    text: str
    holds: Callable[[Any], bool]

    def check(self, flag: str, value: Any) -> None:
        """See `Constraint.check`."""
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not self.holds(number):
                raise ArttlError(f"{flag} must be {self.text}, not {number}")


class Range(Bound):
    """A constraint on a whole number: between two others, both included."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(f"from {least} to {most}", lambda value: least <= value <= most)

    def check(self, flag: str, value: Any) -> None:
        """See `Constraint.check`."""
        if not self.holds(value):
            raise ArttlError(f"{flag} {value} is out of range; give a number {self.text}")


@dataclass(frozen=True)
class Parsed(Constraint):
    """A constraint on a text: a function that raises an `ArttlError` with the flag in it where it cannot read it."""

    parse: Callable[[str], object]

    def check(self, flag: str, value: Any) -> None:
        """See `Constraint.check`."""
        if value is not None:
            self.parse(value)


class FileToWrite(Constraint):
    """A constraint on the path of a file that is written at the end, when it would be too late to name another."""

    def check(self, flag: str, value: Any) -> None:
        """See `Constraint.check`."""
        if value is None:
            return
        if not value.parent.is_dir():
            raise ArttlError(f"{flag} {value}: there is no folder {value.parent}; make it first")
        if value.is_symlink() or (value.exists() and not value.is_file()):
            kind = "link" if value.is_symlink() else "folder" if value.is_dir() else "device or a pipe"
            raise ArttlError(f"{flag} {value} is a {kind}; name a file")
        if value.exists() and _is_of_folder(value):
            raise ArttlError(f"{flag} {value} is a part of shards, features or a run; name another file")


def _is_of_folder(path: Path) -> bool:
    """Whether a file is a part of shards, features, a run, a model or an audit, and no reader's own `test.json`."""
    return any(
        path.name == always or (path.name in others and path.with_name(always).exists())
        for always, others in _OF_FOLDERS.items()
    )


@dataclass(frozen=True)
class Removed:
    """Values that a setting had in earlier versions; a recipe with one is refused in a sentence that says so."""

    values: tuple[str, ...]
    instead: str


AtLeastOne = Annotated[int, Bound("at least 1", lambda value: value >= 1)]
Positive = Annotated[float, Bound("above 0", lambda value: 0 < value < math.inf)]
NotNegative = Annotated[float, Bound("0 or more", lambda value: 0 <= value < math.inf)]
Share = Annotated[float, Bound("above 0 and at most 1", lambda value: 0 < value <= 1)]
ShareBelowOne = Annotated[float, Bound("0 or more and below 1", lambda value: 0 <= value < 1)]
OutputFile = Annotated[Path, FileToWrite()]
BetweenZeroAndOne = Annotated[float, Bound("between 0 and 1", lambda value: 0 < value < 1)]


@dataclass(frozen=True)
class Setting:
    """One setting of a command.

    Attributes:
        name: in Python and in recipes.
        owner: the group's class, which declares it.
        group: the field of the command's settings that holds the group; None: the settings themselves.
        hint: its type, annotations included.
        field: of the owner.
    """

    name: str
    owner: type[Any]
    group: str | None
    hint: Any
    field: dataclasses.Field[Any]

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def default(self) -> Any:
        """Its value where it is left out; `dataclasses.MISSING` where it must be given."""
        factory = self.field.default_factory
        return self.field.default if factory is MISSING else factory()

    @property
    def text(self) -> str | None:
        """The sentence under its declaration, in one line."""
        return next(
            (texts[self.name] for owner in self.owner.__mro__ if self.name in (texts := _texts(owner))), None
        )

    def annotations(self, kind: type[T]) -> Iterator[T]:
        """What the type is annotated with, of one kind, inside of unions and tuples too."""
        return (annotation for annotation in _annotations(self.hint) if isinstance(annotation, kind))


T = TypeVar("T")
S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """A group of settings, or all settings of a command."""

    def __post_init__(self) -> None:
        for setting in settings_of(type(self)).values():
            if setting.group is None:
                for constraint in setting.annotations(Constraint):
                    constraint.check(setting.flag, getattr(self, setting.name))
        self._check_outputs()
        self.check()

    def _check_outputs(self) -> None:
        """Refuse to write the file that is read."""
        paths = [(setting, value) for setting, value in self._values() if isinstance(value, Path)]
        written = [each for each in paths if any(each[0].annotations(FileToWrite)) and each[1].is_file()]
        read = [each for each in paths if not any(each[0].annotations(FileToWrite))]
        for setting, out in written:
            for other, path in read:
                if path.is_file() and out.samefile(path):
                    raise ArttlError(f"{setting.flag} {out} is the file of {other.flag}; name another")

    def check(self) -> None:
        """Check combinations of settings; a group that adds its own calls `super().check()`.

        Raises:
            ArttlError: naming both flags.
        """

    @classmethod
    def of(cls: type[S], **flat: Any) -> S:
        """Settings from their names, whatever groups they are in.

        Raises:
            TypeError: for an unknown name, or one that is required and missing.
            ArttlError: for values that break a constraint.
        """
        _known(cls, flat)
        groups = {
            name: kind.of(**{key: flat.pop(key) for key in settings_of(kind) if key in flat})
            for name, kind in groups_of(cls).items()
        }
        return cls(**groups, **flat)

    def replace(self: S, **flat: Any) -> S:
        """The same settings but for those named, whatever groups they are in."""
        _known(type(self), flat)
        return self.of(**{**self.flat(), **flat})

    def flat(self) -> dict[str, Any]:
        """Name to value of every setting."""
        return {setting.name: value for setting, value in self._values()}

    def _values(self) -> Iterator[tuple[Setting, Any]]:
        for name, setting in settings_of(type(self)).items():
            yield setting, getattr(self if setting.group is None else getattr(self, setting.group), name)


@dataclass(frozen=True, kw_only=True)
class OutputSettings(Settings):
    """The folder that is written."""

    out: Path
    """Run folder to make."""
    overwrite: bool = False
    """Replace the run that --out already holds."""


@dataclass(frozen=True, kw_only=True)
class RunSettings(OutputSettings):
    """The run folder, and what makes a run repeatable."""

    seed: int = 0
    """Seed of all that is random."""


def groups_of(kind: type[Any]) -> dict[str, type[Settings]]:
    """The fields of settings that are groups, with their types."""
    hints = get_type_hints(kind)
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(kind)
        if isinstance(hints[field.name], type) and issubclass(hints[field.name], Settings)
    }


def settings_of(kind: Any) -> Mapping[str, Setting]:
    """Every setting of a dataclass and of its groups by name, in the order of the help."""
    return _settings_of(kind)


@cache  # of Any: mypy does not take classes of dataclasses for hashable
def _settings_of(kind: Any) -> Mapping[str, Setting]:
    groups, hints = groups_of(kind), get_type_hints(kind, include_extras=True)
    settings: dict[str, Setting] = {}
    for field in dataclasses.fields(kind):
        if field.name in groups:
            inner = settings_of(groups[field.name])
            added = {name: dataclasses.replace(setting, group=field.name) for name, setting in inner.items()}
        else:
            added = {field.name: Setting(field.name, kind, None, hints[field.name], field)}
        if both := settings.keys() & added.keys():
            raise TypeError(f"{kind.__name__} has two settings of the name {min(both)}")
        settings |= added
    return settings


def find_recipe(recipe: str | Path) -> Path:
    """The file of a recipe: one of the package's own by its bare name, such as `paper`, or any other by its path.

    Raises:
        ArttlError: for a bare name that the package does not have.
    """
    if (packaged := RECIPES / f"{recipe}.yaml").is_file():
        return packaged
    if Path(recipe).suffix or os.sep in str(recipe):
        return Path(recipe)
    known = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    raise ArttlError(
        f"there is no recipe {str(recipe)!r}{did_you_mean(str(recipe), known)}; arttl has {', '.join(known)}, and a"
        " path such as ./mine.yaml is read too"
    )


def recipe_values(recipe: str | Path, kind: type[Any]) -> dict[str, Any]:
    """The settings in a YAML recipe.

    Args:
        recipe: its name or path, see `find_recipe`; the `config.yaml` of a run is one.
        kind: the settings it is for.

    Returns:
        Name to value of the settings it gives.

    Raises:
        ArttlError: if the file is missing, is not YAML, or has a key or value that is no setting.
    """
    path = find_recipe(recipe)
    data = read_yaml(path, "the recipe")
    if not isinstance(data, dict):
        raise ArttlError(f"the recipe {path} is not a list of settings, such as 'seed: 1'")
    known = settings_of(kind)
    values = {}
    for key, value in data.items():
        if key not in known:
            close = did_you_mean(str(key), known)
            raise ArttlError(f"the recipe {path} has an unknown setting {key!r}{close}")
        for removed in known[key].annotations(Removed):
            if value in removed.values:
                raise ArttlError(
                    f"the recipe {path} has {key}: {value}, which was removed; {removed.instead}"
                )
        try:
            values[key] = _converter().structure(value, known[key].hint)
        except Exception as error:  # cattrs raises plain ones too
            reason = cattrs.transform_error(error, format_exception=lambda cause, _: str(cause))[0]
            raise ArttlError(
                f"the recipe {path}: {reason.partition(' @ $')[0]} in the setting {key}"
            ) from error
    return values


def read_recipe(recipe: str | Path, kind: type[S]) -> S:
    """Settings from a recipe, the rest left at its defaults.

    Raises:
        ArttlError: see `recipe_values`; and if a setting is missing that has no default, or values break a constraint.
    """
    values = recipe_values(recipe, kind)
    for name, setting in settings_of(kind).items():
        if name not in values and setting.default is MISSING:
            raise ArttlError(f"the recipe {find_recipe(recipe)} lacks the setting {name}")
    return kind.of(**values)


@cache
def _texts(owner: Any) -> Mapping[str, str]:
    """The string under each field of a class."""
    if "__dataclass_fields__" not in vars(owner):
        return {}
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0].body  # type: ignore[attr-defined]
    return {
        declared.target.id: " ".join(below.value.value.split())
        for declared, below in itertools.pairwise(body)
        if isinstance(declared, ast.AnnAssign)
        and isinstance(declared.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _annotations(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
        hint = hint.__origin__
    for inner in get_args(hint):
        yield from _annotations(inner)


def _known(kind: type[Settings], flat: Mapping[str, Any]) -> None:
    for name in flat:
        if name not in settings_of(kind):
            close = did_you_mean(name, settings_of(kind))
            raise TypeError(f"{kind.__name__} has no setting {name!r}{close}")


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(Path, lambda value, _: Path(str(value)))
    return converter
