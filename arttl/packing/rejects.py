"""`rejects.csv`: each row and picture that was left out, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields

from arttl.sources.rejects import Reject

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
