"""The pictures that a museum's metadata name: one row per object that the metadata have, with a picture or without."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np

from arttl.catalogue.catalogue import Catalogue
from arttl.catalogue.jobs import Job
from arttl.catalogue.sharing import without_contested
from arttl.catalogue.spool import Spool
from arttl.characters import plain_text
from arttl.errors import ArttlError
from arttl.labelling.cleaning import clean, clean_reject, plain
from arttl.matching.claims import Claims
from arttl.packing.plan import file_name
from arttl.pictures.picture_file import PictureFile
from arttl.records.delimited import without_formula
from arttl.records.delimited_cells import Layout, read_cells, read_layout
from arttl.records.kinds import nothing_read
from arttl.records.rows import STRUCTURED
from arttl.shards.rejects import Reject
from arttl.sources.registry import SOURCES, guess_settings, open_source
from arttl.suggesting.collections import FileCollection, Row
from arttl.suggesting.settings import CatalogueSettings


class CataloguedCollection(FileCollection):
    """Objects in the order of the metadata.

    Attributes:
        layout: of the museum's own table, where its rows are kept to be written again.
        widest: cells of the longest of these rows, the header included.
    """

    head: tuple[str, ...] = ("object_number", "picture")  # and the institution, where any is named

    def __init__(self, settings: CatalogueSettings, *, with_rows: bool) -> None:
        """Read the metadata, and find each object's picture as packing does.

        Args:
            settings: of the source.
            with_rows: whether the museum's rows are kept, where the metadata are a CSV or TSV file.

        Raises:
            ArttlError: for metadata that cannot be read, or that name no picture that is there.
        """
        settings, self.sentences = guess_settings(settings)
        of_source = tuple(task.partition("=")[0] for task in SOURCES[settings.source].tasks)
        self.tasks = tuple(settings.task_columns()) or of_source
        self.layout: Layout | None = None
        self._settings = settings
        self._catalogue, self._rejects = Catalogue(), Spool()
        self._place = array("q")  # of each item its row in the catalogue, or ~ its index in the rejects
        self._problems: dict[int, str] = {}  # of rows in the catalogue
        self._rows, self.widest = Spool(), 0
        with_rows = with_rows and settings.source == "table" and _is_delimited(settings)
        if with_rows:
            assert settings.metadata is not None
            self.layout = read_layout(settings.metadata, encoding=settings.encoding)
        self._read()

    def _read(self) -> None:
        settings, digest, claims = self._settings, hashlib.sha256(), Claims()
        reading = open_source(settings)
        for artwork, cells in zip(reading, self._cells(), strict=self.layout is not None):
            own = json.dumps(cells).encode()
            if isinstance(artwork, Reject):
                artwork = clean_reject(artwork)
                self._place.append(~len(self._rejects))
                rejected = (artwork.object_number, artwork.file, f"{artwork.reason}: {artwork.detail}")
                self._rejects.append(json.dumps(rejected).encode())
                digest.update(json.dumps([artwork.object_number, artwork.detail]).encode() + own)
            else:
                artwork = clean(artwork, self.tasks)
                job = Job(artwork, file_name(artwork, settings.images))
                row = self._catalogue.add(job, artwork.object_number)
                claims.add(artwork, row, artwork.institution)
                self._place.append(row)
                digest.update(self._catalogue.content(row) + own)
            if self.layout is not None:
                # A row that got the suggestions of another would be the worst of faults.
                column = self._number_column
                number = without_formula(cells[column]) if column < len(cells) else ""
                if plain(number.strip()) != artwork.object_number:
                    raise RuntimeError(f"row {number!r} was taken for object {artwork.object_number!r}")
                self._rows.append(own)
                self.widest = max(self.widest, len(cells), len(self.layout.columns))
        self.sentences += reading.sentences()
        if not len(self):
            raise ArttlError(nothing_read(settings.metadata, settings.source))
        if not len(self._catalogue):
            _, _, problem = json.loads(self._rejects.read(0))
            raise ArttlError(
                f"no row of {settings.metadata} ({len(self):,} in all) has a picture in {settings.images}, the first"
                f" because of {problem}; check --images{' and --image' if settings.source == 'table' else ''}"
            )
        lost: list[Reject] = []
        rows = np.arange(len(self._catalogue))
        kept, warnings = without_contested(claims, self._catalogue, rows, lost)
        self.sentences += warnings
        for row, reject in zip(np.setdiff1d(rows, kept).tolist(), lost, strict=True):
            self._problems[row] = f"{reject.reason}: {reject.detail}"
        self.identity = digest.hexdigest()
        if self._catalogue.institutions.names:
            self.head = (*self.head, "institution")

    def _cells(self) -> Iterator[Sequence[str]]:
        """The museum's rows; without end where they are not kept."""
        if self.layout is None:
            return repeat(())
        assert self._settings.metadata is not None
        return read_cells(self._settings.metadata, encoding=self._settings.encoding)

    @cached_property
    def _number_column(self) -> int:
        """The index of the object number in the museum's rows."""
        assert self.layout is not None and self._settings.object_number is not None
        columns = [plain_text(name) for name in self.layout.columns]
        return columns.index(plain_text(self._settings.object_number))

    def __len__(self) -> int:
        return len(self._place)

    def row(self, item: int) -> Row:
        """See `Collection`."""
        cells = json.loads(self._rows.read(item)) if self.layout is not None else ()
        place = self._place[item]
        if place < 0:
            number, file, _ = json.loads(self._rejects.read(~place))
            return Row((number, file, "")[: len(self.head)], number, "", {}, cells)
        job = self._catalogue.job(place)
        number, institution = job.artwork.object_number, job.artwork.institution or ""
        head = (number, job.file, institution)[: len(self.head)]
        return Row(head, number, institution, job.artwork.labels, cells)

    def file(self, item: int) -> PictureFile | str:
        """See `FileCollection`."""
        place = self._place[item]
        if place < 0:
            return json.loads(self._rejects.read(~place))[2]
        return self._problems.get(place) or self._catalogue.image(place)


def _is_delimited(settings: CatalogueSettings) -> bool:
    return settings.metadata is not None and settings.metadata.suffix.lower() not in STRUCTURED
