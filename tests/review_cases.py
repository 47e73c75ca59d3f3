"""A small collection for the tests of the review app, as `docs/predict.md` describes suggestions, and a server."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

LABELS = {
    "material": [
        "oil paint",
        "ivory",
        "wood",
        "Éduard's bronze",
        "=cmd|' /C calc'!A0",
        "<img src=x onerror=alert(1)>",
    ],
    "technique": ["carved", "gilded", "cast", "painted"],
}
_MAIN = "from arttl.cli import main; main()"
_TEXTS = pa.list_(pa.string())
_RANKED = pa.list_(pa.struct({"label": pa.string(), "probability": pa.float64()}))
_TASK = pa.struct(
    {
        "catalogued": _TEXTS,
        "labels": _TEXTS,
        "status": pa.string(),
        "ranked": _RANKED,
        "set": _TEXTS,
        "interval": pa.list_(pa.float64()),
    }
)
_NEAREST = pa.list_(
    pa.struct(
        {
            "object_number": pa.string(),
            "key": pa.string(),
            "similarity": pa.float64(),
            "catalogued": pa.list_(pa.struct({"task": pa.string(), "labels": _TEXTS})),
        }
    )
)
SCHEMA = pa.schema(
    {
        **dict.fromkeys(("object_number", "picture", "institution", "problem"), pa.string()),
        **dict.fromkeys(LABELS, _TASK),
        "nearest": _NEAREST,
    }
)


def made_records(count: int, *, seed: int = 1, photographs: int = 1) -> list[dict[str, Any]]:
    """Rows of suggestions; every seventh picture is unreadable, and of every ninth the object has no number."""
    drawn = random.Random(seed)
    rows = []
    for index in range(count):
        unreadable = index % 7 == 6
        rows.append(
            {
                "object_number": "" if index % 9 == 8 else f"A.{index // photographs}",
                "picture": f"{index:03d}.jpg",
                "institution": drawn.choice(["", "Museum"]) if photographs == 1 else "",
                "problem": "damaged: it is cut off" if unreadable else None,
                **{task: None if unreadable else made_task(drawn, task) for task in LABELS},
                "nearest": [
                    {
                        "object_number": "N.1",
                        "key": "n1",
                        "similarity": 0.9,
                        "catalogued": [{"task": "material", "labels": ["wood"]}],
                    }
                ],
            }
        )
    return rows


def arguments(given: Path, decisions: Path, *more: str | Path) -> list[str | Path]:
    """Of a server of a folder with `suggestions.parquet` and `photos`."""
    named = ["--predictions", given / "suggestions.parquet", "--images", given / "photos"]
    return [*named, "--decisions", decisions, "--reviewer", "R. Viewer", *more]


def made_task(drawn: random.Random, task: str) -> dict[str, Any]:
    """What is suggested of one task: of `technique` up to two labels."""
    names = drawn.sample(LABELS[task], 4)
    probabilities = sorted((round(drawn.random(), 6) for _ in names), reverse=True)
    several = drawn.randint(1, 2) if task == "technique" else 1
    catalogued = drawn.choice([[], names[:several], [names[2]]])
    return {
        "catalogued": catalogued,
        "labels": names[:several],
        "status": drawn.choice(["suggested", "suggested", "unsure", "outside"]),
        "ranked": [
            {"label": name, "probability": share} for name, share in zip(names, probabilities, strict=True)
        ],
        "set": names[:2],
        "interval": None,
    }


def write_records(path: Path, records: list[dict[str, Any]], rows_per_group: int = 16) -> None:
    """Write suggestions as a file of several row groups."""
    pq.write_table(pa.Table.from_pylist(records, SCHEMA), path, row_group_size=rows_per_group)


def draw_photographs(folder: Path, records: list[dict[str, Any]]) -> None:
    """A picture of 60 x 40 pixels for each row, of a colour of its own."""
    folder.mkdir(exist_ok=True)
    for index, record in enumerate(records):
        picture = np.full((40, 60, 3), [(37 * index) % 256, (91 * index) % 256, 128], np.uint8)
        Image.fromarray(picture).save(folder / record["picture"], quality=95)


RECORDS = made_records(60)
MATERIALS = [row for row, record in enumerate(RECORDS) if record["material"]]


@dataclass
class Server:
    """A running `arttl review`, and a client of it.

    Attributes:
        address: as printed, token included.
        process: the server.
        context: of TLS; None for http.
    """

    address: str
    process: subprocess.Popen[str]
    printed: list[str] = field(default_factory=list)
    context: ssl.SSLContext | None = None

    @property
    def path(self) -> str:
        """The path of the page, which begins with the token."""
        return urlsplit(self.address).path

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a request for an absolute path."""
        parts = urlsplit(self.address)
        assert parts.hostname and parts.port
        if self.context is None:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        else:
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=30, context=self.context
            )
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return (
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def get(self, path: str, **values: Any) -> Any:
        """The JSON of an address below the token."""
        status, _, body = self.request("GET", f"{self.path}{path}?{urlencode(values)}")
        assert status == 200, body
        return json.loads(body)

    def failed(self, path: str, **values: Any) -> tuple[int, str]:
        """Status and sentence of an address that fails."""
        status, _, body = self.request("GET", f"{self.path}{path}?{urlencode(values)}")
        return status, json.loads(body)["error"]

    def queue(self, **values: Any) -> list[int]:
        """The rows of a queue."""
        status, headers, body = self.request("GET", f"{self.path}api/queue?{urlencode(values)}")
        assert status == 200 and headers["content-type"] == "application/octet-stream", body
        return np.frombuffer(body, "<i4").tolist()

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        """Status and JSON of a request with a body."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, _, body = self.request("POST", self.path + path, data, {"content-type": "application/json"})
        return status, json.loads(body)

    def decide(
        self, task: str, row: int, verdict: str, *labels: str, version: int = 0, **more: Any
    ) -> dict[str, Any]:
        """Save one decision, which must be possible."""
        choice = {
            "row": row,
            "version": version,
            "verdict": verdict,
            **({"labels": labels} if labels else {}),
        }
        status, answer = self.post("api/decisions", {"task": task, "decisions": [choice], **more})
        assert status == 200, answer
        return dict(answer)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(
    *arguments: str | Path, context: ssl.SSLContext | None = None, prefix: tuple[str, ...] = ()
) -> Iterator[Server]:
    """`arttl review` with these arguments, until the block ends."""
    command = [*prefix, sys.executable, "-c", _MAIN, "review", *map(str, arguments), "--no-browser"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("stop"):
                break
        found = re.search(r"https?://\S+", "".join(printed))
        assert found, "".join(printed)
        yield Server(found[0], process, printed, context)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
