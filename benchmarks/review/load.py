"""Fifty clients of one review app at once, each asking for what a browser asks for, with pauses.

Printed: requests, their times, and the server's memory. It ends with status 1 if a decision that was confirmed is not
in the file, or one is twice.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
from measure import WITHOUT_PANDAS

from arttl.decisions.file import DecisionFile

_PAUSE = 0.2  # seconds after each answer


class Client(threading.Thread):
    """Looks at objects of its own share of the queue, one after the other, and decides about each."""

    def __init__(self, address: str, rows: list[int], seconds: float, seed: int) -> None:
        super().__init__()
        self._parts, self._rows, self._random = urlsplit(address), rows, random.Random(seed)
        self._until = time.monotonic() + seconds
        self.times: list[tuple[str, float]] = []
        self.saved: list[int] = []
        self.failed: list[str] = []

    def run(self) -> None:
        """Ask, until the time is up."""
        self._connection = http.client.HTTPConnection(str(self._parts.hostname), self._parts.port, timeout=60)
        for row in self._rows:
            if time.monotonic() > self._until:
                return
            if self._random.random() < 0.1:
                self._ask(
                    "queue",
                    "GET",
                    f"api/queue?task=material&queue=all&search={self._random.randint(0, 999):03d}",
                )
            version = json.loads(self._ask("rows", "GET", f"api/rows?task=material&rows={row}"))[0]["state"][
                "version"
            ]
            self._ask("object", "GET", f"api/objects/{row}")
            self._ask("picture", "GET", f"pictures/rows/{row}/thumbnail")
            choice = {"row": row, "version": version, "verdict": "accepted"}
            answer = self._ask("save", "POST", "api/decisions", {"task": "material", "decisions": [choice]})
            self.saved += [each["state"]["decision"]["id"] for each in json.loads(answer)["saved"]]

    def _ask(self, name: str, method: str, path: str, value: object = None) -> bytes:
        body = None if value is None else json.dumps(value)
        begun = time.perf_counter()
        self._connection.request(method, self._parts.path + path, body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        data = response.read()
        self.times.append((name, 1000 * (time.perf_counter() - begun)))
        if response.status != 200:
            self.failed.append(f"{path}: {response.status}")
        time.sleep(_PAUSE)
        return data


def main() -> None:
    """Run the clients against a collection of `collection.py`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        decisions = Path(scratch) / "decisions.sqlite"
        files = [
            "--predictions",
            arguments.folder / "suggestions.parquet",
            "--images",
            arguments.folder / "photos",
        ]
        server = subprocess.Popen(
            [
                *(sys.executable, "-c", WITHOUT_PANDAS, "review"),
                *files,
                "--decisions",
                decisions,
                "--no-browser",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ARTTL_CACHE": scratch, "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert server.stdout is not None
            address = next(line for line in server.stdout if line.startswith("open")).split()[1]
            parts = urlsplit(address)
            connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
            connection.request("GET", parts.path + "api/queue?task=material&queue=all")
            rows = np.frombuffer(connection.getresponse().read(), "<i4").tolist()
            process, sizes = psutil.Process(server.pid), []
            share = len(rows) // arguments.clients
            clients = [
                Client(address, rows[number * share : (number + 1) * share], arguments.seconds, number)
                for number in range(arguments.clients)
            ]
            for client in clients:
                client.start()
            while any(client.is_alive() for client in clients):
                sizes.append(process.memory_info().rss / 1e6)
                time.sleep(1)
        finally:
            server.kill()  # as a power cut would
            server.wait()
        saved = [number for client in clients for number in client.saved]
        with DecisionFile(decisions) as file:
            found = [row.id for _, state in file.states() for row in state.rows]
    times = [each for client in clients for each in client.times]
    for name in ("", *sorted({name for name, _ in times})):
        of_kind = np.array([value for kind, value in times if name in ("", kind)])
        middle, high, most = np.percentile(of_kind, [50, 99]).tolist() + [of_kind.max()]
        print(f"| {name or 'all'} | {len(of_kind):,} | {middle:.1f} | {high:.1f} | {most:.1f} |")
    tenth = max(1, len(sizes) // 10)
    begin, end = np.mean(sizes[tenth : 2 * tenth]), np.mean(sizes[-tenth:])
    print(f"memory, MB: {begin:.0f} in the beginning, {end:.0f} in the end")
    failed = [sentence for client in clients for sentence in client.failed]
    print(
        f"{len(saved):,} decisions confirmed, {len(found):,} in the file, {len(failed)} requests failed",
        *failed[:3],
    )
    if failed or sorted(saved) != sorted(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
