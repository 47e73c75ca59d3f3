"""Fields inside others in JSON: `contributors.fc` is the field `fc` of each entry of the list `contributors`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

_DEEPEST = 6  # levels of which names are listed


def nested_field(values: Mapping[str, Any], name: str) -> Any:
    """The value of a field; a list of values where a list of objects is on the way; None where there is none.

    Args:
        values: an object.
        name: of a field of its own, dots included, else names with dots between them.
    """
    if name in values:
        return values[name]
    reached: list[Any] = [values]
    several = False
    for part in name.split("."):
        entries: list[Any] = []
        for value in reached:
            if isinstance(value, list):
                several = True
                entries += [entry.get(part) for entry in value if isinstance(entry, Mapping)]
            else:
                entries.append(value.get(part) if isinstance(value, Mapping) else None)
        reached = entries
    return reached if several else reached[0]


def named_fields(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The named fields alone, also those inside others; the object as it is where no name is given."""
    return {name: nested_field(values, name) for name in names} if names else values


def field_names(values: Mapping[str, Any], *, depth: int = 0) -> Iterator[str]:
    """The names of an object's fields, each followed by those of the fields inside."""
    for name, value in values.items():
        yield name
        entries = value if isinstance(value, list) else [value]
        for entry in entries if depth < _DEEPEST else ():
            if isinstance(entry, Mapping):
                yield from (f"{name}.{inner}" for inner in field_names(entry, depth=depth + 1))


def outermost(name: str, columns: Collection[str]) -> str:
    """The column that a field is in: `contributors` for `contributors.fc`, unless there is a column of that name."""
    first = name.partition(".")[0]
    return name if name in columns or first not in columns else first
