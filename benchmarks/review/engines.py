"""Which engine finds the review app's rows: NumPy and Arrow columns in memory, DuckDB over the Parquet, or SQLite.

The query is the same: rows of one status whose catalogued label is not the suggested one, with one of 3,000 artists or
a text in the object number, the surest first. DuckDB is no dependency: pip install duckdb.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from arttl.decisions.file import DecisionFile
from arttl.review.collection import Collection
from arttl.review.queues import Query, Queues
from arttl.review.verdicts import Reviewer, Verdicts

_NUMBER = "0045"


def timed(work: Callable[[], object], repeats: int = 5) -> float:
    """Milliseconds, the median; the first call, which may fill caches, is not counted."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def of_columns(path: Path, scratch: Path) -> tuple[float, dict[str, float], list[int]]:
    """As `arttl review` does it."""
    begun = time.perf_counter()
    collection = Collection(path, None)
    verdicts = Verdicts(collection, DecisionFile(scratch / "d.sqlite"), Reviewer("R"))
    queues = Queues(collection, verdicts)
    prepared = time.perf_counter() - begun
    artist = collection.tasks["artist"].labels.names[100]
    queries = {
        "queue": Query("material", "differs"),
        "artist": Query("material", "differs", label=artist, of="artist"),
        "search": Query("material", "differs", search=_NUMBER),
    }
    times = {name: timed(lambda query=query: queues.select(query)) for name, query in queries.items()}  # type: ignore[misc]
    return prepared, times, [len(queues.select(query)) for query in queries.values()]


def of_duckdb(path: Path, artist: str) -> tuple[float, dict[str, float], list[int]]:
    """DuckDB over the Parquet file itself."""
    import duckdb

    begun = time.perf_counter()
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    prepared = time.perf_counter() - begun
    base = (
        f"SELECT file_row_number FROM read_parquet('{path}', file_row_number = true)"
        " WHERE material.status = 'suggested'"
        " AND len(material.catalogued) > 0 AND list_sort(material.labels) <> list_sort(material.catalogued)"
    )
    order = " ORDER BY material.ranked[1].probability DESC"
    queries = {
        "queue": base + order,
        "artist": f"{base} AND (list_contains(artist.labels, $1) OR list_contains(artist.catalogued, $1)){order}",
        "search": f"{base} AND contains(lower(object_number), '{_NUMBER}'){order}",
    }

    def rows(query: str) -> object:
        return connection.execute(query, [artist] if "$1" in query else None).fetchnumpy()

    times = {name: timed(lambda query=query: rows(query)) for name, query in queries.items()}  # type: ignore[misc]
    return prepared, times, [len(rows(query)["file_row_number"]) for query in queries.values()]  # type: ignore[index]


def of_sqlite(path: Path, scratch: Path, artist: str) -> tuple[float, dict[str, float], list[int]]:
    """A table in SQLite with indexes, which has to be made first."""
    begun = time.perf_counter()
    collection = Collection(path, None)
    connection = sqlite3.connect(scratch / "s.sqlite")
    connection.execute(
        "CREATE TABLE s (n INTEGER PRIMARY KEY, number, status, differs, probability, artist, was_artist)"
    )
    material, artists = collection.tasks["material"], collection.tasks["artist"]
    differs = material.suggested.differs_from(material.catalogued) & (material.catalogued.lengths > 0)

    def first(lists: object, row: int) -> int:
        return next(iter(lists.of(row)), -1)  # type: ignore[attr-defined]

    connection.executemany(
        "INSERT INTO s VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                row,
                number,
                status,
                different,
                share,
                first(artists.suggested, row),
                first(artists.catalogued, row),
            )
            for row, (number, status, different, share) in enumerate(
                zip(
                    collection.texts["object_number"].to_pylist(),
                    material.status.tolist(),
                    differs.tolist(),
                    material.probability.tolist(),
                    strict=True,
                )
            )
        ),
    )
    connection.execute("CREATE INDEX by_queue ON s (status, differs, probability)")
    connection.execute("CREATE INDEX by_artist ON s (artist)")
    connection.execute("CREATE INDEX by_was ON s (was_artist)")
    connection.commit()
    prepared = time.perf_counter() - begun
    code = artists.labels.find(artist)
    base = "SELECT n FROM s WHERE status = 0 AND differs = 1"
    queries = {
        "queue": f"{base} ORDER BY probability DESC",
        "artist": f"{base} AND (artist = {code} OR was_artist = {code}) ORDER BY probability DESC",
        "search": f"{base} AND instr(lower(number), '{_NUMBER}') ORDER BY probability DESC",
    }
    times = {
        name: timed(lambda query=query: connection.execute(query).fetchall())
        for name, query in queries.items()
    }  # type: ignore[misc]
    return prepared, times, [len(connection.execute(query).fetchall()) for query in queries.values()]


def main() -> None:
    """Measure one engine on a collection of `collection.py`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("engine", choices=("columns", "duckdb", "sqlite"))
    arguments = parser.parse_args()
    path = arguments.folder / "suggestions.parquet"
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.engine == "columns":
            prepared, times, counts = of_columns(path, Path(scratch))
        else:
            artist = Collection(path, None).tasks["artist"].labels.names[100]
            if arguments.engine == "duckdb":
                prepared, times, counts = of_duckdb(path, artist)
            else:
                prepared, times, counts = of_sqlite(path, Path(scratch), artist)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    shown = " | ".join(f"{value:.1f}" for value in times.values())
    print(f"| {arguments.engine} | {prepared:.2f} | {shown} | {memory:.0f} | {counts} |")


if __name__ == "__main__":
    main()
