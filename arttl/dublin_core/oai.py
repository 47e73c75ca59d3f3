"""Records harvested over OAI-PMH 2.0: which of those with one identifier is in force, and which are deleted.

A harvest gives a record again when it has changed, and marks the deleted ones (OAI-PMH 2.0, 2.5.1 and 2.7.1). The
latest is the one with the latest datestamp, of equal ones that of the later file (by its `responseDate`), of one file
the last.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from lxml import etree
from lxml.etree import _Element as Element

from arttl.records.reading import readable
from arttl.records.xml_documents import split_documents
from arttl.records.xml_records import child_of, read_records, words

OAI = "{http://www.openarchives.org/OAI/2.0/}"
RECORD = OAI + "record"
_HEADER, _RESPONSE_DATE, _TOKEN = OAI + "header", OAI + "responseDate", OAI + "resumptionToken"
_METADATA, _IDENTIFIER, _DATESTAMP = OAI + "metadata", OAI + "identifier", OAI + "datestamp"
_NO_PAYLOAD = (_HEADER, OAI + "about")

# What a record is to a harvest.
State = Literal["in force", "replaced", "deleted later", "deleted", "another format"]
_STATES: tuple[State, ...] = ("in force", "replaced", "deleted later", "deleted", "another format")

_CHUNK = 64 * 1024
_MOST_BEFORE = 2**20  # bytes before the first record; a response begins with some hundred
_MOST_BETWEEN = 8 * 2**20  # bytes between the ends of two records
_LONGEST_DATE = 20  # characters
_DIGITS = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?")


def payload(record: Element) -> Element | None:
    """The metadata of an OAI-PMH record, without its header and what is said about it."""
    metadata = child_of(record, _METADATA)
    for child in record if metadata is None else metadata:
        if child.tag not in _NO_PAYLOAD:
            return child
    return None


def identifier_of(record: Element) -> str:
    """The identifier in the record's header; empty where it has none."""
    for header in record.iterchildren(_HEADER):
        if (identifier := child_of(header, _IDENTIFIER)) is not None:
            return words(identifier)
    return ""


class Harvest:
    """The files of a harvest, read once before they are read for their records.

    Per record 33 bytes are kept. Files that are no harvest cost one pass of the parser over their first MiB.

    Attributes:
        files: in the order in which they were harvested, those without a date first, by name.
        is_broken_off: whether every page says that another one follows (OAI-PMH 2.0, 3.5, resumptionToken).
    """

    def __init__(self, files: list[Path], is_of_format: Callable[[Element], bool]) -> None:
        """Read the headers of all records.

        Args:
            files: to be read.
            is_of_format: whether a record that is not deleted has metadata of the format that is read; records in
                other formats replace nothing.

        Raises:
            ArttlError: if a file cannot be read. What is not well-formed is left to the reading of the records.
        """
        records = _Headers()
        dates, counts = [], []
        for file in files:
            before = len(records.stamps)
            with readable(file, "--metadata"):
                date = _read_headers(file, records, is_of_format)
            dates.append(date or max(records.stamps[before:], default=0))
            counts.append(len(records.stamps) - before)
        self.is_broken_off = 0 < records.pages == records.pages_with_next
        order = sorted(range(len(files)), key=lambda index: (dates[index], index))
        self.files = [files[index] for index in order]
        ends = np.cumsum([0, *counts])
        spans = [np.arange(ends[index], ends[index + 1]) for index in order]
        self._starts = np.cumsum([0, *map(len, spans)]).tolist()
        rows = np.concatenate([*spans, np.zeros(0, dtype=np.int64)]).astype(np.int64)
        self._states = records.states(rows).tobytes()

    def records(self, index: int, names: Collection[str]) -> Iterator[tuple[Element, State]]:
        """The records of `files[index]`, and what each is to the harvest.

        Args:
            index: of the file.
            names: of elements that are records, see `read_records`; those without a header are always in force.

        Raises:
            ArttlError: see `read_records`.
        """
        row, end = self._starts[index], self._starts[index + 1]
        for record in read_records(self.files[index], names):
            if record.tag == RECORD and row < end:
                state, row = _STATES[self._states[row]], row + 1
            else:
                state = "deleted" if _is_deleted(record) else "in force"
            yield record, state


BROKEN_OFF = (
    "every page of the harvest ends with a resumption token, so that the last pages are missing: resume the harvest"
    " from the last of them"
)


