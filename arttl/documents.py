"""JSON and YAML that a stranger may have written, as typed records and within fixed limits.

A record is a dataclass, whose fields may be of `str`, `bool`, `int`, `float`, `Literal`, `Any`, another record, and of
`tuple`, `list`, `dict` and `None` of these. Nothing is converted: a text is no number, and a number no text.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import reprlib
import stat
import types
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from arttl.errors import ArttlError, did_you_mean, one_line

LARGEST = 64 * 2**20
"""Bytes of a JSON file."""
MOST_VALUES = 4_000_000
"""Values in a document, which take up to 70 bytes of memory each, and a few in the file."""
DEEPEST = 64
"""Objects and lists inside one another."""
LARGEST_YAML = 2**16
"""Bytes of a YAML file, which is read at some 100 kB per second."""

_LONGEST_PATH = 200
_HALVES = re.compile("[\ud800-\udfff]")
_HALVES_BUT_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # without those that stand for a path's bytes
_ARTICLES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}

T = TypeVar("T")


class _Wrong(Exception):
    """What is wrong with a value, and the keys that lead to it, the last one first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.keys: list[str | int] = []

    @property
    def sentence(self) -> str:
        path = ""
        for key in reversed(self.keys):
            path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else key
        return f"{path[:_LONGEST_PATH]!r} {self.reason}" if path else f"it {self.reason}"


def read_json(path: Path, kind: type[T], *, surplus: bool = False, finite: bool = True) -> T:
    """A JSON file as a record.

    Args:
        path: a regular file.
        kind: a record, or `dict[str, Any]` and the like.
        surplus: whether keys that a record does not have are passed over, and not refused.
        finite: whether infinite numbers and NaN, which Python writes into JSON, are refused.

    Raises:
        ArttlError: if it cannot be read, is larger than `LARGEST`, is not JSON, or is not such a record.
    """
    return parse_json(_read(path, LARGEST, path), kind, path, surplus=surplus, finite=finite)


def read_versioned(path: Path, kind: type[T], version: int, what: str, *, surplus: bool = False) -> T:
    """A JSON file whose `format_version` is compared before anything else in it.

    Args:
        path: see `read_json`, as are `kind` and `surplus`.
        version: the one that this version of the program reads.
        what: the file describes.

    Raises:
        ArttlError: as for `read_json`, and for another version.
    """
    document = read_json(path, dict[str, Any])
    found = document.get("format_version")
    if found != version:
        raise ArttlError(
            f"{path.parent} has {what} format {reprlib.repr(found)}; this version reads {version}"
        )
    return structured(document, kind, path, surplus=surplus)


