"""How much memory packing takes: a generated table of a million objects with tiny photographs.

    python benchmarks/packing_memory.py --rows 1000000 --workers 2

Packs in processes of its own and reads, ten times a second, the resident memory of all of them together (Linux; pages
that processes share count once for each). Prints the highest sum and how it grew. The files take about 5 GB of disk
and are deleted afterwards.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

_IN_A_FOLDER = 1000


def make_collection(folder: Path, rows: int) -> Path:
    """Write the photographs (distinct files of 16 pixels) and their table: three tasks, with long tails and gaps."""
    pictures = []
    for shade in range(64):
        file = io.BytesIO()
        Image.new("RGB", (16, 16), (shade * 4, 255 - shade * 4, shade * 2)).save(file, "JPEG", quality=80)
        pictures.append(file.getvalue())
    rng = random.Random(0)
    table = folder / "objects.csv"
    with table.open("w", encoding="utf-8", newline="") as file_of_table:
        writer = csv.writer(file_of_table)
        writer.writerow(["object_number", "file", "title", "material", "type", "artist"])
        for row in range(rows):
            name = f"{row // _IN_A_FOLDER}/{row}.jpg"
            path = folder / "images" / name
            if row % _IN_A_FOLDER == 0:
                path.parent.mkdir(parents=True)
            data, comment = pictures[row % len(pictures)], f"{row}".encode()
            path.write_bytes(
                data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]
            )
            material = f"material {int(200 * rng.random() ** 3)}" if rng.random() < 0.8 else ""
            artist = f"Artist Number {int(100_000 * rng.random() ** 3)}" if rng.random() < 0.5 else ""
            title = f"Title of the object with the number {row}"
            writer.writerow(
                [f"OBJ.{row}", name, title, material, f"type {int(1000 * rng.random() ** 3)}", artist]
            )
    return table


def resident(root: int) -> int:
    """Bytes resident in a process and all that it started."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            pages[int(entry.name)] = int(fields[21])
    tree = {root}
    while more := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(pages.get(process, 0) for process in tree) * 4096


def main() -> None:
    """Make the collection, pack it, and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--split", default="stratified")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = make_collection(folder, arguments.rows)
        argv = [
            "--metadata",
            table,
            "--images",
            folder / "images",
            "--out",
            folder / "shards",
            "--title",
            "title",
        ]
        argv += ["--split", arguments.split, "--workers", arguments.workers]
        script = Path(__file__).resolve().parents[1] / "scripts" / "make_shards.py"
        command = [sys.executable, str(script), *map(str, argv)]
        started = time.monotonic()
        highest, shown = 0, 0.0
        with subprocess.Popen(command) as process:
            while process.poll() is None:
                highest = max(highest, resident(process.pid))
                if time.monotonic() - started > shown:
                    print(f"{time.monotonic() - started:7.1f} s: at most {highest / 1e6:,.0f} MB", flush=True)
                    shown = time.monotonic() - started + 30
                time.sleep(0.1)
        took = time.monotonic() - started
        print(
            f"{arguments.rows:,} rows, {arguments.workers} process(es): {took:,.0f} s, exit {process.returncode}"
        )
        print(f"highest resident memory of all processes together: {highest / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
