"""What the networks look at, before and after fine-tuning, on the same test pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from arttl.explain.command import VisualizeSettings, visualize
from arttl.explain.views import rows_of_objects
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.results import Results

_PICTURES = 4  # in a panel
_QUALITY = 85  # of the JPEG in the page


def draw_panels(results: Results) -> list[tuple[str, bytes]]:
    """One VisualBackProp panel per task: ImageNet's weights, fine-tuned on the task, and the difference.

    Of each collection and task the network with the highest accuracy is shown, fine-tuned from ImageNet's weights.

    Only pictures whose object number fits the pattern of the settings are shown.

    Returns:
        Title and JPEG of each.
    """
    plan, objects, panels = results.plan, results.plan.settings.panels, []
    for name, manifest in plan.manifests.items():
        if not len(rows_of_objects(manifest, "test", objects)):
            continue
        for cell in _best(results, name):
            out = plan.experiment.out / "panels" / name / cell.task
            *_, sheet = visualize(
                VisualizeSettings(
                    model=results.folder(cell),
                    shards=plan.experiment.shards[name],
                    count=_PICTURES,
                    objects=objects,
                    compare=plan.experiment.first_weights[cell.backbone],
                    method="visual-backprop",
                    mode="bojarski",
                    out=out,
                )
            )
            panels.append((f"{name}: {cell.task}, {cell.backbone}", _as_jpeg(sheet)))
    return panels


def _best(results: Results, collection: str) -> Iterator[Cell]:
    """Of each task of a collection the cell with the highest accuracy."""
    for task in results.plan.collections[collection].usable:
        cells = [
            cell
            for cell in results.cells(
                collection=collection, task=task, mode="fine-tune", weights=IMAGENET, seed=0
            )
            if cell.part != "common" and results.is_done(cell)
        ]
        if cells:
            yield max(cells, key=results.accuracy)


def _as_jpeg(path: Path) -> bytes:
    data = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(data, "JPEG", quality=_QUALITY, optimize=True)
    return data.getvalue()
