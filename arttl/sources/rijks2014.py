"""The Rijksmuseum Challenge 2014 as it is distributed (Mensink and Van Gemert, ICMR 2014).

    jpg2/0000001_SK-A-4878.jpg      the pictures (`--images jpg2`)
    xml/0000001_SK-A-4878.xml       a Dublin Core record for each (`--metadata xml`)
    rijksgt.mat                     split and labels of the challenge (`--ground-truth rijksgt.mat`)

Example of a record (any element may be around these; other `dc:format` lines are techniques and sizes):

    <dc:creator>prentmaker: Dürer, Albrecht</dc:creator>
    <dc:type>prent</dc:type>
    <dc:format>materiaal: papier</dc:format>
    <dc:format>techniek: gravure (drukprocedé)</dc:format>

By default labels are read as the paper did: materials without their `materiaal:`, creators without their role, and
a field whose first label is `anoniem` or empty is unknown. All labels of other fields are kept, but for such ones; a
single-label task takes the first, as the paper did. The challenge's own labels are the columns `gt.material`,
`gt.type` and `gt.creator`, and `--split official` is its own split; its class rule is that of training,
`--classes rijks2014`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError, did_you_mean
from arttl.matching.paths import image_folder
from arttl.records.rijks_ground_truth import GroundTruth, read_ground_truth
from arttl.records.xml_records import BadXml, read_records
from arttl.shards.rejects import Reject
from arttl.sources.dublin_core import DATE, TITLE, Field, parse_field, without_role
from arttl.sources.remarks import PassedOver
from arttl.sources.sabatelli2018 import object_number_of
from arttl.sources.settings import SourceSettings

TASK_COLUMNS = {"material": "dc:format[materiaal]", "type": "dc:type", "artist": "dc:creator[]"}

# Images and classes that the paper reports (its table 1), after a cleaning that its code has only in part; shown for
# comparison.
PAPER_FIGURES = {"material": (110_668, 206), "type": (112_012, 1_054), "artist": (82_018, 1_196)}

_GROUND_TRUTH = ("gt.material", "gt.type", "gt.creator")
_UNKNOWN = ("anoniem", "")
# The files differ in the elements around the fields, so fields are read at any depth.
_DC_FIELD = "{http://purl.org/dc/elements/1.1/}"
_DC_ELEMENTS = tuple(
    _DC_FIELD + name for name in ("title", "creator", "subject", "date", "type", "format", "identifier")
)


def read_rijks2014(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver]:
    """Artworks of the challenge, one per picture, sorted by file name as the ground truth is.

    Args:
        settings: `metadata` and `images` are required, and `ground_truth` for the official split or labels.

    Raises:
        ArttlError: if a setting is missing, a task names no field, or the ground truth does not fit the pictures.
    """
    if settings.metadata is None or not settings.metadata.is_dir():
        raise ArttlError("--source rijks2014 needs --metadata FOLDER, the folder of XML files")
    folder = image_folder(settings.images, "rijks2014")
    columns = settings.task_columns() or TASK_COLUMNS
    fields = {
        task: parse_field(column, f"--tasks {task}")
        for task, column in columns.items()
        if not column.startswith("gt.")
    }
    official = {task: column for task, column in columns.items() if task not in fields}
    for task, column in official.items():
        if column not in _GROUND_TRUTH:
            raise ArttlError(
                f"--tasks {task}: the ground truth has no {column!r}{did_you_mean(column, _GROUND_TRUTH)}; it has:"
                f" {', '.join(_GROUND_TRUTH)}"
            )
    file_of, of_pictures = _files(folder, ".jpg")
    records, of_records = _files(settings.metadata, ".xml")
    yield from of_pictures
    yield from of_records
    truth = _truth_of(settings, official, len(file_of))
    for row, (stem, file) in enumerate(file_of.items()):
        number = object_number_of(stem)
        if stem not in records:
            yield Reject(number, "", file, "no-record", f"there is no {stem}.xml")
            continue
        try:
            record = _record(settings.metadata / records[stem])
        except BadXml as error:
            yield Reject(number, "", file, "bad-row", str(error))
            continue
        labels = {task: _labels(field.values(record, None)) for task, field in fields.items()}
        raw = {task: Field(field.element, None).values(record, None) for task, field in fields.items()}
        if truth is not None:
            for task, column in official.items():
                labels[task] = raw[task] = {
                    "gt.material": truth.materials,
                    "gt.type": truth.types,
                    "gt.creator": truth.creators,
                }[column][row]
        yield Artwork(
            key=sample_key(number),
            object_number=number,
            image=folder / file,
            labels={task: labels[task] for task in columns},
            raw_labels=raw,
            title=TITLE.first(record),
            date=_date(record, truth, row),
            split=truth.splits[row] if truth is not None and settings.split == "official" else None,
        )
    for stem in sorted(records.keys() - file_of.keys()):
        yield Reject(
            object_number_of(stem), "", f"{stem}.jpg", "missing", f"there is a {stem}.xml and no picture"
        )


def _files(folder: Path, suffix: str) -> tuple[dict[str, str], list[PassedOver]]:
    """Stem to name of a folder's files of a suffix, sorted by stem, and what else the folder holds."""
    names: dict[str, str] = {}
    passed_over = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() == suffix and not path.name.startswith(".") and path.stem not in names:
            names[path.stem] = path.name
        else:
            passed_over.append(PassedOver(f"files beside the *{suffix} of {folder.name}", path.name))
    return dict(sorted(names.items())), passed_over


def _truth_of(settings: SourceSettings, official: dict[str, str], pictures: int) -> GroundTruth | None:
    if settings.ground_truth is None:
        if settings.split == "official" or official:
            flag = "--split official" if settings.split == "official" else f"--tasks {next(iter(official))}"
            raise ArttlError(f"{flag} needs --ground-truth, the file rijksgt.mat")
        return None
    truth = read_ground_truth(settings.ground_truth)
    if len(truth.splits) != pictures:
        raise ArttlError(
            f"--ground-truth {settings.ground_truth} has {len(truth.splits):,} rows and --images {settings.images}"
            f" {pictures:,} pictures; they are joined row by row, so both must be complete"
        )
    return truth


def _record(file: Path) -> Element:
    """The record's fields under one element, at any depth in the file."""
    whole = etree.Element("record")
    whole.extend(list(read_records(file, _DC_ELEMENTS)))
    return whole


def _labels(values: tuple[str, ...]) -> tuple[str, ...]:
    known = [without_role(value) not in _UNKNOWN for value in values]
    return tuple(value for value, kept in zip(values, known, strict=True) if kept) if any(known[:1]) else ()


def _date(record: Element, truth: GroundTruth | None, row: int) -> str | None:
    if truth is None:
        return DATE.first(record)
    first, last = truth.years[row]
    return f"{first:g}" if first == last else f"{first:g}-{last:g}"
