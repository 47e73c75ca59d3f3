"""Artworks and rejects of any origin to what is packed: the tasks that are asked for, text that UTF-8 can hold."""

from __future__ import annotations

import dataclasses
import re

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.tasks import SPLITS


def clean(artwork: Artwork, tasks: tuple[str, ...]) -> Artwork:
    """Only the labels of the given tasks (of all, if none are given), and only text that UTF-8 can hold.

    Raises:
        ArttlError: for an unknown split.
    """
    if artwork.split is not None and artwork.split not in SPLITS:
        raise ArttlError(
            f"object {artwork.object_number!r} has the split {artwork.split!r}; it must be one of {', '.join(SPLITS)}"
        )
    labels, raw = artwork.labels, artwork.raw_labels
    if _is_clean(artwork, tasks):
        return artwork
    return dataclasses.replace(
        artwork,
        object_number=plain(artwork.object_number),
        labels={task: tuple(map(plain, labels[task])) for task in tasks or labels if labels.get(task)},
        raw_labels={task: tuple(map(plain, raw[task])) for task in tasks or raw if task in raw},
        title=artwork.title and plain(artwork.title),
        date=artwork.date and plain(artwork.date),
        source=artwork.source and plain(artwork.source),
        institution=artwork.institution and plain(artwork.institution),
        identifiers={
            task: {plain(label): tuple(map(plain, several)) for label, several in of_labels.items()}
            for task, of_labels in artwork.identifiers.items()
            if not tasks or task in tasks
        },
        attributions=tuple((plain(qualifier), plain(name)) for qualifier, name in artwork.attributions),
        group=artwork.group and plain(artwork.group),
    )


def _is_clean(artwork: Artwork, tasks: tuple[str, ...]) -> bool:
    """Whether nothing needs to be changed, as is usual; a copy takes far longer than to look."""
    labels, raw = artwork.labels, artwork.raw_labels
    if tasks and (
        list(labels) != [task for task in tasks if task in labels]
        or list(raw) != [*filter(raw.__contains__, tasks)]
    ):
        return False
    if not all(labels.values()) or (tasks and not all(map(tasks.__contains__, artwork.identifiers))):
        return False
    texts = [
        artwork.object_number,
        artwork.title,
        artwork.date,
        artwork.source,
        artwork.institution,
        artwork.group,
    ]
    for names in (*labels.values(), *raw.values(), *artwork.attributions):
        texts += names
    for of_labels in artwork.identifiers.values():
        for label, several in of_labels.items():
            texts += (label, *several)
    try:
        "".join(filter(None, texts)).encode()
    except UnicodeEncodeError:
        return False
    return True


def plain(text: str) -> str:
    """The text, with what UTF-8 cannot hold (halves of surrogate pairs, from odd file names) escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def clean_reject(reject: Reject) -> Reject:
    """Only text that UTF-8 can hold."""
    return dataclasses.replace(
        reject,
        object_number=plain(reject.object_number),
        file=plain(reject.file),
        detail=plain(reject.detail),
    )


def without_leaf(object_number: str, leaf: re.Pattern[str] | None) -> str:
    """The number of the object that a leaf or part belongs to; see `SourceSettings.leaf`."""
    return (leaf.sub("", object_number) if leaf else "") or object_number
