"""A generated collection of any size for the review app: suggestions of three tasks, and a picture per object."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

ROWS_PER_GROUP = 2048  # as `arttl predict` writes them
DISTINCT = 500  # pictures; the others are links to them
CLASSES = {"artist": 3000, "material": 120, "type": 400}


def label_names(task: str, random: np.random.RandomState) -> np.ndarray:
    """Names that look like a catalogue's, each once."""
    syllables = [
        "ba",
        "der",
        "gio",
        "hals",
        "jan",
        "kel",
        "lo",
        "mar",
        "nino",
        "ost",
        "pet",
        "ru",
        "sen",
        "van",
        "vi",
    ]
    names = [
        "".join(random.choice(syllables, 3)).capitalize() + f" {task[0].upper()}{number}"
        for number in range(CLASSES[task])
    ]
    return np.array(names, dtype=object)


def lists(offsets: np.ndarray, values: pa.Array) -> pa.Array:
    """Arrow's lists."""
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def task_column(task: str, count: int, top: int, random: np.random.RandomState) -> pa.Array:
    """The structures of a task for some rows, as `arttl predict --top 5` writes them."""
    names = label_names(task, np.random.RandomState(len(task)))
    # A long tail, as catalogues have.
    codes = (len(names) * random.power(0.4, (count, top))).astype(int) % len(names)
    codes[:, 1:] = (codes[:, :1] + 1 + np.arange(top - 1)) % len(names)  # no label twice
    best = random.beta(4, 1.5, count)
    shares = np.sort(random.dirichlet(np.ones(top), count), axis=1)[:, ::-1]
    probabilities = shares * (1 - best)[:, None]
    probabilities[:, 0] = best
    probabilities = np.sort(probabilities, axis=1)[:, ::-1]
    status = np.where(random.rand(count) < 0.04, "outside", np.where(best > 0.7, "suggested", "unsure"))
    known = random.rand(count) < 0.5
    catalogued = np.where(random.rand(count) < 0.85, codes[:, 0], (codes[:, 0] + 7) % len(names))
    ranked = pa.StructArray.from_arrays(
        [pa.array(names[codes.ravel()], pa.string()), pa.array(probabilities.ravel(), pa.float64())],
        ["label", "probability"],
    )
    fields = {
        "catalogued": lists(np.append(0, np.cumsum(known)), pa.array(names[catalogued[known]], pa.string())),
        "labels": lists(np.arange(count + 1), pa.array(names[codes[:, 0]], pa.string())),
        "status": pa.array(status, pa.string()),
        "ranked": lists(np.arange(count + 1) * top, ranked),
        "set": lists(np.arange(count + 1) * 2, pa.array(names[codes[:, :2].ravel()], pa.string())),
    }
    return pa.StructArray.from_arrays(list(fields.values()), list(fields))


def nearest_column(numbers: list[str], random: np.random.RandomState) -> pa.Array:
    """Three neighbours per row."""
    count = len(numbers)
    chosen = random.randint(0, count, 3 * count)
    by_task = pa.StructArray.from_arrays(
        [pa.array(["type"] * 3 * count), lists(np.arange(3 * count + 1), pa.array(["vase"] * 3 * count))],
        ["task", "labels"],
    )
    fields = {
        "object_number": pa.array([numbers[index] for index in chosen]),
        "key": pa.array([f"k{index}" for index in chosen]),
        "similarity": pa.array(random.rand(3 * count)),
        "catalogued": lists(np.arange(3 * count + 1), by_task),
    }
    return lists(np.arange(count + 1) * 3, pa.StructArray.from_arrays(list(fields.values()), list(fields)))


def write_suggestions(path: Path, count: int, *, top: int = 5, seed: int = 1) -> None:
    """Write suggestions for `count` objects, one photograph each."""
    random = np.random.RandomState(seed)
    writer = None
    for start in range(0, count, ROWS_PER_GROUP):
        rows = range(start, min(start + ROWS_PER_GROUP, count))
        numbers = [f"INV.{row:07d}" for row in rows]
        columns = {
            "object_number": pa.array(numbers),
            "picture": pa.array([picture_name(row) for row in rows]),
            "problem": pa.nulls(len(rows), pa.string()),
            **{task: task_column(task, len(rows), top, random) for task in CLASSES},
            "nearest": nearest_column(numbers, random),
        }
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()


def picture_name(row: int) -> str:
    """Of a row, in folders of a thousand."""
    return f"{row // 1000:04d}/{row:07d}.jpg"


def draw_pictures(folder: Path, count: int) -> None:
    """Draw a picture of about 600 x 450 pixels for each row; all but the first `DISTINCT` are hard links."""
    for row in range(count):
        path = folder / picture_name(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        if row >= DISTINCT:
            os.link(folder / picture_name(row % DISTINCT), path)
            continue
        random = np.random.RandomState(row)
        cells = random.randint(0, 256, (6, 8, 3)).astype(np.uint8)
        picture = Image.fromarray(cells).resize((600, 450), Image.Resampling.BICUBIC)
        ImageDraw.Draw(picture).text((20, 20), f"{row:07d}", fill="white", font_size=60)
        picture.save(path, quality=85)


def main() -> None:
    """Write `suggestions.parquet` and `photos` into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--without-pictures", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write_suggestions(arguments.folder / "suggestions.parquet", arguments.objects)
    if not arguments.without_pictures:
        draw_pictures(arguments.folder / "photos", arguments.objects)


if __name__ == "__main__":
    main()
