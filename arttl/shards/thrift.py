"""Thrift's compact protocol, as far as Parquet uses it, read in the one way that leaves no doubt.

What readers of Thrift take in different ways is refused: a field that is there twice, a list of other things than it is
made for, a number that is cut to fewer bits. So this and pyarrow see the same.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

I32, I64, TEXT, LIST, STRUCT = 5, 6, 8, 9, 12  # types of fields; 1 and 2 are booleans, 3 a byte, 7 a fraction
_BYTES = {3: 1, 7: 8}
_ELEMENTS = (I32, I64, TEXT, STRUCT)
_DEEPEST = 8  # structs within one another; Parquet has five
_LAST_FIELD = 2**15 - 1
_NONE: Mapping[int, Any] = {}

Form: TypeAlias = Mapping[int, Any]
"""The fields of a struct that are kept: of lists, with the type of their elements, which are None; of structs and lists
of structs that are kept, with (`STRUCT`, their form); of all others, with None."""


def read_struct(
    data: bytes, at: int, form: Form = _NONE, depth: int = 0
) -> tuple[dict[tuple[int, int], Any], int]:
    """The whole numbers, structs and lists of structs of a struct by field and type, and where it ends; texts are None.

    Args:
        data: that hold it.
        at: where it begins.
        form: of it.
        depth: of structs around it.

    Raises:
        IndexError: if the data end before.
        ValueError: if it is none.
    """
    fields, field = dict[tuple[int, int], Any](), 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _integer(data, at)
        kind = head & 15
        value: Any = None
        if kind in (4, I32, I64):
            value = data[at]
            if value < 128:
                value, at = (value >> 1) ^ -(value & 1), at + 1
            else:
                value, at = _integer(data, at)
        elif kind == STRUCT:
            inner = form.get(field)
            value, at = read_struct(data, at, inner[1] if isinstance(inner, tuple) else _NONE, _deeper(depth))
        elif kind == TEXT:
            length, at = _varint(data, at)
            at += length
        elif kind == LIST:
            value, at = _list(data, at, form.get(field), depth)
        elif kind in _BYTES:
            at += _BYTES[kind]
        elif kind not in (1, 2):
            raise ValueError("not a type of the compact protocol")
        if not 0 < field <= _LAST_FIELD:
            raise ValueError("a field without a number")
        if field in form:
            if (field, kind) in fields:
                raise ValueError("a field that is there twice")
            fields[field, kind] = value
    return fields, at + 1


def _list(data: bytes, at: int, expected: Any, depth: int) -> tuple[list[Any] | None, int]:
    head = data[at]
    at += 1
    kind, count = head & 15, head >> 4
    if count == 15:
        count, at = _varint(data, at)
    if not count:  # of whatever kind: fastparquet writes none
        return [], at
    of_kind, form = expected if isinstance(expected, tuple) else (expected, _NONE)
    if kind not in _ELEMENTS or (expected is not None and kind != of_kind):
        raise ValueError("a list of other things than it is made for")
    structs = list[Any]()
    for _ in range(count):
        if kind == STRUCT:
            struct, at = read_struct(data, at, form, _deeper(depth))
            if isinstance(expected, tuple):
                structs.append(struct)
        elif kind == TEXT:
            length, at = _varint(data, at)
            at += length
        else:
            _, at = _varint(data, at)
        if at > len(data):
            raise IndexError
    return (structs if kind == STRUCT else None), at


def _deeper(depth: int) -> int:
    if depth == _DEEPEST:
        raise ValueError("too many structs within one another")
    return depth + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    zigzag = data[at]
    at += 1
    if zigzag >= 128:
        zigzag, at = _varint(data, at - 1)
    return (zigzag >> 1) ^ -(zigzag & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number that does not end")
