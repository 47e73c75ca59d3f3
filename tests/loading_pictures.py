"""Generated pictures, and shards of JPEGs that packing would not write."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from arttl.shards.manifest import FORMAT_VERSION, Manifest, manifest_schema
from arttl.shards.writer import ShardWriter

COUNT = 43  # of the painted collection's training pictures; no batch size of the tests divides it


def painted(number: int, height: int, width: int) -> Image.Image:
    """A picture of 4 x 2 fields, black or white, that are the bits of its number."""
    bits = (number >> np.arange(8)) & 1
    fields = np.kron(bits.reshape(2, 4), np.ones((-(-height // 2), -(-width // 4))))[:height, :width]
    return Image.fromarray((fields * 255).astype(np.uint8)).convert("RGB")


def read_number(square: np.ndarray) -> int:
    """The number painted into a picture, from all of it squashed to a square [S, S, 3]."""
    side = len(square) - len(square) % 4
    fields = square[:side, :side].reshape(2, side // 2, 4, side // 4, 3).mean((1, 3, 4))
    return int(((fields.ravel() > 127) << np.arange(8)).sum())


def textured(seed: int, height: int, width: int) -> Image.Image:
    """A picture with gradients, edges and a little noise, different for each seed."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [
        np.sin(2 * np.pi * (random.uniform(1, 9) * x + random.uniform(1, 9) * y + random.random()))
        for _ in range(3)
    ]
    picture = 127 + 70 * np.stack(waves, axis=-1) + 40 * ((x + y) % 0.21 > 0.1)[..., None]
    picture += random.normal(0, 4, picture.shape)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, **options: object) -> bytes:
    """A picture as the bytes of a JPEG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 92, **options})
    return file.getvalue()


def write_shards(
    folder: Path, jpegs: Sequence[bytes], sizes: Sequence[tuple[int, int]], types: str = "ab"
) -> Manifest:
    """Shards of JPEGs that packing would not write, four in each; the letters of `types` are their labels in turn."""
    folder.mkdir()
    rows = []
    for first in range(0, len(jpegs), 4):
        writer = ShardWriter(folder, f"train-{first // 4:05d}", folder)
        for row in range(first, min(first + 4, len(jpegs))):
            writer.add(f"s{row}", jpegs[row], b"{}", row)
            rows.append(
                {
                    "key": f"s{row}",
                    "object_number": f"s.{row}",
                    "split": "train",
                    "shard": f"train-{first // 4:05d}.tar",
                    "height": sizes[row][0],
                    "width": sizes[row][1],
                    "original_height": sizes[row][0],
                    "original_width": sizes[row][1],
                    "sha256": str(row),
                    "stored_sha256": hashlib.sha256(jpegs[row]).hexdigest(),
                    "labels.type": [types[row % len(types)]],
                }
            )
        writer.close()
    pq.write_table(pa.Table.from_pylist(rows, schema=manifest_schema(("type",))), folder / "manifest.parquet")
    (folder / "dataset.json").write_text(json.dumps({"format_version": FORMAT_VERSION}))
    return Manifest.read(folder)
