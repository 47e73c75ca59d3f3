"""The files that `arttl visualize` writes: pictures, contact sheets of classes, and the panel, as PNG and PDF."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from arttl.explain.overlay import Picture
from arttl.explain.panel import Legend, contact_sheet
from arttl.explain.views import UnusedNames, View
from arttl.files import make_folder, write_bytes
from arttl.inference.labels import Prediction

_PRINT_SCALE = 3  # of PDFs, relative to PNGs
_PDF: dict[str, Any] = {
    "resolution": 300,  # dots per inch
    "quality": 92,  # of the JPEG inside: letters keep their edges
    "creationDate": None,
    "modDate": None,
}
_ACCENTS = re.compile(r"[\u0300-\u036f]")


@dataclass(frozen=True)
class Sheet:
    """A panel or contact sheet, to be drawn for the screen or larger for print.

    Attributes:
        layout: `panel` or `contact_sheet` with all arguments but `cell`.
        cell: width of a column on the screen, in pixels.
    """

    layout: Callable[..., Picture]
    cell: int


def class_sheets(
    task: str,
    views: Sequence[View],
    predictions: Sequence[Mapping[str, Prediction]],
    pictures: Sequence[Picture],
    legends: Sequence[Legend],
) -> dict[str, Sheet]:
    """A contact sheet per class of a task, by file name.

    Args:
        task: its name.
        views: whose catalogued labels are the classes, or else the predicted ones.
        predictions: of each view, by task.
        pictures: of each view.
        legends: of their colours.
    """
    by_class: dict[str, list[int]] = {}
    for index, view in enumerate(views):
        for label in view.labels.get(task, predictions[index][task].names):
            by_class.setdefault(label, []).append(index)
    sheets: dict[str, Sheet] = {}
    names = UnusedNames()
    for label, members in sorted(by_class.items()):
        captions = [f"{views[i].catalogued.partition(';')[0]}\n{predictions[i][task]}" for i in members]
        # Accents are removed, letters of any script kept.
        plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", label)))
        letters = re.sub(r"[^\w-]+", "_", plain)[:60]
        members_pictures = [pictures[i] for i in members]
        layout = partial(contact_sheet, members_pictures, captions, f"{task}: {label}", legends=legends)
        sheets[names.of(f"sheet-{letters}")] = Sheet(layout, 160)
    return sheets


def write_pictures(
    out: Path, pictures: Mapping[str, Picture], sheets: Mapping[str, Sheet], pdf: bool
) -> list[Path]:
    """Write all as PNG and, with `pdf`, the sheets as PDF too; each file appears whole.

    Returns:
        The files: the pictures, then the sheets, in the order given.
    """
    make_folder(out)
    written = [_write_picture(out / f"{name}.png", picture) for name, picture in pictures.items()]
    for name, sheet in sheets.items():
        if pdf:
            picture = sheet.layout(cell=_PRINT_SCALE * sheet.cell)
            written.append(_write_picture(out / f"{name}.pdf", picture, **_PDF))
        written.append(_write_picture(out / f"{name}.png", sheet.layout(cell=sheet.cell)))
    return written


def _write_picture(path: Path, picture: Picture, **options: Any) -> Path:
    buffer = io.BytesIO()  # Pillow would write the name of a file into a PDF
    Image.fromarray(picture).save(buffer, path.suffix[1:], **options)
    write_bytes(path, buffer.getvalue())
    return path
