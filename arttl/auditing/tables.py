"""The tables of an audit: `audit.parquet` for programs, `audit.csv` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.auditing.doubts import Doubt
from arttl.auditing.objects import AuditedObjects
from arttl.exchange.doubts import FILE, SCHEMA
from arttl.files import whole_file, write_bytes
from arttl.shards.csv_files import csv_chunks
from arttl.suggesting.neighbours import Neighbour
from arttl.vocabularies.table import Vocabularies

_BETWEEN = "; "  # labels in one cell


@dataclass(frozen=True, eq=False)
class AuditTable:
    """The rows of an audit with all that a reader needs.

    Attributes:
        objects: of the collection.
        doubts: the rows.
        neighbours: of each row, the nearest other objects.
        nearest: how many of them at most.
        vocabularies: identifiers of labels; None: there are none.
    """

    objects: AuditedObjects
    doubts: Sequence[Doubt]
    neighbours: Sequence[tuple[Neighbour, ...]]
    nearest: int
    vocabularies: Vocabularies | None

    def write(self, folder: Path) -> None:
        """Write both files, within a block of `whole_folder`."""
        with whole_file(folder / FILE) as temporary:
            table = pa.Table.from_pylist(list(self._nested()), SCHEMA)
            pq.write_table(table, temporary, compression="zstd")
        write_bytes(folder / "audit.csv", csv_chunks(self._headings(), self._cells()))

    def _nested(self) -> Iterator[dict[str, Any]]:
        manifest = self.objects.manifest
        for doubt, neighbours in zip(self.doubts, self.neighbours, strict=True):
            rows = self.objects.photographs[doubt.item]
            first = rows[0]
            record = asdict(doubt)
            del record["item"]
            yield record | {
                "object_number": manifest.object_numbers[first],
                "institution": manifest.institutions[first],
                "key": manifest.keys[first],
                "row": first,
                "shard": manifest.shards[first],
                "photographs": [manifest.keys[row] for row in rows],
                "split": manifest.splits[first],
                "catalogued": list(self.objects.labels[doubt.task][doubt.item] or ()),
                "nearest": [
                    {
                        "object_number": neighbour.object_number,
                        "key": neighbour.key,
                        "similarity": neighbour.similarity,
                        "catalogued": [
                            {"task": task, "labels": list(labels)}
                            for task, labels in neighbour.labels.items()
                        ],
                    }
                    for neighbour in neighbours
                ],
                "label_uris": self._addresses(doubt.task, doubt.label),
                "suggested_uris": self._addresses(doubt.task, doubt.suggested),
            }

    def _headings(self) -> list[str]:
        headings = [
            *(
                "task",
                "kind",
                "rank",
                "object_number",
                "institution",
                "key",
                "photographs",
                "split",
                "catalogued",
            ),
            *("label", "label_probability", "suggested", "suggested_probability", "score", "confident"),
            *("networks_that_agree", "other_task", "other_label", "expected_together"),
        ]
        if self.vocabularies is not None:
            headings += ["label_uri", "suggested_uri"]
        for number in range(1, self.nearest + 1):
            headings += [f"nearest_{number}", f"nearest_{number}_similarity", f"nearest_{number}_labels"]
        return headings

    def _cells(self) -> Iterator[list[Any]]:
        for doubt, nested in zip(self.doubts, self._nested(), strict=True):
            agreeing = [opinion.network for opinion in doubt.networks if opinion.agrees]
            pair = doubt.pair
            cells = [
                *(doubt.task, doubt.kind, doubt.rank, nested["object_number"], nested["institution"]),
                *(nested["key"], len(nested["photographs"]), nested["split"]),
                _BETWEEN.join(nested["catalogued"]),
                *(doubt.label, _rounded(doubt.label_probability)),
                *(doubt.suggested, _rounded(doubt.suggested_probability)),
                *(_rounded(doubt.score), "yes" if doubt.confident else "no"),
                f"{len(agreeing)} of {len(doubt.networks)}" if doubt.networks else "",
                *(("", "", "") if pair is None else (pair.task, pair.label, f"{pair.expected:.1f}")),
            ]
            if self.vocabularies is not None:
                cells += [" ".join(nested["label_uris"]), " ".join(nested["suggested_uris"])]
            for neighbour in nested["nearest"]:
                labels = (f"{each['task']}: {', '.join(each['labels'])}" for each in neighbour["catalogued"])
                cells += [
                    neighbour["object_number"],
                    f"{neighbour['similarity']:.4f}",
                    _BETWEEN.join(labels),
                ]
            yield cells + [""] * (3 * (self.nearest - len(nested["nearest"])))

    def _addresses(self, task: str, label: str | None) -> list[str]:
        if self.vocabularies is None or label is None:
            return []
        return [concept.uri for concept in self.vocabularies.identifiers(task, label)]


def _rounded(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.4f}"
