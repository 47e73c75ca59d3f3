"""What the networks look at, before and after fine-tuning, on the same test pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from arttl.explain.command import VisualizeSettings, visualize
from arttl.explain.views import rows_of_objects
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.experiment import Plan
from arttl.reproduction.results import Results

_PICTURES = 4  # in a panel
_QUALITY = 85  # of the JPEG in the page


def draw_panels(results: Results, laid: Plan, objects: str) -> list[tuple[str, bytes]]:
    """One VisualBackProp panel per task: ImageNet's weights, fine-tuned on the task, and the difference.

    Of each collection and task it is the network with the highest accuracy, fine-tuned from ImageNet's weights.

    Args:
        results, laid: of the experiment.
        objects: a shell pattern; only pictures whose object number fits it are shown.

    Returns:
        Title and JPEG of each.
    """
    panels = []
    for name, manifest in laid.manifests.items():
        if not len(rows_of_objects(manifest, "test", objects)):
            continue
        for cell in _best(results, laid, name):
            out = laid.experiment.out / "panels" / name / cell.task
            *_, sheet = visualize(
                VisualizeSettings(
                    model=results.folder(cell),
                    shards=laid.experiment.shards[name],
                    count=_PICTURES,
                    objects=objects,
                    compare=laid.experiment.first_weights[cell.backbone],
                    out=out,
                )
            )
            panels.append((f"{name}: {cell.task}, {cell.backbone}", _as_jpeg(sheet)))
    return panels


def _best(results: Results, laid: Plan, collection: str) -> Iterator[Cell]:
    for task in laid.collections[collection].usable:
        cells = [
            cell
            for cell in results.cells(
                collection=collection, task=task, mode="fine-tune", weights=IMAGENET, seed=0
            )
            if cell.part != "common" and results.is_done(cell)
        ]
        if cells:
            yield max(cells, key=lambda cell: results.accuracy(cell))


def _as_jpeg(path: Path) -> bytes:
    data = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(data, "JPEG", quality=_QUALITY, optimize=True)
    return data.getvalue()
