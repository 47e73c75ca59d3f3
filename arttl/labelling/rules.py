"""Labels as catalogued to labels as learnt: one spelling of blanks and letters, synonyms; raw strings are kept."""

from __future__ import annotations

import dataclasses
import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from arttl.artworks import Artwork
from arttl.characters import plain_text, same_text
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.labelling.unknown import unknown_key
from arttl.records.delimited import read_columns, read_rows
from arttl.shards.rejects import Reject

_MOST_DISTINCT = 200_000  # labels of a task that are told apart, so that memory stays bounded
_MOST_UNCHANGED = 20_000  # of a task, that are looked up rather than normalised again
_COMPARED = 20_000  # entries of a mapping that a label without one is compared with
_EXAMPLES = 3
_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")  # C1: letters or quotation marks in Windows-1252 and Mac Roman


def normalise(label: str, *, fold_case: bool = False) -> str:
    """As `plain_text` makes it; with letter case folded if `fold_case` (Unicode 3.13, toCasefold)."""
    return same_text(label) if fold_case else plain_text(label)


class _Tally:
    """How often each of many texts came; of more than 200,000 different ones only the first are told apart.

    Attributes:
        counts: of those that are told apart.
        total: of all.
        complete: whether these are all.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.total = 0
        self.complete = True

    def add(self, text: str) -> None:
        """Count a text."""
        self.total += 1
        if text in self.counts or len(self.counts) < _MOST_DISTINCT:
            self.counts[text] += 1
        else:
            self.complete = False

    @property
    def distinct(self) -> str:
        """How many different ones there are, as far as that is known."""
        return _at_least(len(self.counts), self.complete)


class _Distinct:
    """How many different texts there are, of which only hashes are kept, at most 200,000."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._complete = True

    def add(self, text: str) -> None:
        if len(self._hashes) < _MOST_DISTINCT:
            self._hashes.add(hash(text))
        elif hash(text) not in self._hashes:
            self._complete = False

    def __str__(self) -> str:
        return _at_least(len(self._hashes), self._complete)


def _at_least(count: int, complete: bool) -> str:
    return f"{count:,}" if complete else f"more than {count:,}"