class _Headers:
    """What is kept of each record: a hash of its identifier, its datestamp, and its kind."""

    def __init__(self) -> None:
        self.hashes = array("Q")  # two for each record
        self.stamps = array("q")
        self.kinds = array("B")  # the index of a state: in force, deleted or another format
        self.pages = self.pages_with_next = 0

    def add(self, identifier: str, stamp: int, state: State) -> None:
        # A record without an identifier is its own.
        name = identifier or f"\0{len(self.stamps)}"
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.hashes.frombytes(digest)
        self.stamps.append(stamp)
        self.kinds.append(_STATES.index(state))

    def states(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The index of each record's state, in the order of `rows`, which is that of the harvest."""
        kinds = np.asarray(self.kinds, dtype=np.uint8)[rows]
        hashes = np.asarray(self.hashes, dtype=np.uint64).reshape(-1, 2)[rows]
        stamps = np.asarray(self.stamps, dtype=np.int64)[rows]
        own = np.flatnonzero(kinds != _STATES.index("another format"))
        order = own[np.lexsort((own, stamps[own], hashes[own, 1], hashes[own, 0]))]
        sorted_hashes = hashes[order]
        is_last = np.ones(len(order), dtype=bool)
        is_last[:-1] = (sorted_hashes[1:] != sorted_hashes[:-1]).any(axis=1)
        # The last record of each identifier, for every record of it.
        last = order[np.flatnonzero(is_last)[np.cumsum(is_last) - is_last]]
        is_deleted = kinds == _STATES.index("deleted")
        earlier = ~is_last & ~is_deleted[order]
        kinds[order[earlier & is_deleted[last]]] = _STATES.index("deleted later")
        kinds[order[earlier & ~is_deleted[last]]] = _STATES.index("replaced")
        return kinds


def _read_headers(path: Path, records: _Headers, is_of_format: Callable[[Element], bool]) -> int:
    """Add the records of a file, and return its date; the parser looks for their ends alone, which is fast."""
    date = 0
    with path.open("rb") as file:
        for document in split_documents(iter(lambda: file.read(_CHUNK), b"")):
            records.pages += 1
            for element in _ends(document):
                if element.tag == _TOKEN:
                    records.pages_with_next += bool(words(element))
                    continue
                if element.tag == _RESPONSE_DATE:
                    date = date or _stamp(words(element)[:_LONGEST_DATE])
                    continue
                header = child_of(element, _HEADER)
                datestamp = None if header is None else child_of(header, _DATESTAMP)
                stamp = _stamp(words(datestamp)[:_LONGEST_DATE])
                state: State = "in force"
                if header is not None and _is_marked_deleted(header):
                    state = "deleted"
                elif not is_of_format(element):
                    state = "another format"
                records.add(identifier_of(element), stamp, state)
    return date


def _ends(document: Iterator[bytes]) -> Iterator[Element]:
    parser = etree.XMLPullParser(
        ("end",),
        tag=(RECORD, _RESPONSE_DATE, _TOKEN),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        collect_ids=False,
        remove_comments=True,
        remove_pis=True,
    )
    passed, most = 0, _MOST_BEFORE
    outside: Element | None = None  # what the last element was in, which is in no record
    for chunk in document:
        try:
            parser.feed(chunk)
            damaged = False
        except etree.XMLSyntaxError:
            damaged = True  # reported when the records are read
        passed += len(chunk)
        last: Element | None = None
        for _, element in parser.read_events():
            around = element.getparent()
            if around is None or around is not outside:
                if next(element.iterancestors(RECORD), None) is not None:
                    continue  # part of another
                _forget(last)
                outside = around
            if element.tag == RECORD:
                passed, most = 0, _MOST_BETWEEN
            yield element
            last = element
        _forget(last)
        if damaged or passed > most:
            break
    for _ in document:  # the next document begins behind this one
        pass


def _forget(element: Element | None) -> None:
    """Delete what is in an element that has ended, and all beside it that ended before."""
    if element is not None:
        element.clear()
        around = element.getparent()
        if around is not None:
            del around[: around.index(element)]


def _is_deleted(record: Element) -> bool:
    header = child_of(record, _HEADER)
    return header is not None and _is_marked_deleted(header)


def _is_marked_deleted(header: Element) -> bool:
    return header.get("status", "").strip().casefold() == "deleted"


@lru_cache(maxsize=1024)
def _stamp(text: str) -> int:
    """Digits of a date of OAI-PMH, which sort as dates do: 20200202122100; 0 for any other text."""
    match = _DIGITS.match(text)
    return int("".join((part or "00") for part in match.groups())) if match else 0
