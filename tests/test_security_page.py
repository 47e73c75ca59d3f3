"""The limits that docs/security.md states are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from arttl import documents, pages
from arttl.decisions import decision, opening
from arttl.decisions import file as decision_file
from arttl.exchange import doubts, predictions
from arttl.fetching import pace
from arttl.fetching.iiif import IiifSettings
from arttl.keras_files import child, weights
from arttl.models import hub
from arttl.picture_headers import png
from arttl.pictures import jpeg, tiff
from arttl.pictures.decoding import DEFAULT_MAX_PIXELS
from arttl.records import delimited, rijks_ground_truth, structured, tar_members, xml_records
from arttl.review import reading, requests, security
from arttl.shards import parquet, parquet_batches, parquet_pages

MIB = 2**20


def test_the_limits_of_the_page() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.partition("## Limits\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line[:1] == "|"
    ]
    stated = {what: limit for what, limit, _ in rows[2:]}
    of_code = {
        "pixels of a picture": f"{DEFAULT_MAX_PIXELS:,}",
        "pixels of a JPEG in shards that are loaded": f"{DEFAULT_MAX_PIXELS:,}",
        "scans of a JPEG": str(jpeg.MOST_SCANS),
        "directories of a TIFF": str(tiff._MOST_DIRECTORIES),
        "chunks of a PNG": f"{png._MOST_CHUNKS:,}",
        "characters of a cell": f"{delimited._LONGEST_CELL:,}",
        "bytes of a line of JSON": f"{structured._LONGEST_LINE // MIB} MiB",
        "bytes of a JSON document": f"{documents.LARGEST // MIB} MiB",
        "values and levels of a line or document of JSON": (
            f"{documents.MOST_VALUES:,} values, {documents.DEEPEST} levels"
        ),
        "bytes of an XML record": f"{xml_records._MOST_CHARACTERS // MIB} MiB",
        "levels of an XML document": str(xml_records._DEEPEST),
        "bytes of a table of identifiers, decisions or targets": f"{documents.LARGEST // MIB} MiB",
        "bytes of a row of suggestions that are converted or reported": f"{predictions._LONGEST_ROW // MIB} MiB",
        "pictures of one page of `arttl report`; characters of a text on it": (
            f"{pages.MOST_CARDS:,}; {pages._LONGEST}"
        ),
        "rows and tasks of `audit.parquet`, and its bytes in memory": (
            f"{doubts._MOST_ROWS:,} rows, {doubts._MOST_TASKS} tasks, {doubts._MOST_BYTES // MIB} MiB"
        ),
        "rows of suggestions that are reviewed": f"{reading.MOST_ROWS:,}",
        "characters of a text, and labels of a task, in a row that is reviewed": (
            f"{decision.LONGEST_TEXT:,} characters, {decision.MOST_LABELS} labels"
        ),
        "bytes of a cell of a file of decisions": f"{opening.LONGEST_CELL // MIB} MiB",
        "decisions about one task of one object": f"{decision_file.MOST_ROWS_OF_A_SUBJECT:,}",
        "bytes of a request to `arttl review`": f"{security.LARGEST_BODY // MIB} MiB",
        "decisions, and rows, of a request to it": (
            f"{requests.MOST_DECISIONS} decisions, {requests.MOST_ROWS} rows"
        ),
        "bytes of an extended tar header": f"{tar_members._LONGEST_EXTENSION // MIB} MiB",
        "memory of the process that reads `rijksgt.mat`": (
            f"{rijks_ground_truth._MEMORY // MIB} MiB and {rijks_ground_truth._MEMORY_PER_BYTE:,} bytes per byte of the"
            f" file, up to {rijks_ground_truth._MOST_MEMORY >> 30} GiB"
        ),
        "processor time of that process": (
            f"{rijks_ground_truth._SECONDS} s, and {rijks_ground_truth._SECONDS_PER_MIB} s per MiB of the file"
        ),
        "rows of `manifest.parquet`": f"{parquet.MOST_ROWS:,}",
        "bytes per row of `manifest.parquet`, in memory": (
            f"{parquet.BYTES_PER_ROW:,}, and {parquet._BYTES_BESIDE // MIB} MiB"
        ),
        "bytes of a page of a Parquet file, decompressed": (
            f"{parquet_pages.LARGEST_PAGE // MIB} MiB; the largest of each column together"
            f" {parquet_batches.MOST_OF_PAGES // MIB} MiB"
        ),
        "bytes of a row of a Parquet file, in memory": f"{parquet_batches.MOST_OF_A_ROW // MIB} MiB",
        "bytes of a `dataset.json` at an address": f"{documents.LARGEST // MIB} MiB",
        "memory and time of the process that reads the structure of a file of Keras": (
            f"{child.MEMORY // MIB} MiB, {weights.SECONDS} s of the processor"
        ),
        "time per MiB of a shard at an address, or of `arttl fetch rijks2014`": f"{pace.SECONDS_PER_MIB:g} s",
        "bytes of a safetensors file at the Hugging Face Hub": f"{hub.LARGEST_TENSORS >> 30} GiB",
        "bytes of a picture from a IIIF server": f"{IiifSettings(addresses=('x',), out=Path('x')).most_mib} MiB",
    }
    assert {what: stated[what] for what in of_code} == of_code
    assert len(stated) == len(rows) - 2
    for flag in re.findall(r"`(--[a-z-]+)`", section):
        assert flag in ("--max-pixels", "--most-mib", "--paged")
