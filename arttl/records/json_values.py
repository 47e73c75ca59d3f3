"""JSON values whose numbers keep the text that they are written as: an object's number `1907.10` is not `1907.1`."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

from arttl.documents import DEEPEST, MOST_VALUES
from arttl.errors import one_line

TOO_DEEP = "holds lists or objects too deep within others"


class WrittenNumber(float):
    """A number whose text is not the one that Python writes, such as `1907.10`; its `str` is that text."""

    __slots__ = ("_text",)

    _text: str

    def __new__(cls, text: str) -> WrittenNumber:
        """A number from its text."""
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text


def json_value(text: str | bytes) -> Any:
    """The value of a JSON document; fractions that Python would write otherwise are `WrittenNumber`.

    Args:
        text: of limited size; bytes are UTF-8, with or without a byte order mark.

    Raises:
        ValueError: if it cannot be read, holds more than `MOST_VALUES`, or is nested deeper than `DEEPEST`; the message
            is the end of a sentence, such as `is not JSON: ...`.
    """
    try:
        if isinstance(text, bytes):
            text = text.removeprefix(codecs.BOM_UTF8).decode()  # faster than "utf-8-sig"
        openings = text.count("[") + text.count("{")
        too_many = openings + text.count(",") > MOST_VALUES
        value = None if too_many else json.loads(text, parse_float=_number)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is not JSON: {one_line(error)}") from error
    except ValueError:  # Python's own limit, which it explains to programmers
        raise ValueError("holds a whole number of more than 4,300 digits") from None
    if too_many:
        raise ValueError(f"holds more than {MOST_VALUES:,} values: split it")
    if openings > DEEPEST and _is_too_deep(value):
        raise ValueError(TOO_DEEP)
    return value


def _is_too_deep(value: object) -> bool:
    """Whether lists and objects are nested deeper than `DEEPEST`."""
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def _number(text: str) -> float:
    number = float(text)
    return number if repr(number) == text or not math.isfinite(number) else WrittenNumber(text)
