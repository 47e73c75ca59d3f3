"""Objects of several institutions that have one number, which packing keeps apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from arttl.artworks import Artwork
from arttl.evaluation.compare import _units
from arttl.evaluation.kept_promises import measure_promises
from arttl.inference.predictions import Predictions
from arttl.inference.promises import fit_promises
from arttl.inference.suggestions import Suggester
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskSet, Vocabulary

CLASSES = ("print", "vase")
TASKS = TaskSet([Task("type", "single-label", Vocabulary(CLASSES, (1, 1), (0,)))])


def numbered(count: int) -> tuple[Predictions, torch.Tensor]:
    """North's prints and South's vases, with two photographs each and the same numbers."""
    index = np.repeat(np.arange(2 * count), 2)
    classes = index // count  # North's objects come first
    predictions = Predictions(
        TASKS,
        np.arange(len(index)),
        [f"key{photograph}" for photograph in range(len(index))],
        [f"A.{each % count}" for each in index],
        {"type": [(CLASSES[each],) for each in classes]},
        {"type": (8 * np.eye(2)[classes] + np.arange(len(index))[:, None] * [[1e-3, 0]]).astype(np.float32)},
        institutions=[("North", "South")[each] for each in classes],
    )
    return predictions, torch.from_numpy(np.eye(2)[classes] + 0.1).float()


def test_each_is_an_object_of_the_evidence() -> None:
    predictions, features = numbered(30)
    promises = fit_promises(predictions, features, features)
    assert promises.photographs.tolist() == [2] * 60
    assert promises.of_means is not None
    for evidence in (promises.tasks["type"], promises.of_means.tasks["type"]):
        assert (evidence.likeliest > 0.99).all() and (evidence.likeliest_wrong == 0).all()
    # Prints and vases with one number put together would be neither.
    suggester = Suggester(TASKS, {}, promises, precision=0.85, per_object=True)
    assert measure_promises(predictions, features, suggester)["type"].suggested.of == 60
    known = predictions.of_classes()
    assert known.institutions == predictions.institutions
    unknown = replace(predictions, institutions=())  # as in a table that was read
    assert len(fit_promises(unknown, features, features).photographs) == 30


def test_predictions_of_shards_know_the_institutions(tmp_path: Path, soft_picture) -> None:  # type: ignore[no-untyped-def]
    artworks = []
    for seed, museum in enumerate(["North", "South"] * 6):
        path = tmp_path / f"{seed}.jpg"
        soft_picture(seed=seed).save(path)
        labels = {"type": (CLASSES[seed % 2],)}
        artworks.append(Artwork(f"A_{seed // 2}", f"A.{seed // 2}", path, labels, institution=museum))
    pack(artworks, PackSettings(out=tmp_path / "shards", tasks=("type",), workers=1))
    manifest = Manifest.read(tmp_path / "shards")
    rows = np.arange(len(manifest))
    logits = {"type": np.zeros((len(rows), 2), np.float32)}
    predictions = Predictions.of_rows(TASKS, manifest, rows, logits)
    assert len(predictions.objects.chosen) == len(manifest) == 12


def test_a_saved_table_keeps_them_for_intervals_over_objects(tmp_path: Path) -> None:
    predictions, _ = numbered(3)
    predictions.write(tmp_path / "p.parquet")
    read = Predictions.read(tmp_path / "p.parquet")
    assert read.institutions == predictions.institutions
    assert pq.read_schema(tmp_path / "p.parquet").names[:4] == ["row", "key", "object_number", "institution"]
    replace(predictions, institutions=[None] * len(predictions.keys)).write(tmp_path / "q.parquet")
    unknown = Predictions.read(
        tmp_path / "q.parquet"
    )  # as tables without institutions, of earlier versions too
    assert unknown.institutions == () and "institution" not in pq.read_schema(tmp_path / "q.parquet").names
    # Six objects of two photographs each, or three of four.
    for table, units in ((read, 6), (unknown, 3)):
        assert len({*_units(table, "object_number")}) == units