def parse_json(
    data: bytes | str, kind: type[T], where: object, *, surplus: bool = False, finite: bool = True
) -> T:
    """JSON as a record.

    Args:
        data: UTF-8, of a limited size.
        kind: see `read_json`, as are `surplus` and `finite`.
        where: it is, for messages.

    Raises:
        ArttlError: if it is not JSON, holds more than `MOST_VALUES`, or is not such a record.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        if sum(map(text.count, ",[{")) > MOST_VALUES:
            raise ArttlError(f"{where} holds more than {MOST_VALUES:,} values")
        value = json.loads(text, object_pairs_hook=_without_duplicates)
        _check(value, finite)
        return structured(value, kind, where, surplus=surplus)
    except _Wrong as wrong:
        raise ArttlError(f"{where}: {wrong.sentence}") from None
    except RecursionError:
        raise ArttlError(f"{where}: it is nested deeper than {DEEPEST}") from None
    except ValueError as error:
        raise ArttlError(f"{where} is not JSON: {one_line(error)}") from error


def read_yaml(path: Path, what: str = "") -> Any:
    """A YAML file without aliases, which are not needed and multiply what is read.

    Args:
        path: a regular file.
        what: it is, for messages.

    Raises:
        ArttlError: if it cannot be read, is larger than `LARGEST_YAML`, is not YAML, or has tags that are not values.
    """
    where = f"{what} {path}".strip()
    try:
        value = yaml.load(_read(path, LARGEST_YAML, where), _Loader)
        _check(value, finite=False, halves=_HALVES_BUT_BYTES)
    except _Wrong as wrong:
        raise ArttlError(f"{where}: {wrong.sentence}") from None
    except RecursionError:
        raise ArttlError(f"{where}: it is nested deeper than {DEEPEST}") from None
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ArttlError(f"{where} is not YAML: {one_line(error)}") from error
    return value


def structured(value: object, kind: type[T], where: object, *, surplus: bool = False) -> T:
    """Values of JSON as a record.

    Args:
        value: as `json` gives it.
        kind: see `read_json`, as is `surplus`.
        where: it is, for messages.

    Raises:
        ArttlError: naming `where`, the keys that lead to what does not fit, and what is expected there.
    """
    try:
        record: T = _structured(value, kind, surplus)
    except _Wrong as wrong:
        raise ArttlError(f"{where}: {wrong.sentence}") from None
    return record


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name): write the value itself")
        return super().compose_node(parent, index)


def _read(path: Path, largest: int, where: object) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ArttlError(f"{where} is not a file")
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise ArttlError(f"{where} cannot be read: {error.strerror}") from error
    if len(data) > largest:
        raise ArttlError(f"{where} has more than {largest / 2**20:g} MiB")
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        (repeated, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise _Wrong(f"has the key {reprlib.repr(repeated)} twice in one object")
    return made


def _check(value: object, finite: bool, halves: re.Pattern[str] = _HALVES, depth: int = 0) -> None:
    """Refuse what no document needs, and what other code would fail at."""
    if isinstance(value, str):
        if not value.isascii() and halves.search(value):
            raise _Wrong("has half a character of UTF-16")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise _Wrong("must be a number of 64 bits")
    elif isinstance(value, float):
        if finite and not math.isfinite(value):
            raise _Wrong(f"must be a finite number, not {value}")
    elif isinstance(value, dict | list):
        if depth == DEEPEST:
            raise _Wrong(f"is nested deeper than {DEEPEST}")
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            try:
                if isinstance(value, dict):
                    _check(key, finite, halves, depth)
                _check(inner, finite, halves, depth + 1)
            except _Wrong as wrong:
                wrong.keys.append(key if isinstance(key, int) else str(key))
                raise


def _structured(value: Any, kind: Any, surplus: bool) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _record(value, kind, surplus)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        *others, last = (each for each in arguments if each is not type(None))
        for each in others:
            with suppress(_Wrong):
                return _structured(value, each, surplus)
        return _structured(value, last, surplus)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise _Wrong(f"must be {' or '.join(map(repr, arguments))}, not {reprlib.repr(value)}")
        return value
    if origin in (tuple, list):
        items = _of_type(value, list)
        return origin(_inner(index, item, arguments[0], surplus) for index, item in enumerate(items))
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        items = _of_type(value, dict)
        return {
            _inner(str(key), key, arguments[0], surplus): _inner(str(key), item, arguments[1], surplus)
            for key, item in items.items()
        }
    if kind is float:
        if type(value) not in (int, float):
            raise _Wrong(f"must be a number, not {_name(value)}")
        return float(value)
    return _of_type(value, kind)


def _record(value: Any, kind: Any, surplus: bool) -> Any:
    fields = _fields(kind)
    given = _of_type(value, dict)
    if not surplus and (unknown := next((key for key in given if key not in fields), None)) is not None:
        raise _Wrong(f"has an unknown key {reprlib.repr(unknown)}{did_you_mean(str(unknown)[:100], fields)}")
    for name, (_, required) in fields.items():
        if required and name not in given:
            raise _Wrong(f"lacks {name!r}")
    values = {
        name: _inner(name, given[name], hint, surplus) for name, (hint, _) in fields.items() if name in given
    }
    try:
        return kind(**values)
    except ValueError as error:  # of its own check
        raise _Wrong(f"cannot be used: {one_line(error)}") from error


def _inner(key: str | int, value: Any, kind: Any, surplus: bool) -> Any:
    try:
        return _structured(value, kind, surplus)
    except _Wrong as wrong:
        wrong.keys.append(key)
        raise


def _of_type(value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind:
        expected = "a whole number" if kind is int else _ARTICLES.get(kind, kind.__name__)
        raise _Wrong(f"must be {expected}, not {_name(value)}")
    return value


def _name(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return _ARTICLES.get(type(value), type(value).__name__)


@cache
def _fields(kind: Callable[..., Any]) -> Mapping[str, tuple[Any, bool]]:
    """The type of each field of a record, and whether it has no default."""
    hints = get_type_hints(kind)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
    }
