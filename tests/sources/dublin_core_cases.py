"""Dublin Core records for tests, alone and in a harvest, and what the source makes of them."""

from __future__ import annotations

from pathlib import Path

from source_cases import documented_record, only_artworks, sorted_out

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject
from arttl.sources import dublin_core
from arttl.sources.dublin_core import read_dublin_core
from arttl.sources.settings import SourceSettings

HEAD = '<r xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:o="http://www.openarchives.org/OAI/2.0/oai_dc/">'


EXAMPLE = documented_record(dublin_core, "record")
OAI_HEAD = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
OAI_END = "</ListRecords></OAI-PMH>"


def read(tmp_path: Path, text: str, **changes: object) -> list[Artwork | Reject]:
    """The artworks and rejects of a file, with a folder of images."""
    return read_all(tmp_path, text, **changes)[0]


def read_all(tmp_path: Path, text: str, **changes: object) -> tuple[list[Artwork | Reject], list[str]]:
    """The same, and the sentences of the remarks."""
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "dump.xml").write_text(text, encoding="utf-8")
    values = {"metadata": tmp_path / "dump.xml", "images": tmp_path / "images", **changes}
    return sorted_out(read_dublin_core(SourceSettings(source="dublin-core", **values)))  # type: ignore[arg-type]


def read_dry(tmp_path: Path, text: str, **changes: object) -> tuple[list[Artwork], list[str]]:
    """The artworks of a dry run, of which none is rejected."""
    return only_artworks(read_all(tmp_path, text, images=None, dry_run=True, **changes))


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
