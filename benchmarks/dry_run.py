"""How long `--dry-run` takes per 10,000 records of each format, and whether its memory grows.

    python benchmarks/dry_run.py                                   # all formats, 10,000 and 100,000 records
    python benchmarks/dry_run.py --formats lido --rows 10000       # those whose names begin so

Writes generated metadata (`dry_run_files.py`) into a temporary folder, a format at a time, and reads them in a process
of its own. The times are processor time (user and system) of the dry run, without the imports; `parsing` is that of
the parser alone (lxml's events, `json.loads`, `csv`, pyarrow), below which no reader gets. The memory is the highest
that was resident (Linux). The files of the largest format take 600 MB of disk.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dry_run_files import FORMATS


def dry_run(path: Path, flags: list[str], source: str) -> None:
    """Do what the command line does."""
    from arttl.cli import run_command

    argv = ["--source", source, "--metadata", str(path), "--dry-run", *flags]
    with contextlib.redirect_stdout(io.StringIO()):
        status = run_command("shards", prog="arttl shards", argv=argv)
    if status:
        raise SystemExit(status)


def parse(path: Path) -> None:
    """Only what the parser does."""
    if path.suffix == ".xml":
        from lxml import etree

        for _, element in etree.iterparse(path, tag=("{*}lido", "{*}record"), remove_comments=True):
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            for _ in csv.reader(file):
                pass
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(
            columns=["object_number", "image", "material", "type", "artist"]
        ):
            batch.to_pylist()
    elif path.suffix == ".jsonl":
        with path.open("rb") as file:
            for line in file:
                json.loads(line)
    else:
        for file_of_record in path.rglob("*.json"):
            json.loads(file_of_record.read_bytes())


def measure(name: str, path: Path, *, parsing: bool) -> None:
    """Print the processor seconds and the highest resident memory in MB of reading a file in this process."""
    wanted = FORMATS[name]
    dry_run_of_nothing(wanted.source)
    started = time.process_time()
    if parsing:
        parse(path)
    else:
        dry_run(path, list(wanted.flags), wanted.source)
    seconds = time.process_time() - started
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def dry_run_of_nothing(source: str) -> None:
    """Import everything that a dry run imports."""
    from arttl.cli import run_command

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_command(
            "shards", prog="arttl shards", argv=["--source", source, "--metadata", "none.xml", "--dry-run"]
        )


def main() -> None:
    """Print a table with a line per format."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--formats", nargs="*", default=[""])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--parsing", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]), parsing=arguments.parsing)
        return
    print("| format | records | KB per record | CPU s per 10,000 | of these parsing | highest memory, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, kind in FORMATS.items():
        if not name.startswith(tuple(arguments.formats)):
            continue
        for rows in arguments.rows:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / kind.name
                kind.make(path, rows)
                size = sum(
                    file.stat().st_size for file in (path.rglob("*.json") if path.is_dir() else [path])
                )
                seconds, memory = measured(name, path)
                parsing, _ = measured(name, path, "--parsing")
            scale = 10_000 / rows
            print(
                f"| {name} | {rows:,} | {size / rows / 1000:.1f} | {seconds * scale:.2f} | {parsing * scale:.2f}"
                f" | {memory:,.0f} |",
                flush=True,
            )


def measured(name: str, path: Path, *flags: str) -> tuple[float, float]:
    """Seconds and MB, measured in another process."""
    command = [sys.executable, __file__, "--measure", name, str(path), *flags]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, memory = map(float, output.split())
    return seconds, memory


if __name__ == "__main__":
    main()
