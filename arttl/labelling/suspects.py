"""Labels that a person should look at: those that mean that nothing is known, look alike, or have lost their letters.

Nothing is changed here, since any of them may be meant; each sentence gives the flag, or the line of a mapping file,
that changes it.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.errors import counted
from arttl.labelling.unknown import DASHES, means_unknown, unknown_key

_MOST_UNKNOWN = 20  # per task
_MOST_GROUPS = 5  # per task
_MOST_OF_A_GROUP = 4
_MOST_PARTED = 10_000  # labels that are looked at for separators
_SEPARATORS = "|$;¦"
_OBJECT = re.compile(r"\{ ?[\"'].{0,200}[\"']: .*\}", re.DOTALL)  # also as Python writes it
_SHOWN = 80  # characters of an object
_MARKUP = re.compile(r"&(?:#\d+|#x[\da-f]+|[a-z]+\d*);|</?[a-z][^<>]*>", re.IGNORECASE)

_QUOTES = {
    **dict.fromkeys(map(ord, "‘’‚‛′´`ʼ"), "'"),
    **dict.fromkeys(map(ord, "“”„‟″«»"), '"'),
}
_AT_THE_END = " .,;:"

# What labels that look alike may differ in, each with what makes them the same.
_FOLDS: dict[str, Callable[[str], str]] = {
    "letter case": str.casefold,
    "quotation marks": lambda label: label.translate(_QUOTES),
    "dashes": lambda label: label.translate(DASHES),
    "compatible characters (NFKC)": lambda label: unicodedata.normalize("NFKC", label),
    "marks at the end": lambda label: label.rstrip(_AT_THE_END) or label,
}


@dataclass(frozen=True)
class LabelCounts:
    """The labels of a task.

    Attributes:
        task: its name.
        labels: Q distinct labels.
        counts: [Q] samples of each.
    """

    task: str
    labels: Sequence[str]
    counts: npt.NDArray[np.int64]


def sentences_on_labels(
    tasks: Iterable[LabelCounts],
    *,
    fold_case: bool = False,
    unknown: Sequence[str] = (),
    separated: bool = True,
) -> list[str]:
    """Sentences on the labels of a collection that a person should look at, each with what to do.

    Args:
        tasks: their labels after all rules.
        fold_case: whether letter case was folded.
        unknown: the labels of `--unknown`, which the flag to be copied keeps.
        separated: whether cells that hold several labels were divided already.
    """
    tasks = list(tasks)
    sentences = _on_unknown(tasks, unknown)
    for task in tasks:
        if not separated:
            sentences += _on_separators(task)
        sentences += [*_on_lookalikes(task, fold_case), *_on_lost_letters(task)]
    return sentences


def sentences_on_institutions(institutions: LabelCounts) -> list[str]:
    """Sentences on institutions that are probably one under several names.

    Args:
        institutions: their names and how many samples each has; the task's name is not used.
    """
    groups = _alike(institutions.labels)
    groups.sort(key=lambda group: (-institutions.counts[group].sum(), institutions.labels[group[0]]))
    sentences = []
    for group in groups[:_MOST_GROUPS]:
        members = sorted(group, key=lambda index: (-institutions.counts[index], institutions.labels[index]))
        differences = _listed(_differences([institutions.labels[index] for index in members]))
        sentences.append(
            f"institutions: {_names(institutions, members)} differ only in {differences}, and count as several; give"
            " them one name in the metadata"
        )
    if (rest := len(groups) - _MOST_GROUPS) > 0:
        sentences.append(f"institutions: {counted(rest, 'more group looks', 'more groups look')} alike")
    return sentences


def _on_unknown(tasks: Sequence[LabelCounts], unknown: Sequence[str]) -> list[str]:
    sentences = []
    flag = {unknown_key(label): label for label in unknown}
    for task in tasks:
        suspects = [index for index, label in enumerate(task.labels) if means_unknown(label)]
        if not suspects:
            continue
        suspects.sort(key=lambda index: (-task.counts[index], task.labels[index]))
        shown, rest = suspects[:_MOST_UNKNOWN], len(suspects[_MOST_UNKNOWN:])
        flag |= {unknown_key(task.labels[index]): task.labels[index] for index in shown}
        listed = ", ".join(f"{task.labels[index]!r} ({task.counts[index]:,})" for index in shown)
        sentences.append(
            f"{task.task}: kept as labels, but they may mean that nothing is known: {listed}"
            f"{f' and {rest:,} more' if rest else ''}"
        )
    if sentences:
        sentences.append(
            f"to make these unknown: --unknown {' '.join(_argument(*entry) for entry in flag.items())}"
        )
    return sentences


def _argument(key: str, label: str) -> str:
    """A label as it is typed in a shell."""
    return shlex.quote(key if key == "-" else label)


def _on_separators(task: LabelCounts) -> list[str]:
    """Whether labels look like several labels of this task in one cell."""
    sentences = []
    for mark in _SEPARATORS:
        several = [index for index, label in enumerate(task.labels) if mark in label.strip(mark)]
        if not several:
            continue
        parts = [part.strip() for index in several[:_MOST_PARTED] for part in task.labels[index].split(mark)]
        counts, single = Counter(parts), frozenset(task.labels)
        # Half of the parts are labels themselves, or occur in several of these.
        if 2 * sum(part in single or counts[part] > 1 for part in parts) >= len(parts):
            example = task.labels[max(several, key=lambda index: task.counts[index])]
            sentences.append(
                f"{task.task}: {counted(len(several), 'label')} of"
                f" {counted(task.counts[several].sum(), 'sample')} may be several labels each, such as {example!r};"
                f" to separate them: --label-separator {shlex.quote(mark)}"
            )
    return sentences


def _on_lookalikes(task: LabelCounts, fold_case: bool) -> list[str]:
    groups = _alike(task.labels)
    groups.sort(
        key=lambda group: (-(task.counts[group].sum() - task.counts[group].max()), task.labels[group[0]])
    )
    by_case: list[tuple[list[int], list[str]]] = []
    others: list[tuple[list[int], list[str]]] = []
    for group in groups:
        members = sorted(group, key=lambda index: (-task.counts[index], task.labels[index]))
        differences = _differences([task.labels[index] for index in members])
        (by_case if differences == ["letter case"] and not fold_case else others).append(
            (members, differences)
        )
    sentences = []
    if by_case:
        shown = "; ".join(_names(task, members) for members, _ in by_case[:_MOST_GROUPS])
        rest = len(by_case) - _MOST_GROUPS
        more = f"; and {counted(rest, 'more group')}" if rest > 0 else ""
        sentences.append(f"{task.task}: {shown}{more} differ only in letter case: --fold-case")
    for members, differences in others[:_MOST_GROUPS]:
        names = [task.labels[index] for index in members[:_MOST_OF_A_GROUP]]
        sentences.append(
            f"{task.task}: {_names(task, members)} differ only in {_listed(differences)}; for the file of"
            f" --mapping {task.task}=FILE:{_mapping_lines(names)}"
        )
    if (rest := len(others) - _MOST_GROUPS) > 0:
        sentences.append(
            f"{task.task}: {counted(rest, 'more group of labels looks', 'more groups of labels look')} alike"
        )
    return sentences


def _names(task: LabelCounts, members: Sequence[int]) -> str:
    """The labels of a group with their counts."""
    shown = [f"{task.labels[index]!r} ({task.counts[index]:,})" for index in members[:_MOST_OF_A_GROUP]]
    if rest := len(members) - len(shown):
        shown.append(f"{rest:,} more")
    return _listed(shown)


def _alike(labels: Sequence[str]) -> list[list[int]]:
    """The groups of two labels or more that look alike, as indices. Only hashes are kept of the others."""
    keys = np.fromiter((hash(_folded(label)) for label in labels), dtype=np.int64, count=len(labels))
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order][:1] - 1))
    sizes = np.diff(starts, append=len(order))
    several = sizes > 1
    return [
        order[start : start + size].tolist()
        for start, size in zip(starts[several].tolist(), sizes[several].tolist(), strict=True)
    ]


def _folded(label: str, left_out: str = "") -> str:
    """A label after all folds, but for the one that is left out."""
    if not left_out and label.isascii():
        return label.casefold().rstrip(_AT_THE_END) or label
    for name, fold in _FOLDS.items():
        if name != left_out:
            label = fold(label)
    return unicodedata.normalize("NFC", label)


def _differences(names: Sequence[str]) -> list[str]:
    """What the labels of a group differ in: the folds without which they are not all the same."""
    needed = [name for name in _FOLDS if len({_folded(label, name) for label in names}) > 1]
    # Either of two is enough for ligatures, which have no letter case of their own.
    return needed or ["compatible characters (NFKC)"]


def _mapping_lines(names: Sequence[str]) -> str:
    """The lines of a mapping file that make all of some labels the first, each on a line of its own."""
    lines = io.StringIO()
    for name in names[1:]:
        lines.write("\n")
        csv.writer(lines, lineterminator="").writerow([name, names[0]])
    return lines.getvalue()


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def _on_lost_letters(task: LabelCounts) -> list[str]:
    """Whether text was read in another encoding than its own, or kept as HTML, before it came here."""
    sentences = []
    misread = [(label, text) for label in task.labels if (text := _reread(label)) is not None]
    if misread:
        label, text = misread[0]
        sentences.append(
            f"{task.task}: {counted(len(misread), 'label looks', 'labels look')} like UTF-8 that was read as"
            f" Windows-1252, such as {label!r} for {text!r}; export the metadata again"
        )
    markup = [label for label in task.labels if _MARKUP.search(label)]
    if markup:
        sentences.append(
            f"{task.task}: {counted(len(markup), 'label holds', 'labels hold')} HTML, such as {markup[0]!r}; export the"
            " metadata as plain text"
        )
    objects = [label for label in task.labels if _OBJECT.fullmatch(label)]
    if objects:
        sentences.append(
            f"{task.task}: {counted(len(objects), 'label is an object', 'labels are objects')} of JSON, such as"
            f" {objects[0][:_SHOWN]!r}; name a field of it, as --tasks {task.task}=COLUMN.FIELD"
        )
    lost = [label for label in task.labels if "\ufffd" in label]
    if lost:
        sentences.append(
            f"{task.task}: {counted(len(lost), 'label has', 'labels have')} lost letters (such as {lost[0]!r});"
            " export the metadata again"
        )
    return sentences


def _reread(label: str) -> str | None:
    """The text whose UTF-8 was read as Windows-1252; None where the label is no such text."""
    if label.isascii():
        return None
    try:
        return label.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return None
