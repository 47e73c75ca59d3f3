"""LightlyStudio with the collection of `collection.py`, in its own environment: `python serve_lightly.py FOLDER PORT`.

The artists are classes of annotations in COCO's format: labels or tags that are added to samples one by one take longer
than a quarter of an hour.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import peer_hosts  # noqa: F401 - prints the hosts that are asked for

begun = time.perf_counter()
import lightly_studio as ls  # noqa: E402
from lightly_studio.database import db_manager  # noqa: E402

folder, port = Path(sys.argv[1]).resolve(), int(sys.argv[2])
with tempfile.TemporaryDirectory() as scratch:
    rows = json.loads((folder / "rows.json").read_text())
    numbers = {name: number for number, name in enumerate(sorted({row["artist"] for row in rows}))}
    coco = {
        "images": [
            {"id": number, "file_name": row["picture"], "width": 600, "height": 450}
            for number, row in enumerate(rows)
        ],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": [
            {
                "id": number,
                "image_id": number,
                "category_id": numbers[row["artist"]],
                "bbox": [0, 0, 600, 450],
            }
            for number, row in enumerate(rows)
        ],
    }
    Path(scratch, "coco.json").write_text(json.dumps(coco))
    begun = time.perf_counter()  # what it is given is not its work
    db_manager.connect(db_file=f"{scratch}/studio.db", cleanup_existing=True)
    dataset = ls.ImageDataset.create()
    dataset.add_samples_from_coco(
        annotations_json=f"{scratch}/coco.json",
        images_path=str(folder / "photos"),
        embed=False,
        embed_annotations=False,
    )
    print(f"imported {time.perf_counter() - begun:.1f}", flush=True)
    print("ready", flush=True)
    ls.start_gui(host="127.0.0.1", port=port, open_browser=False)