class LabelRules:
    """The changes of every label: normalised, made unknown where it means that, replaced where a mapping file has it.

    Example of a mapping file; the last line makes the label unknown. The columns may also be called `found` and
    `wanted`:

        catalogued,label
        monet,Claude Monet
        onbekend,
    """

    def __init__(
        self,
        mappings: Mapping[str, Mapping[str, str]],
        *,
        fold_case: bool = False,
        unknown: Iterable[str] = (),
    ) -> None:
        """Make the rules.

        Args:
            mappings: task name to labels as catalogued and as learnt, both normalised.
            fold_case: whether labels are folded before they are looked up; those as catalogued must be folded too.
            unknown: labels that mean that nothing is known, in any letter case.
        """
        self._mappings = mappings
        self._fold_case = fold_case
        self._targets = {task: frozenset(mapping.values()) for task, mapping in mappings.items()}
        self._folded = 0
        self._tidied = 0
        self._tidied_example = ""
        self._misread = 0
        self._misread_example = ""
        self._unknown = {unknown_key(label): label for label in unknown}
        self._made_unknown: dict[str, Counter[str]] = {}
        self._replaced: dict[str, Counter[str]] = {task: Counter() for task in mappings}
        self._unmapped: dict[str, _Tally] = {task: _Tally() for task in mappings}
        # Of each task some labels that stay as they are and are counted already, since labels come again and again.
        self._unchanged: dict[str, set[str]] = {}
        # The distinct labels of each task, as catalogued and as learnt.
        self._distinct: dict[str, tuple[_Distinct, _Distinct]] = {}

    @classmethod
    def read(
        cls,
        mapping: Iterable[str],
        tasks: tuple[str, ...],
        *,
        fold_case: bool = False,
        unknown: Iterable[str] = (),
    ) -> LabelRules:
        """Read the files of `--mapping`.

        Args:
            mapping: entries `task=file.csv`.
            tasks: of the source.
            fold_case: whether letter case is ignored.
            unknown: labels that mean that nothing is known.

        Raises:
            ArttlError: for a malformed entry, an unknown task, or a file that is not a mapping.
        """
        mappings: dict[str, dict[str, str]] = {}
        for entry in mapping:
            task, equals, file = entry.partition("=")
            if not equals or not file:
                raise ArttlError(f"--mapping {entry!r} is not of the form task=file.csv")
            if task not in tasks:
                raise ArttlError(
                    f"--mapping {entry!r}: there is no task {task!r}{did_you_mean(task, tasks)}; there are:"
                    f" {', '.join(tasks)}"
                )
            if task in mappings:
                raise ArttlError(f"--mapping gives the task {task!r} two files; join them into one")
            mappings[task] = _read_mapping(Path(file), fold_case)
        return cls(mappings, fold_case=fold_case, unknown=unknown)

    def apply(self, artworks: Iterable[Artwork | Reject]) -> Iterator[Artwork | Reject]:
        """Artworks with their labels normalised, in the same order.

        Labels that are empty, or become so, are dropped; a task without any is dropped; a label that comes twice is
        kept once. The strings as they came go to `raw_labels`, unless the source has filled that already.
        """
        for artwork in artworks:
            if isinstance(artwork, Reject):
                yield artwork
                continue
            labels = {
                task: kept
                for task, strings in artwork.labels.items()
                if (kept := self._labels(task, strings))
            }
            raw = artwork.raw_labels or artwork.labels
            raw = {task: strings for task, strings in raw.items() if any(map(str.strip, strings))}
            if labels == artwork.labels and raw == artwork.raw_labels:
                yield artwork  # as is usual; a copy takes longer than to look
            else:
                yield dataclasses.replace(artwork, labels=labels, raw_labels=raw)

    def notes(self) -> list[str]:
        """Sentences on what was done to labels: how many a rule has changed, which entries never occurred."""
        sentences = ["labels: Unicode NFC, blanks trimmed, invisible characters left out"]
        distinct = (
            f"{task} {raw}" + (f" to {kept}" if str(kept) != str(raw) else "")
            for task, (raw, kept) in self._distinct.items()
        )
        sentences.append(f"distinct labels, raw to normalised: {', '.join(distinct)}")
        if self._fold_case:
            sentences[0] += f", letter case folded ({counted(self._folded, 'label')} changed by it)"
        if self._tidied:
            sentences.append(
                f"blanks other than single spaces, or invisible characters, were within"
                f" {counted(self._tidied, 'label')} (such as {self._tidied_example!a})"
            )
        if self._misread:
            sentences.append(
                f"control characters were left out of {counted(self._misread, 'label')} (such as"
                f" {self._misread_example!a}), as text has that was read in another encoding than its own; try"
                " --encoding cp1252 or mac-roman"
            )
        sentences += self._notes_on_unknown()
        for task, mapping in self._mappings.items():
            replaced = self._replaced[task]
            unused = [catalogued for catalogued in mapping if catalogued not in replaced]
            more = f", {len(unused):,} never found (such as {unused[0]!r})" if unused else ""
            sentences.append(
                f"mapping of {task}: {counted(replaced.total(), 'label')} replaced by"
                f" {counted(len(mapping), 'entry', 'entries')}{more}"
            )
            if (unmapped := self._unmapped[task]).total:
                common = (
                    _beside(label, count, mapping) for label, count in unmapped.counts.most_common(_EXAMPLES)
                )
                sentences.append(
                    f"mapping of {task}: {counted(unmapped.total, 'label stays as it is', 'labels stay as they are')}"
                    f" ({unmapped.distinct} distinct), most often {', '.join(common)}"
                )
        return sentences

    def _notes_on_unknown(self) -> list[str]:
        sentences = []
        for task, counts in self._made_unknown.items():
            listed = ", ".join(f"{self._unknown[key]!r} {count:,}" for key, count in counts.most_common())
            sentences.append(
                f"--unknown: {counted(counts.total(), f'label of {task} is', f'labels of {task} are')} unknown"
                f" ({listed})"
            )
        unused = [
            label
            for key, label in self._unknown.items()
            if not any(key in of for of in self._made_unknown.values())
        ]
        if unused:
            sentences.append(f"--unknown: {', '.join(map(repr, unused))} never occurred")
        return sentences

    def _labels(self, task: str, raw: tuple[str, ...]) -> tuple[str, ...]:
        mapping = self._mappings.get(task, {})
        kept: dict[str, None] = {}
        as_catalogued, as_learnt = self._distinct.setdefault(task, (_Distinct(), _Distinct()))
        unchanged = self._unchanged.setdefault(task, set())
        for catalogued in raw:
            if catalogued in unchanged:
                kept[catalogued] = None
                continue
            label = self._normalised(catalogued)
            if not label:
                continue
            as_catalogued.add(catalogued)
            if self._unknown and (key := unknown_key(label)) in self._unknown:
                self._made_unknown.setdefault(task, Counter())[key] += 1
                continue
            if label in mapping:
                self._replaced[task][label] += 1
                label = mapping[label]
            elif mapping and label not in self._targets[task]:
                self._unmapped[task].add(label)
            if label:
                as_learnt.add(label)
                kept[label] = None
                if label == catalogued and not mapping and len(unchanged) < _MOST_UNCHANGED:
                    unchanged.add(label)
        return tuple(kept)

    def _normalised(self, catalogued: str) -> str:
        label = plain_text(catalogued)
        if label != catalogued and label != unicodedata.normalize("NFC", catalogued).strip():
            if _CONTROLS.search(catalogued):
                self._misread += 1
                self._misread_example = self._misread_example or catalogued
            else:
                self._tidied += 1
                self._tidied_example = self._tidied_example or catalogued
        if self._fold_case:
            folded = same_text(label)
            self._folded += folded != label
            label = folded
        return label


def _beside(label: str, count: int, mapping: Collection[str]) -> str:
    """A label that a mapping lacks, its count, and the entry that is most like it."""
    entries = [entry for entry, _ in zip(mapping, range(_COMPARED), strict=False)]
    close = difflib.get_close_matches(label, entries, n=1, cutoff=0.75)
    return f"{label!r} ({count:,}{f'; the closest entry is {close[0]!r}' if close else ''})"


def _read_mapping(path: Path, fold_case: bool) -> dict[str, str]:
    mapping: dict[str, str] = {}
    from_column, to_column = "catalogued", "label"
    if "found" in read_columns(path, flag="--mapping"):
        from_column, to_column = "found", "wanted"
    columns = [("--mapping", from_column), ("--mapping", to_column)]
    for row in read_rows(path, columns, flag="--mapping"):
        if row.problem:
            raise ArttlError(f"{row.location} of {path}: {row.problem}")
        catalogued = normalise(row.cells[from_column], fold_case=fold_case)
        label = normalise(row.cells[to_column])
        if mapping.setdefault(catalogued, label) != label:
            raise ArttlError(f"{row.location} of {path} maps {catalogued!r} a second time, to another label")
    return mapping
