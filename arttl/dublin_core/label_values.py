"""The values of a record's elements as labels of a task, and what there is to say about those that are none.

Shared by the sources whose records are flat lists of elements in several languages, some of them web addresses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from arttl.dublin_core.format_values import Kind, format_kind
from arttl.errors import counted
from arttl.records.xml_records import XML_LANG, in_language, inherited_language

_ADDRESS = re.compile(r"(?:https?|ftp)://\S+\Z", re.IGNORECASE)
_LEFT_OUT: dict[Kind, str] = {
    "plain": "without a prefix beside one that has it",
    "technique": "techniques",
    "size": "sizes",
    "file format": "formats of files",
    "size and more": "with a size in them",
    "other prefix": "with another prefix",
    "material": "materials",
    "empty": "empty",
}
_LONGEST_EXAMPLE = 60
_MOST_COUNTS = 200


class Value(NamedTuple):
    """A value of a record's element.

    Attributes:
        element: that has it, for its language.
        text: the label; empty for a value that is an address which nothing in the record names.
        addresses: in vocabularies, its own first.
        in_vocabulary: whether the text is that of a vocabulary's entry, already chosen by language.
    """

    element: Element
    text: str
    addresses: tuple[str, ...] = ()
    in_vocabulary: bool = False


class Labels(NamedTuple):
    """The labels of a record for one task.

    Attributes:
        labels: in the order of the record.
        raw: the values as catalogued, those that are no labels too.
        identifiers: label to its addresses.
    """

    labels: tuple[str, ...]
    raw: tuple[str, ...]
    identifiers: dict[str, tuple[str, ...]]


def is_address(text: str) -> bool:
    """Whether a text is a web address and nothing else."""
    return "://" in text and _ADDRESS.match(text) is not None


def value_of(element: Element, text: str) -> Value:
    """A value that is written out: its text, or an address."""
    return Value(element, "", (text,)) if is_address(text) else Value(element, text)


class LabelChoice:
    """Chooses the labels of each record of a reading, and counts what is left out."""

    def __init__(self, language: str | None, separator: str | None) -> None:
        """Prepare a reading.

        Args:
            language: of the labels; None: that of each record's first value.
            separator: of several labels in one value; None: a value is one label.
        """
        self._language = language
        self._sample = etree.Element("sample")
        if language is not None:
            self._sample.set(XML_LANG, language)
        self._separator = separator
        # Task and what is counted to the count and the first example.
        self._counts: dict[tuple[str, str], tuple[int, str]] = {}
        self._languages: dict[str, Counter[str]] = {}

    def labels(self, task: str, values: list[Value], cut: Callable[[str], str | None]) -> Labels:
        """The labels of a record.

        Args:
            task: its name, for what is counted.
            values: of the record, in its order.
            cut: a value's text to the label; None where it is no label of this task.
        """
        kept = self._in_language(task, values)
        raw = tuple(value.text or value.addresses[0] for value in kept if value.text or value.addresses)
        labels: dict[str, None] = {}
        identifiers: dict[str, tuple[str, ...]] = {}
        alone: list[str] = []
        for value in kept:
            label = cut(value.text) if value.text else None
            if label and not value.in_vocabulary:
                if self._separator:
                    labels.update(dict.fromkeys(self._split(label)))
                    continue
                labels[label] = None
                if ";" in label or "|" in label:
                    self.count(task, "separator", label)
            elif label:
                labels[label] = None
                known = identifiers.get(label, ())
                identifiers[label] = tuple(dict.fromkeys((*known, *value.addresses)))
            elif not value.text and value.addresses:
                alone.append(value.addresses[0])
                self.count(task, "address", value.addresses[0])
        if alone and len(labels) == 1:
            # The one label and the addresses beside it are of the same thing.
            (label,) = labels
            identifiers[label] = tuple(dict.fromkeys((*identifiers.get(label, ()), *alone)))
        return Labels(tuple(labels), raw, identifiers)

    def materials(self, task: str, groups: list[list[Value]], *, techniques: bool = False) -> Labels:
        """The materials of a record, or its techniques.

        Values with a prefix that says so, where the record has any; else those that are neither a size nor the
        format of a file, nor a technique that is known by its name.

        Args:
            task: its name, for what is counted.
            groups: the values of the elements that can have materials, best first; of the first that has any.
            techniques: whether techniques are meant.
        """
        chosen: list[Value] = []
        addresses: list[Value] = []
        for values in map(self._split_formats, groups):
            kinds = [format_kind(value.text) for value in values]
            taken: Kind = "technique" if techniques else "material"
            if not techniques and not any(kind == "material" and text for kind, text in kinds):
                taken = "plain"
            addresses += [value for value in values if not value.text]
            chosen = [
                Value(value.element, text, value.addresses, value.in_vocabulary)
                for value, (kind, text) in zip(values, kinds, strict=True)
                if kind == taken and text
            ]
            for value, (kind, text) in zip(values, kinds, strict=True):
                if kind == taken and text:
                    has_prefix = text != value.text
                    self.count(task, "with prefix" if has_prefix else "without prefix", value.text)
                elif value.text:
                    self.count(task, _LEFT_OUT[kind], value.text)
            if chosen:
                break
        labels = self.labels(task, [*chosen, *addresses], lambda text: text)
        raw = tuple(value.text or value.addresses[0] for values in groups for value in values)
        return Labels(labels.labels, raw, labels.identifiers)

    def _split(self, text: str) -> list[str]:
        """The labels in a value, without blanks around them."""
        if not self._separator:
            return [text]
        return [label for part in text.split(self._separator) if (label := part.strip())]

    def _split_formats(self, values: list[Value]) -> list[Value]:
        """The values, those without a prefix split: a prefix is for all that follow it."""
        if not self._separator:
            return values
        pieces: list[Value] = []
        for value in values:
            is_split = not value.in_vocabulary and self._separator in value.text
            if is_split and format_kind(value.text)[0] in ("plain", "size", "size and more", "technique"):
                pieces += [Value(value.element, text) for text in self._split(value.text)]
            else:
                pieces.append(value)
        return pieces

    def count(self, task: str, what: str, example: str) -> None:
        """Count something that is said at the end, and keep the first example."""
        if len(self._counts) >= _MOST_COUNTS and (task, what) not in self._counts:
            what = "language others"  # of which a file may have any number
        number, first = self._counts.get((task, what), (0, example))
        self._counts[task, what] = (number + 1, first)

    def count_language(self, task: str, name: Element) -> None:
        """Count the language of the name in a vocabulary that was taken."""
        language = _language_of(name)
        if language and not self._any_in_language([name]):
            self.count(task, "other language", language)
        languages = self._languages.get(task)
        if languages is None:
            languages = self._languages[task] = Counter()
        languages[language if len(languages) < _MOST_COUNTS else "others"] += 1

    def _in_language(self, task: str, values: list[Value]) -> list[Value]:
        """The values in the language, those that are in none (of vocabularies, addresses) among them."""
        elements = [value.element for value in values if value.text and not value.in_vocabulary]
        if not elements or (len(elements) == 1 and not self._language):
            return values
        chosen = in_language(elements, self._language)
        if len(chosen) == len(elements):
            if self._language is not None:
                languages = {_language_of(element) for element in chosen} - {""}
                if languages and not self._any_in_language(chosen):
                    self.count(task, "other language", ", ".join(sorted(languages)))
            return values
        kept = {id(element) for element in chosen}
        left = {id(element) for element in elements} - kept
        for element in elements:
            if id(element) in left:
                self.count(task, f"language {_language_of(element) or 'none'}", "")
        return [value for value in values if id(value.element) not in left]

    def _any_in_language(self, elements: list[Element]) -> bool:
        """Whether any of the elements is in the language, or none is asked for."""
        if self._language is None:
            return True
        # Beside an element that is, `in_language` keeps no other.
        return len(in_language([*elements, self._sample], self._language)) > 1

    def sentences(self, columns: dict[str, str]) -> Iterator[str]:
        """What there is to say about each task.

        Args:
            columns: task to the column that `--tasks` gave it.
        """
        for task in columns:
            counts = {what: entry for (of, what), entry in self._counts.items() if of == task}
            yield from self._on_formats(task, counts)
            if entry := counts.get("address"):
                yield (
                    f"{task}: {counted(entry[0], 'value is a web address', 'values are web addresses')} that the record"
                    f" does not name, such as {_short(entry[1])}; addresses are no labels"
                )
            if entry := counts.get("role"):
                yield (
                    f"{task}: {counted(entry[0], 'value has', 'values have')} a text before a colon, such as"
                    f" {_short(entry[1])}; it is part of the label, which --tasks {task}={columns[task]}[] leaves it"
                    " out of"
                )
            if entry := counts.get("other language"):
                yield (
                    f"{task}: {counted(entry[0], 'record has', 'records have')} no value in {self._language!r}, and all"
                    f" of the others were taken ({entry[1]})"
                )
            if entry := counts.get("separator"):
                yield (
                    f"{task}: {counted(entry[0], 'label has', 'labels have')} a ';' or '|' within, such as"
                    f" {_short(entry[1])}; --label-separator splits there"
                )
            left = {what[9:]: number for what, (number, _) in counts.items() if what.startswith("language ")}
            if left:
                shown = ", ".join(f"{language} {number:,}" for language, number in sorted(left.items()))
                advice = "" if self._language else "; --language chooses"
                yield (f"{task}: values in other languages were left out ({shown}){advice}")
            languages = self._languages.get(task, Counter())
            if len(languages) > 1 and not self._language:
                shown = ", ".join(f"{name or 'none'} {number:,}" for name, number in languages.most_common(5))
                yield (f"{task}: labels are in several languages ({shown}); --language chooses one")

    @staticmethod
    def _on_formats(task: str, counts: dict[str, tuple[int, str]]) -> Iterator[str]:
        shown = {
            what: f"{f'{count:,} ' if count > 1 else ''}{what} ({_short(example)})"
            for what, (count, example) in counts.items()
        }
        taken = [shown[what] for what in ("with prefix", "without prefix") if what in shown]
        left = [shown[what] for what in _LEFT_OUT.values() if what in shown]
        if taken or left:
            yield (
                f"{task}: values taken: {', '.join(taken) or 'none'}"
                + (f"; left out: {', '.join(left)}" if left else "")
                + f"; --tasks {task}=dc:format takes all, {task}=dc:format[PREFIX] those of a prefix"
            )


def _language_of(element: Element) -> str:
    return inherited_language(element).partition("-")[0].casefold()


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_EXAMPLE else text[: _LONGEST_EXAMPLE - 3] + "...")
