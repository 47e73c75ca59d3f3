"""FiftyOne with the collection of `collection.py`, in its own environment: `python serve_fiftyone.py FOLDER PORT`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import peer_hosts  # noqa: F401 - prints the hosts that are asked for

begun = time.perf_counter()
import fiftyone as fo  # noqa: E402

folder, port = Path(sys.argv[1]).resolve(), int(sys.argv[2])
rows = json.loads((folder / "rows.json").read_text())
dataset = fo.Dataset("peers", overwrite=True)
dataset.add_samples(
    [
        fo.Sample(
            filepath=str(folder / "photos" / row["picture"]),
            object_number=row["object_number"],
            artist=fo.Classification(label=row["artist"], confidence=row["probability"]),
        )
        for row in rows
    ]
)
print(f"imported {time.perf_counter() - begun:.1f}", flush=True)
session = fo.launch_app(dataset, port=port, address="127.0.0.1", remote=True, auto=False)
print("ready", flush=True)
session.wait(-1)
