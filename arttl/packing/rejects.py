"""`rejects.csv`: each row and picture that was left out, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, fields

from arttl.sources.rejects import Reject

COLUMNS = tuple(column.name for column in fields(Reject))


def rejects_csv(rejects: Iterable[Reject]) -> bytes:
    """The table with the columns `COLUMNS`, UTF-8, a line feed after each row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(reject) for reject in rejects)
    return text.getvalue().encode()
