"""Finished shards with the labels that persons have decided: the loop of review, retrain, review."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from arttl.catalogue.lazy import LazyRows
from arttl.decisions.decision import Row, Subject
from arttl.decisions.standing import Standing
from arttl.errors import ArttlError, counted
from arttl.packing.folder import check_folder
from arttl.packing.rewriting import Copy, Rewriting, write_copies
from arttl.packing.settings import OutputSettings, recorded
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import read_rejects
from arttl.tasks import SPLITS


def relabel_decided(
    settings: OutputSettings, folder: Path, decisions: Path, reviewer: str | None, *, progress: bool = False
) -> tuple[Manifest, list[str]]:
    """Write the pictures of a folder of shards again, with the labels that were accepted or corrected.

    A rejected suggestion changes nothing: the catalogue's labels stay. Nor do decisions about the test split: those
    suggestions were looked at because a model made them, so that figures of that model on the changed labels would
    flatter it.

    Args:
        settings: of the new folder.
        folder: of the shards.
        decisions: the file of `arttl review`.
        reviewer: whose decisions alone are taken; None: everybody's.

    Returns:
        The manifest of the new folder, and sentences on what was changed.

    Raises:
        ArttlError: if no decision is about these shards, or a folder or the file cannot be used.
    """
    check_folder(settings)
    manifest = Manifest.read(folder)
    manifest.require("digest", "settings", "unlabelled")
    standing = Standing.read(decisions, reviewer)
    decided = _Decided(manifest, standing)
    if not decided.matched:
        raise ArttlError(
            "; ".join([f"no decision of {decisions} is about an object of {folder}", *decided.sentences()])
        )
    digest = str(manifest.dataset["digest"])
    splits, rows = np.array(manifest.splits, dtype=object), np.arange(len(manifest))
    plan = Rewriting(
        tasks=decided.tasks,
        jobs={split: LazyRows(rows[splits == split], decided.copy) for split in SPLITS},
        rejects=list(read_rejects(folder)),
        unlabelled=int(manifest.dataset["unlabelled"]),
        files=(digest,),
        content=decided.content(),
    )
    origin = {
        "relabelled": digest,
        "leaf": manifest.dataset["settings"].get("leaf"),
        "decided": decided.changed,
    }
    made = write_copies(settings, plan, recorded(settings, "shard_size") | origin, progress=progress)
    return made, [*standing.sentences(), *decided.sentences()]


class _Decided:
    """The decisions about the objects of a manifest.

    Attributes:
        tasks: of the new shards: those of the manifest, then others that were decided.
        matched: decisions about objects of the manifest.
        changed: photographs whose labels change.
    """

    def __init__(self, manifest: Manifest, standing: Standing) -> None:
        self._manifest, self._standing, self._rows = manifest, standing, ShardRows(manifest)
        self._labels: dict[int, dict[str, list[str]]] = {}
        self.changed = 0
        self._same, self._in_test, self._rejected = 0, 0, 0
        by_object: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
        for subject, decision in standing.rows.items():
            by_object[subject.task, subject.object_number][subject.institution] = decision
        tasks = dict.fromkeys(subject.task for subject in standing.rows)
        owners: dict[str, set[str]] = defaultdict(set)
        for number, owner in zip(manifest.object_numbers, manifest.institutions, strict=True):
            owners[number].add(owner or "")
        own: Mapping[str, list[tuple[str, ...] | None]] = {
            task: manifest.labels(task) for task in manifest.task_names
        }
        found: set[Subject] = set()
        for row, number in enumerate(manifest.object_numbers):
            for task in tasks:
                decided = _of_owner(
                    by_object.get((task, number), {}), manifest.institutions[row] or "", owners[number]
                )
                if decided is not None:
                    found.add(decided.decision.subject)
                    self._take(row, task, decided, own[task][row] if task in own else None)
        self.matched = len(found)
        self._elsewhere = [subject for subject in standing.rows if subject not in found]
        new = dict.fromkeys(task for labels in self._labels.values() for task in labels)
        self.tasks = (*manifest.task_names, *(task for task in new if task not in manifest.task_names))

    def _take(self, row: int, task: str, decided: Row, own: tuple[str, ...] | None) -> None:
        labels = decided.decision.labels
        if not labels:
            self._rejected += 1
        elif {*labels} == {*(own or ())}:
            self._same += 1
        elif self._manifest.splits[row] == "test":
            self._in_test += 1
        else:
            self._labels.setdefault(row, {})[task] = list(labels)
            self.changed += 1

    def copy(self, row: int) -> Copy:
        """The sample of a row, with its labels."""
        record = self._manifest.record(row)
        labels = {**record.labels, **self._labels.get(row, {})}
        return Copy(self._rows.members(row), dataclasses.replace(record, labels=labels))

    def content(self) -> str:
        """All labels that change."""
        return json.dumps(sorted(self._labels.items()), sort_keys=True)

    def sentences(self) -> Iterator[str]:
        """What was changed, and what was not."""
        yield f"labels: {counted(self.changed, 'label')} of photographs changed"
        if self._same:
            yield f"labels: {counted(self._same, 'is', 'are')} as the shards have them already"
        if self._rejected:
            yield f"labels: {counted(self._rejected, 'stays', 'stay')}, since only a suggestion was rejected"
        if self._in_test:
            yield (
                f"labels: {counted(self._in_test, 'stays', 'stay')} in the test split, which is not changed by what a"
                " model has suggested"
            )
        if self._elsewhere:
            example = self._elsewhere[0]
            yield (
                f"decisions: {counted(len(self._elsewhere), 'is', 'are')} about objects that the shards lack, such as"
                f" {example.object_number or example.picture!r}; arttl decisions export with --metadata, then arttl"
                " shards, packs them"
            )


def _of_owner(decided: Mapping[str, Row], owner: str, owners: set[str]) -> Row | None:
    """The decision about an institution's object, or about the only object with that number."""
    if owner in decided:
        return decided[owner]
    is_unclear = len(decided) != 1 or len(owners) > 1 or (owner and "" not in decided)
    return None if is_unclear else next(iter(decided.values()))
