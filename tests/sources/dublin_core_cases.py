"""Dublin Core records for tests, alone and in a harvest, and what the source makes of them."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject
from arttl.sources import dublin_core
from arttl.sources.dublin_core import read_dublin_core
from arttl.sources.remarks import Note, PassedOver, Remarks
from arttl.sources.settings import SourceSettings

HEAD = '<r xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:o="http://www.openarchives.org/OAI/2.0/oai_dc/">'


def example() -> str:
    """The record in the module's docstring."""
    text = inspect.cleandoc(dublin_core.__doc__ or "")
    start = text.index("    <record")
    return textwrap.dedent(text[start : text.index("    </record>") + len("    </record>")])


def read(tmp_path: Path, text: str, **changes: object) -> list[Artwork | Reject]:
    """The artworks and rejects of a file, with a folder of images."""
    return read_all(tmp_path, text, **changes)[0]


def read_all(tmp_path: Path, text: str, **changes: object) -> tuple[list[Artwork | Reject], list[str]]:
    """The same, and the sentences of the remarks."""
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "dump.xml").write_text(text, encoding="utf-8")
    values = {"metadata": tmp_path / "dump.xml", "images": tmp_path / "images", **changes}
    return sorted_out(SourceSettings(source="dublin-core", **values))  # type: ignore[arg-type]


def sorted_out(settings: SourceSettings) -> tuple[list[Artwork | Reject], list[str]]:
    """What the source yields: artworks and rejects, and the sentences of the remarks."""
    rows: list[Artwork | Reject] = []
    remarks = Remarks()
    for item in read_dublin_core(settings):
        if isinstance(item, Note | PassedOver):
            remarks.add(item)
        else:
            rows.append(item)
    return rows, remarks.sentences()


def read_dry(tmp_path: Path, text: str, **changes: object) -> tuple[list[Artwork], list[str]]:
    """The artworks of a dry run, of which none is rejected."""
    rows, sentences = read_all(tmp_path, text, images=None, dry_run=True, **changes)
    assert all(isinstance(row, Artwork) for row in rows)
    return [row for row in rows if isinstance(row, Artwork)], sentences


OAI_HEAD = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
OAI_END = "</ListRecords></OAI-PMH>"


def harvested(number: str, date: str, kind: str = "", *, extra: str = "") -> str:
    """A record of a harvest, a deleted one without a kind of object."""
    status = "" if kind else ' status="deleted"'
    namespaces = HEAD[3:-1]
    metadata = (
        f"<metadata><o:dc {namespaces}><dc:identifier>{number}</dc:identifier><dc:type>{kind}</dc:type></o:dc>"
        f"</metadata>{extra}"
    )
    return (
        f"<record><header{status}><identifier>oai:m:{number}</identifier><datestamp>{date}</datestamp></header>"
        f"{metadata if kind else ''}</record>"
    )
