"""JSON documents of metadata, in files or folders of files, within fixed limits.

A file holds one document, a list of documents, or one document per line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arttl.documents import LARGEST
from arttl.errors import ArttlError
from arttl.records.json_values import json_value
from arttl.records.kinds import contents
from arttl.records.reading import metadata_files, read_bytes, readable

JSON_SUFFIXES = (".json", ".jsonld", ".jsonl", ".ndjson", ".jsonlines")
_LINES = (".jsonl", ".ndjson", ".jsonlines")


def read_documents(path: Path, flag: str = "--metadata") -> Iterator[tuple[str, Any]]:
    """The JSON documents of a file, or of a folder's files, sorted by path.

    Args:
        path: the file or folder.
        flag: the one that named it.

    Yields:
        Where the document is, for messages (`record 3 of a.json`), and the document.

    Raises:
        ArttlError: if a file is missing, has more than 64 MiB in one document, or is not JSON in UTF-8.
    """
    for file in metadata_files(path, JSON_SUFFIXES, flag):
        if file.suffix.lower() in _LINES:
            yield from _documents_of_lines(file, flag)
            continue
        document = read_document(file, flag)
        if isinstance(document, list):
            for index, entry in enumerate(document, start=1):
                yield f"record {index} of {file.name}", entry
        else:
            yield file.name, document


def read_document(file: Path, flag: str = "--metadata") -> Any:
    """The one JSON document of a file.

    Raises:
        ArttlError: if the file is missing, has more than 64 MiB, or is not JSON in UTF-8.
    """
    data = read_bytes(file, flag, LARGEST + 1)
    start = data[:1024].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if start and not start.startswith((b"{", b"[")):
        raise ArttlError(f"{file} is not JSON but {contents(file)}")
    return parse_document(data, str(file))


def parse_document(data: bytes, where: str) -> Any:
    """A JSON document from its bytes.

    Args:
        data: UTF-8, with or without a byte order mark.
        where: it is, for messages.

    Raises:
        ArttlError: if it has more than 64 MiB, or is not JSON.
    """
    if len(data) > LARGEST:
        raise ArttlError(f"{where} has more than 64 MiB in one JSON document")
    try:
        return json_value(data)
    except ValueError as error:
        raise ArttlError(f"{where} {error}") from error


def _documents_of_lines(file: Path, flag: str) -> Iterator[tuple[str, Any]]:
    with readable(file, flag), file.open("rb") as opened:
        number = 0
        while line := opened.readline(LARGEST + 1):
            number += 1
            if line.strip():
                where = f"line {number} of {file.name}"
                yield where, parse_document(line, f"line {number} of {file}")
