r"""The CSV of the paper's published repository, for collections prepared as the Rijksmuseum was there.

Example of such a file:

    ,ImageId,dc_creator,dc_materiaal,dc_type
    0,0000001_SK-A-4878," Everdingen, Caesar Bo\xc3\xabtius van",olieverf,schilderij
    1,0000009_BK-NM-4821, anoniem,steengoed,stortebeker

Creators carry a leading blank (they are what follows `role:`) and UTF-8 bytes as literal escapes. The repository
drops `anoniem` and blanks, which are unknown here, and joins rows to images by position; here each row is joined to
`<images>/<ImageId>.jpg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.matching.paths import image_folder, image_path
from arttl.records.delimited import read_rows
from arttl.shards.rejects import Reject
from arttl.sources.pictures import PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASK_COLUMNS = {"material": "dc_materiaal", "type": "dc_type", "artist": "dc_creator"}

_UNKNOWN = "anoniem"
_ESCAPES = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_OBJECT_NUMBER = re.compile(r"\d+_(.+)", re.DOTALL)


def read_sabatelli2018(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of such a CSV, one per row.

    Args:
        settings: `metadata` and `images` are required; without `tasks` all of `TASK_COLUMNS` are read.

    Raises:
        ArttlError: if a setting is missing, or the file or one of its columns.
    """
    if settings.metadata is None:
        raise ArttlError("--source sabatelli2018 needs --metadata FILE")
    folder = image_folder(settings.images, "sabatelli2018")
    pictures = PictureFolder(folder)
    named = settings.task_columns() or TASK_COLUMNS
    columns = {task: TASK_COLUMNS.get(column, column) for task, column in named.items()}
    required = [("--source sabatelli2018", "ImageId")]
    required += [(f"--tasks {task}", column) for task, column in columns.items()]
    for row in read_rows(settings.metadata, required, encoding=settings.encoding):
        image_id = row.cells["ImageId"].strip()
        number = object_number_of(image_id)
        file = f"{image_id}.jpg"
        path = image_path(folder, file)
        if row.problem:
            yield Reject(number, "", file, "bad-row", f"{row.location}: {row.problem}")
        elif not image_id:
            yield Reject("", "", "", "no-image-named", row.location)
        elif path is None:
            yield Reject(number, "", file, "outside-folder", row.location)
        else:
            pictures.mark(path)
            yield Artwork(
                key=sample_key(number),
                object_number=number,
                image=path,
                labels={task: _known(row.cells[column]) for task, column in columns.items()},
                raw_labels={task: (row.cells[column],) for task, column in columns.items()},
            )
    yield from pictures.remarks()


def object_number_of(image_id: str) -> str:
    """`SK-A-4878` from `0000001_SK-A-4878`, as the Rijksmuseum Challenge names its images."""
    match = _OBJECT_NUMBER.fullmatch(image_id)
    return match[1] if match else image_id


def unescape(text: str) -> str:
    r"""Literal `\xNN` escapes as the UTF-8 they spell; a run that spells none stays as it is."""
    return _ESCAPES.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match.group().replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return match.group()


def _known(cell: str) -> tuple[str, ...]:
    return () if cell.strip() == _UNKNOWN else (unescape(cell),)
