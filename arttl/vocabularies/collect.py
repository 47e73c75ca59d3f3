"""Identifiers that shards carry from the data: which addresses came with each label, how often, and which conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from arttl.characters import same_text
from arttl.documents import parse_json
from arttl.errors import ArttlError, counted
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.vocabularies.concepts import Concept, is_address, scheme_of
from arttl.vocabularies.table import COLUMNS, table_row

_MOST_PAIRS = 2_000_000  # of a label and an address, some 200 bytes of memory each
_EXAMPLES = 3


@dataclass(frozen=True)
class _SampleLabels:
    """What a sample's JSON says of its labels; see `arttl.packing.samples`."""

    labels: dict[str, list[str]] = field(default_factory=dict)
    raw_labels: dict[str, list[str]] = field(default_factory=dict)
    identifiers: dict[str, dict[str, list[str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelWithConcepts:
    """A label, and the concepts that came with it.

    Attributes:
        task: of the label.
        label: as it is learnt.
        samples: that have the label.
        concepts: each with the number of samples that it came with, the most frequent first.
    """

    task: str
    label: str
    samples: int
    concepts: tuple[tuple[Concept, int], ...]

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The schemes of which the label has more than one concept."""
        schemes = Counter(concept.scheme for concept, _ in self.concepts)
        return tuple(scheme for scheme, count in schemes.items() if count > 1)


class Collected:
    """The labels and identifiers of folders of shards.

    Attributes:
        samples: that were read.
        unpaired: identifiers of values that are none of the sample's labels, since a rule of labels has changed or
            dropped them.
        not_addresses: identifiers that are no addresses.
    """

    def __init__(self, tasks: Collection[str] = ()) -> None:
        """Begin with nothing.

        Args:
            tasks: that are read; none: all.
        """
        self.samples = 0
        self.unpaired = 0
        self.not_addresses: Counter[str] = Counter()
        self._tasks = frozenset(tasks)
        self._labels: Counter[tuple[str, str]] = Counter()
        # Task, label and key of the concept, to its addresses as they are written, with counts.
        self._addresses: dict[tuple[str, str, tuple[str, str]], Counter[str]] = {}

    def add(self, manifest: Manifest) -> Iterator[None]:
        """Read the samples of a folder, a step per sample.

        Raises:
            ArttlError: if a sample's JSON cannot be read, or there are more than 2,000,000 pairs.
        """
        rows = ShardRows(manifest)
        for row in range(len(manifest)):
            members = rows.members(row)
            where = f"{members.key}.json in {members.tar}"
            self._add_sample(parse_json(members.read_json(), _SampleLabels, where, surplus=True))
            if len(self._addresses) > _MOST_PAIRS:
                raise ArttlError(
                    f"{manifest.directory} has more than {_MOST_PAIRS:,} pairs of a label and an address; give fewer"
                    " --tasks"
                )
            yield

    def _add_sample(self, sample: _SampleLabels) -> None:
        self.samples += 1
        for task, labels in sample.labels.items():
            if not self._tasks or task in self._tasks:
                self._labels.update((task, label) for label in dict.fromkeys(labels))
        for task, of_values in sample.identifiers.items():
            if self._tasks and task not in self._tasks:
                continue
            labels, raw = sample.labels.get(task, []), sample.raw_labels.get(task, [])
            for value, addresses in of_values.items():
                label = _label_of(value, labels, raw)
                if label is None:
                    self.unpaired += len(addresses)
                    continue
                for address in dict.fromkeys(map(str.strip, addresses)):
                    self._add_address(task, label, address)

    def _add_address(self, task: str, label: str, address: str) -> None:
        if not is_address(address):
            self.not_addresses[address[:100]] += 1
            return
        key = task, label, Concept(address, scheme_of(address)).key
        self._addresses.setdefault(key, Counter())[address] += 1

    def labels(self) -> Iterator[LabelWithConcepts]:
        """Every label, by task, the most frequent first."""
        concepts: dict[tuple[str, str], list[tuple[Concept, int]]] = {}
        for (task, label, _), spellings in self._addresses.items():
            uri = min(spellings, key=lambda address: (-spellings[address], address))
            concept = Concept(uri, scheme_of(uri))
            concepts.setdefault((task, label), []).append((concept, spellings.total()))
        for task, label in sorted(self._labels, key=lambda each: (each[0], -self._labels[each], each[1])):
            known = sorted(concepts.get((task, label), ()), key=lambda each: (-each[1], each[0].uri))
            yield LabelWithConcepts(task, label, self._labels[task, label], tuple(known))

    def sentences(self) -> Iterator[str]:
        """What was not taken."""
        if self.unpaired:
            yield (
                f"{counted(self.unpaired, 'identifier is', 'identifiers are')} of values that are no label any more,"
                " since a rule of labels has changed or dropped them: left out"
            )
        if self.not_addresses:
            examples = ", ".join(repr(text) for text, _ in self.not_addresses.most_common(_EXAMPLES))
            total = self.not_addresses.total()
            yield f"{counted(total, 'identifier is no address', 'identifiers are no addresses')}: left out ({examples})"


def _label_of(value: str, labels: list[str], raw: list[str]) -> str | None:
    """The label that a value as catalogued became; None where that is not certain.

    It is certain where the two are spelled alike but for blanks and letter case, and where the sample has this one
    value and one label.
    """
    if value in labels:
        return value
    alike = [label for label in labels if same_text(label) == same_text(value)]
    if len(alike) == 1:
        return alike[0]
    is_only_one = len(labels) == len(raw) == 1 and same_text(raw[0]) == same_text(value)
    return labels[0] if is_only_one else None


REVIEW_COLUMNS = (*COLUMNS, "samples", "remark")
"""Of the table that a person reviews: `COLUMNS`, the number of samples, and what is to be decided."""


def review_rows(labels: Iterator[LabelWithConcepts], conflicts: Counter[str]) -> Iterator[tuple[str, ...]]:
    """Cells for `REVIEW_COLUMNS`: a row per label and concept, and one for a label without any.

    Args:
        labels: of all tasks.
        conflicts: scheme to labels with several concepts of it, counted while the rows are made.
    """
    for each in labels:
        conflicts.update(each.conflicts)
        for concept, samples in each.concepts:
            several = sum(concept.scheme == other.scheme for other, _ in each.concepts)
            remark = f"one of {several} concepts of {concept.scheme}: keep one" if several > 1 else ""
            yield (*table_row(each.task, each.label, concept), str(samples), remark)
        if not each.concepts:
            yield (*table_row(each.task, each.label), str(each.samples), "no identifier in the data")


def counts_by_task(labels: Iterator[LabelWithConcepts]) -> Mapping[str, Counter[str]]:
    """Task name to the number of labels, of those with an identifier, and of those with a conflict."""
    counts: dict[str, Counter[str]] = {}
    for each in labels:
        count = counts.setdefault(each.task, Counter())
        count.update(labels=1, identified=bool(each.concepts), conflicts=bool(each.conflicts))
    return counts
