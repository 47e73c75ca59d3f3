"""`rejects.csv`: each row and picture that was left out, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from pathlib import Path
from typing import cast

from arttl.errors import ArttlError
from arttl.sources.rejects import REASONS, Reason, Reject

_AT_ONCE = 1 << 16  # characters
COLUMNS = tuple(column.name for column in fields(Reject))


def rejects_csv(rejects: Iterable[Reject]) -> Iterator[bytes]:
    """The table with the columns `COLUMNS`, UTF-8, a line feed after each row; some rows at a time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for reject in rejects:
        writer.writerow(astuple(reject))
        if text.tell() > _AT_ONCE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def read_rejects(directory: Path) -> Iterator[Reject]:
    """The rows of a folder's `rejects.csv`.

    Raises:
        ArttlError: if it is missing or of another form.
    """
    path = directory / "rejects.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                if row["reason"] not in REASONS:
                    raise ValueError(f"the reason {row['reason']!r} is not known")
                number, key, name, reason, detail = (row[column] for column in COLUMNS)
                yield Reject(number, key, name, cast(Reason, reason), detail)
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ArttlError(f"{path} cannot be read: {error}; run arttl shards verify") from error
