"""Labels as catalogued to labels as learnt: Unicode NFC, trimmed blanks, case, synonyms; raw strings are kept."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from arttl.artworks import Artwork
from arttl.errors import ArttlError, did_you_mean
from arttl.records.delimited import read_columns, read_rows
from arttl.shards.rejects import Reject


def normalise(label: str, *, fold_case: bool = False) -> str:
    """Unicode NFC without blanks around it; with letter case folded if `fold_case` (Unicode 3.13, toCasefold)."""
    label = unicodedata.normalize("NFC", label).strip()
    return unicodedata.normalize("NFC", label.casefold()) if fold_case else label


class LabelRules:
    """The changes of every label: normalised, then replaced where a mapping file has it.

    Example of a mapping file; the last line makes the label unknown. The columns may also be called `found` and
    `wanted`:

        catalogued,label
        monet,Claude Monet
        onbekend,
    """

    def __init__(self, mappings: Mapping[str, Mapping[str, str]], *, fold_case: bool = False) -> None:
        """Make the rules.

        Args:
            mappings: task name to labels as catalogued and as learnt, both normalised.
            fold_case: whether labels are folded before they are looked up; those as catalogued must be folded too.
        """
        self._mappings = mappings
        self._fold_case = fold_case
        self._targets = {task: frozenset(mapping.values()) for task, mapping in mappings.items()}
        self._folded = 0
        self._replaced: dict[str, Counter[str]] = {task: Counter() for task in mappings}
        self._unmapped: dict[str, Counter[str]] = {task: Counter() for task in mappings}
        # Hashes of the distinct labels of each task, as catalogued and as learnt: all that is needed to count them.
        self._distinct: dict[str, tuple[set[int], set[int]]] = {}

    @classmethod
    def read(cls, mapping: Iterable[str], tasks: tuple[str, ...], *, fold_case: bool = False) -> LabelRules:
        """Read the files of `--mapping`.

        Args:
            mapping: entries `task=file.csv`.
            tasks: of the source.
            fold_case: whether letter case is ignored.

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
        return cls(mappings, fold_case=fold_case)

    def apply(self, artworks: Iterable[Artwork | Reject]) -> Iterator[Artwork | Reject]:
        """Artworks with their labels normalised, in the same order.

        Labels that are empty, or become so, are dropped; a task without any is dropped; a label that comes twice is
        kept once. The strings as they came go to `raw_labels`, unless the source has filled that already.
        """
        for artwork in artworks:
            if isinstance(artwork, Reject):
                yield artwork
                continue
            labels = {task: self._labels(task, strings) for task, strings in artwork.labels.items()}
            raw = artwork.raw_labels or artwork.labels
            yield dataclasses.replace(
                artwork,
                labels={task: kept for task, kept in labels.items() if kept},
                raw_labels={task: strings for task, strings in raw.items() if any(map(str.strip, strings))},
            )

    def notes(self) -> list[str]:
        """Sentences on what was done to labels: how many a rule has changed, which entries never occurred."""
        sentences = ["labels: Unicode NFC, surrounding blanks trimmed"]
        distinct = (
            f"{task} {len(raw):,}" + (f" to {len(kept):,}" if len(kept) != len(raw) else "")
            for task, (raw, kept) in self._distinct.items()
        )
        sentences.append(f"distinct labels, raw to normalised: {', '.join(distinct)}")
        if self._fold_case:
            sentences[0] += f", letter case folded ({self._folded:,} labels changed by it)"
        for task, mapping in self._mappings.items():
            replaced = self._replaced[task]
            unused = [catalogued for catalogued in mapping if catalogued not in replaced]
            more = f", {len(unused)} never found (such as {unused[0]!r})" if unused else ""
            sentences.append(
                f"mapping of {task}: {replaced.total():,} labels replaced by {len(mapping)} entries{more}"
            )
            if unmapped := self._unmapped[task]:
                label, count = unmapped.most_common(1)[0]
                sentences.append(
                    f"mapping of {task}: {unmapped.total():,} labels stay as they are ({len(unmapped):,} distinct),"
                    f" most often {label!r} ({count:,})"
                )
        return sentences

    def _labels(self, task: str, raw: tuple[str, ...]) -> tuple[str, ...]:
        mapping = self._mappings.get(task, {})
        kept: dict[str, None] = {}
        as_catalogued, as_learnt = self._distinct.setdefault(task, (set(), set()))
        for catalogued in raw:
            label = normalise(catalogued)
            if self._fold_case:
                folded = normalise(label, fold_case=True)
                self._folded += folded != label
                label = folded
            if label:
                as_catalogued.add(hash(catalogued))
            if label in mapping:
                self._replaced[task][label] += 1
                label = mapping[label]
            elif label and mapping and label not in self._targets[task]:
                self._unmapped[task][label] += 1
            if label:
                as_learnt.add(hash(label))
                kept[label] = None
        return tuple(kept)


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
