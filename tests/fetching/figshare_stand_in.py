"""A stand-in of figshare over loopback that misbehaves as it is told."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from loopback import served_by


@dataclass
class StandIn:
    """Its files, and how it behaves."""

    files: dict[str, bytes]
    api: str = ""
    break_after: int | None = None
    """Bytes of an answer after which the connection is cut."""
    pause: float = 0.0
    """Seconds before each byte of a file."""
    ranges: bool = True
    """Whether a range of a file can be asked for."""
    wrong_sums: Counter[str] = field(default_factory=Counter)
    """How often a file is sent with one byte changed."""
    status: dict[str, list[int]] = field(default_factory=dict)
    """Errors that a file is answered with first."""
    listing: object = None
    """Instead of the list of files."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Names asked for, with their range."""

    def article(self) -> object:
        """What the API says of the article."""
        if self.listing is not None:
            return self.listing
        return {
            "files": [
                {
                    "name": name,
                    "size": len(data),
                    "computed_md5": hashlib.md5(data).hexdigest(),
                    "download_url": f"{self.api}/download/{name}",
                    "is_link_only": False,
                }
                for name, data in self.files.items()
            ]
        }


@contextmanager
def serving(stand_in: StandIn) -> Iterator[StandIn]:
    """Serve it until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/articles/5660617":
                return self._send(json.dumps(stand_in.article()).encode())
            name = self.path.rpartition("/")[2]
            wanted = self.headers.get("Range")
            stand_in.requests.append((name, wanted))
            errors = stand_in.status.get(name)
            if errors:
                return self.send_error(errors.pop(0))
            data = stand_in.files[name]
            if stand_in.wrong_sums[name] > 0 and not wanted:
                stand_in.wrong_sums[name] -= 1
                data = data[:-1] + bytes([data[-1] ^ 1])
            start = 0
            if wanted and stand_in.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            return self._send(data, start, stand_in.break_after)

        def _send(self, data: bytes, start: int = 0, stop: int | None = None) -> None:
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            data = data[start:] if stop is None else data[start : start + stop]
            for first in range(0, len(data), 1 if stand_in.pause else len(data)):
                time.sleep(stand_in.pause)
                with suppress(OSError):  # the client has left
                    self.wfile.write(data[first : first + 1] if stand_in.pause else data)

    with served_by(Handler) as stand_in.api:
        yield stand_in
