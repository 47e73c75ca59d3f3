"""The published tables of museums, recognised by their headers: which column is what.

They fill in what no flag names, and are printed; what no column says, such as which museum it is, they add.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from arttl.artworks import Artwork
from arttl.attribution.qualifiers import Qualifiers, artists, attributions
from arttl.attribution.table_makers import InColumns, InName, InObjects, InSentence, Makers, present
from arttl.records.delimited import Row
from arttl.records.nested import outermost
from arttl.records.rows import column_names, read_any_rows
from arttl.sources.remarks import Note
from arttl.sources.settings import SourceSettings


@dataclass(frozen=True)
class Preset:
    """A kind of table.

    Attributes:
        table: for messages: `the table of Tate`.
        header: columns that it has and other tables do not have together.
        institution: that published it.
        object_number, title, date: their columns.
        images: columns of the pictures' addresses, best first; where a table has none, pictures are named after the
            object.
        tasks: task name to column; those that a table lacks are left out.
        label_separator: between labels in one cell.
        last_date: the column where `date` is the first year of a span.
        makers: how roles and qualifiers of the task `artist` are given.
        evidence: text in the first row without which the institution is another; None: the header tells.
    """

    table: str
    header: frozenset[str]
    institution: str
    object_number: str
    title: str
    date: str
    tasks: Mapping[str, str]
    images: tuple[str, ...] = ()
    label_separator: str | None = None
    last_date: str | None = None
    makers: Makers | None = None
    evidence: str | None = None


PRESETS = (
    Preset(
        table="the table of the Metropolitan Museum of Art",
        header=frozenset(("Object Number", "Object ID", "Is Public Domain", "Artist Display Name", "Medium")),
        institution="Metropolitan Museum of Art",
        object_number="Object Number",
        title="Title",
        date="Object Date",
        tasks={"material": "Medium", "type": "Object Name", "artist": "Artist Display Name"},
        label_separator="|",
        makers=InColumns(
            "Artist Display Name",
            ("Artist Prefix", "Artist Role", "Artist Suffix"),
            separator="|",
            addresses="Artist ULAN URL",
        ),
    ),
    Preset(
        table="the table of the Cleveland Museum of Art",
        header=frozenset(
            ("accession_number", "share_license_status", "tombstone", "creators", "technique", "type")
        ),
        institution="The Cleveland Museum of Art",
        object_number="accession_number",
        title="title",
        date="creation_date",
        # The museum calls the line that others call medium the technique: `Black chalk on blue paper`.
        tasks={"material": "technique", "type": "type", "artist": "creators"},
        images=("image_web", "image_print", "image_full"),
        makers=InSentence("creators", "tombstone"),
    ),
    Preset(
        table="the table of the National Gallery of Art, Washington",
        header=frozenset(
            ("objectid", "accessionnum", "attribution", "medium", "classification", "departmentabbr")
        ),
        institution="National Gallery of Art, Washington",
        object_number="accessionnum",
        title="title",
        date="displaydate",
        tasks={"material": "medium", "type": "classification", "artist": "attribution"},
        images=("iiifurl", "iiifthumburl"),
        makers=InName("attribution"),
    ),
    Preset(
        table="the table of Tate",
        header=frozenset(("accession_number", "artist", "artistId", "dateText", "thumbnailUrl")),
        institution="Tate",
        object_number="accession_number",
        title="title",
        date="dateText",
        tasks={"material": "medium", "artist": "artist"},
        images=("thumbnailUrl",),
        makers=InColumns("artist", ("artistRole",)),
    ),
    Preset(
        table="the records of Tate",
        header=frozenset(("acno", "contributors", "contributorCount", "dateText", "medium")),
        institution="Tate",
        object_number="acno",
        title="title",
        date="dateText",
        tasks={"material": "medium", "type": "classification", "artist": "contributors.fc"},
        images=("thumbnailUrl",),
        makers=InObjects("contributors", "fc", "role"),
    ),
    Preset(
        table="the table of the Carnegie Museum of Art",
        header=frozenset(("accession_number", "full_name", "cited_name", "medium", "physical_location")),
        institution="Carnegie Museum of Art",
        object_number="accession_number",
        title="title",
        date="creation_date",
        tasks={"material": "medium", "type": "classification", "artist": "full_name"},
        label_separator="|",
        makers=InColumns("full_name", ("role",), separator="|", joins=True),
    ),
    Preset(
        table="the records of the Carnegie Museum of Art",
        header=frozenset(("accession_number", "creator", "medium", "physical_location", "provenance_text")),
        institution="Carnegie Museum of Art",
        object_number="accession_number",
        title="title",
        date="creation_date",
        tasks={"material": "medium", "type": "classification", "artist": "creator.full_name"},
        makers=InObjects("creator", "full_name", "role", joins=True),
    ),
    Preset(
        table="an export of Axiell Collections (Adlib)",
        header=frozenset(("recordnummer", "objectnummer", "vervaardiger")),
        institution="Rijksmuseum",
        object_number="objectnummer",
        title="titel",
        date="datering.datum.start",
        last_date="datering.datum.eind",
        tasks={"material": "materiaal", "type": "objectnaam", "artist": "vervaardiger"},
        label_separator="$",
        evidence="rijksmuseum.nl",
    ),
)


MAME_HEADER = ("Image file", "Medium", "Museum", "Museum-based instance ID", "Subset")
"""The columns of the MAMe data set, which has a source of its own."""


def recognised(columns: Collection[str]) -> Preset | None:
    """The kind of table that has such columns, if it is a known one."""
    return next((preset for preset in PRESETS if preset.header <= set(columns)), None)


def guesses(
    preset: Preset, columns: Sequence[str], settings: SourceSettings
) -> dict[str, str | tuple[str, ...]]:
    """What a known table says of the settings that no flag gave, in the order in which they are printed.

    Raises:
        ArttlError: if the file cannot be read.
    """
    tasks = tuple(f"{task}={column}" for task, column in preset.tasks.items() if column in columns)
    there: dict[str, str | tuple[str, ...] | None] = {
        "object_number": preset.object_number,
        "image": next((image for image in preset.images if image in columns), preset.object_number),
        "tasks": tasks or None,
        "label_separator": preset.label_separator,
        "title": preset.title if preset.title in columns else None,
        "date": preset.date if preset.date in columns else None,
    }
    if settings.institution_column is None and settings.institution is None:
        there["institution"] = _institution(preset, settings)
    return {
        name: value
        for name, value in there.items()
        if value is not None and getattr(settings, name) in (None, ())
    }


def _institution(preset: Preset, settings: SourceSettings) -> str | None:
    if preset.evidence is None:
        return preset.institution
    assert settings.metadata is not None
    first = next(read_any_rows(settings.metadata, (), encoding=settings.encoding), None)
    there = first is not None and any(preset.evidence in cell for cell in first.cells.values())
    return preset.institution if there else None


@dataclass(frozen=True)
class Refinement:
    """What a known table says that no column says alone: which makers are artists, and where a span of years ends.

    Attributes:
        columns: that it needs beside those of the flags.
    """

    columns: tuple[str, ...] = ()
    _makers: Makers | None = None
    _task: str = ""
    _last_date: str | None = None
    _attributed: bool = False
    _qualifiers: Qualifiers = field(default_factory=lambda: Qualifiers("artist", attributed=False))

    @classmethod
    def of(cls, settings: SourceSettings) -> Refinement:
        """That of the file of `--metadata`; where flags name other columns than its own, nothing is refined.

        Raises:
            ArttlError: if the file cannot be read.
        """
        assert settings.metadata is not None
        columns = column_names(settings.metadata, encoding=settings.encoding)
        preset = recognised(columns)
        if preset is None:
            return cls()
        artist = preset.tasks["artist"]
        task = next((task for task, column in settings.task_columns().items() if column == artist), "")
        makers = preset.makers if task else None
        last_date = preset.last_date if settings.date == preset.date else None
        last_date = last_date if last_date in columns else None
        needed = [*(present(makers, columns) if makers else ()), *((last_date,) if last_date else ())]
        return cls(
            tuple(outermost(column, columns) for column in needed),
            makers,
            task,
            last_date,
            settings.attributed,
            Qualifiers(task, attributed=settings.attributed),
        )

    def apply(self, artwork: Artwork, row: Row) -> Artwork:
        """The artwork of a row, refined."""
        if self._last_date is not None:
            artwork = dataclasses.replace(
                artwork, date=_span(artwork.date, row.cells.get(self._last_date, ""))
            )
        if self._makers is None:
            return artwork
        makers = self._makers.read(row)
        names = artists(makers, attributed=self._attributed)
        addresses = {maker.name: maker.addresses for maker in makers if maker.addresses}
        refined = dataclasses.replace(
            artwork,
            labels={**artwork.labels, self._task: names},
            raw_labels=artwork.labels,
            attributions=attributions(makers),
            identifiers={self._task: addresses} if addresses else {},
        )
        self._qualifiers.add(refined)
        return refined

    def notes(self) -> Iterator[Note]:
        """What there is to say when all rows were read."""
        yield from map(Note, self._qualifiers.sentences())


def _span(first: str | None, last: str) -> str | None:
    """`1883-1884` from two years; dates of days as ISO 8601 writes spans, `1883-05-01/1884-02-01`."""
    last = last.strip()
    if not first or not last or first == last:
        return first or last or None
    return f"{first}-{last}" if first.isdigit() and last.isdigit() else f"{first}/{last}"
