"""The makers in the published tables of museums, which give roles and qualifiers in columns or words of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from arttl.attribution.qualifiers import Maker, qualifies, split_after, split_name
from arttl.records.delimited import Row

# Where two readings are possible, nobody is taken for the artist: a row with another number of roles than of names, or,
# in the records of the Carnegie Museum, `after` beside a name without a role. There `Claude Mellan after` followed by
# `Simon Vouet` is Mellan's, and `George Catlin after` followed by `John McGahey` is McGahey's.
UNCLEAR = "role unclear"

_CREATOR = re.compile(
    r"\s*(?P<name>\S[^;|]*?)\s*(?:\((?P<life>[^()]*)\))?\s*,\s*(?P<role>[^\W\dA-Z][^\W\d]*(?:[ /-][^\W\dA-Z][^\W\d]*)*)"
    r"\s*(?:[;|,\n]\s*|\Z)"
)
_LONGEST = 2000  # characters of a cell whose makers are told apart
_LIFE = re.compile(r"\s*\([^()]*\)")


class Makers(Protocol):
    """How a kind of table gives its makers."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, as far as a table has them."""
        ...

    def read(self, row: Row) -> list[Maker]:
        """The makers of a row, in its order."""
        ...


@dataclass(frozen=True)
class InColumns:
    """Names in a column, roles in others beside it: `Camille Corot|James Peale` and ` |After`.

    Attributes:
        name: the column of the names.
        roles: of roles, prefixes and suffixes; the first that qualifies the name counts.
        separator: between several names and roles; None: a cell is one.
        addresses: the column of addresses in a vocabulary.
        joins: whether `after` may also join a name to the next, see `UNCLEAR`.
    """

    name: str
    roles: tuple[str, ...]
    separator: str | None = None
    addresses: str | None = None
    joins: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of names, roles and addresses."""
        return (self.name, *self.roles, *((self.addresses,) if self.addresses else ()))

    def read(self, row: Row) -> list[Maker]:
        """The makers of a row, in its order."""
        names = self._cells(row, self.name)
        roles = [cells for cells in (self._cells(row, role) for role in self.roles) if any(cells)]
        addresses = self._cells(row, self.addresses) if self.addresses else []
        if any(len(cells) != len(names) for cells in roles):
            return [Maker(name, UNCLEAR) for name in names if name]
        makers, first_roles = [], []
        for index, name in enumerate(names):
            if not name:
                continue
            own = [cells[index] for cells in roles if cells[index]]
            address = addresses[index] if len(addresses) == len(names) and "://" in addresses[index] else ""
            makers.append(Maker(name, next(filter(qualifies, own), ""), (address,) if address else ()))
            first_roles.append(own[0] if own else "")
        return _unjoined(makers, first_roles) if self.joins else makers

    def _cells(self, row: Row, column: str) -> list[str]:
        cell = row.cells.get(column, "")
        return [part.strip() for part in (cell.split(self.separator) if self.separator else [cell])]


@dataclass(frozen=True)
class InObjects:
    """A list of objects, each with a name and a role: `[{"fc": "John Constable", "role": "artist"}]`.

    Attributes:
        column: of the list.
        name, role: fields of an object.
        joins: whether `after` may also join a name to the next, see `UNCLEAR`.
    """

    column: str
    name: str
    role: str
    joins: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of the list."""
        return (self.column,)

    def read(self, row: Row) -> list[Maker]:
        """The makers of a row, in its order."""
        makers, roles = [], []
        # Objects are text in a row; their parts stay together so, which two lists of names and roles would not.
        for text in row.lists.get(self.column) or (row.cells.get(self.column, ""),):
            entry = _object(text)
            name, role = (str(entry.get(key) or "").strip() for key in (self.name, self.role))
            if name:
                makers.append(Maker(name, role if qualifies(role) else ""))
                roles.append(role)
        return _unjoined(makers, roles) if self.joins else makers


def _unjoined(makers: list[Maker], roles: list[str]) -> list[Maker]:
    """The makers, those of unclear roles marked so, where `after` stands beside a name without a role."""
    if "after" not in roles or "" not in roles:
        return makers
    return [
        Maker(maker.name, UNCLEAR, maker.addresses) if role in ("", "after") else maker
        for maker, role in zip(makers, roles, strict=True)
    ]


@dataclass(frozen=True)
class InName:
    """Qualifiers in the name itself: `Workshop of Rembrandt`, `Jan Muller after Cornelis van Haarlem`."""

    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of the name."""
        return (self.name,)

    def read(self, row: Row) -> list[Maker]:
        """The maker of a row, and the artist of the model."""
        return in_name(row.cells.get(self.name, ""))


def in_name(text: str) -> list[Maker]:
    """The makers that a text names, with their qualifiers."""
    qualifier, name = split_name(text)
    if qualifier:
        return [Maker(name, qualifier)]
    name, source = split_after(name)
    makers = [Maker(name)] if name else []
    return [*makers, Maker(source, "after")] if source else makers


@dataclass(frozen=True)
class InSentence:
    """Names with lives and roles: `Henri Lehmann (French, 1814-1882), artist`.

    The qualifier stands elsewhere, before the name in the label of the object (`Attributed to Henri Lehmann`).

    Attributes:
        name: the column of the names.
        label: the column of the label of the object.
    """

    name: str
    label: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return (self.name, self.label)

    def read(self, row: Row) -> list[Maker]:
        """The makers of a row; a text of another form is one name."""
        cell, label = row.cells.get(self.name, ""), row.cells.get(self.label, "")
        makers: list[Maker] = []
        at = 0
        while len(cell) <= _LONGEST and (match := _CREATOR.match(cell, at)):
            at = match.end()
            # `Henry Bone (British, 1755-1834), after Titian (Italian, c. 1488-1576), artist`
            named = in_name(_LIFE.sub("", match["name"]))
            makers += [_with_role(maker, match["role"], label) for maker in named[:1]] + named[1:]
        if at < len(cell.rstrip()):
            return [_with_role(maker, "", label) for maker in in_name(cell)]
        return makers


def _with_role(maker: Maker, role: str, label: str) -> Maker:
    """A maker with the qualifier of the name, else of the role, else of the label of the object."""
    qualifier = maker.qualifier or (role if qualifies(role) else "") or _qualifier_in(label, maker.name)
    return Maker(maker.name, qualifier)


def _qualifier_in(label: str, name: str) -> str:
    """The qualifier that stands before a name in a longer text."""
    # The name with a life after it is that of the maker; one in the title has none.
    at = max(label.find(f"{name} ("), 0) or label.find(name) if name else -1
    if at <= 0:
        return ""
    words = label[:at].split()
    for count in range(min(6, len(words)), 0, -1):
        qualifier, rest = split_name(f"{' '.join(words[-count:])} {name}")
        if qualifier and rest == name:
            return qualifier
    return ""


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def present(makers: Makers, columns: Sequence[str]) -> list[str]:
    """The columns of makers that a table has."""
    return [column for column in makers.columns if column in columns]
