"""Files at an address: what a web server may do, and what it costs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from arttl.errors import ArttlError
from arttl.fetching import pace
from arttl.fetching.pace import TooSlowError
from arttl.loading import receiving, remote
from arttl.loading.receiving import StoppedError, received

BLOCK = bytes(range(256)) * 256  # 64 KiB


class _Server(ThreadingHTTPServer):
    """Announces a length, and sends so many bytes, with a pause after each piece."""

    daemon_threads = True
    length, sends, piece, pause = 1000, 1000, len(BLOCK), 0.0
    closing = False
    sent = 0
    requests = 0


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        server = self.server
        server.requests += 1
        self.do_HEAD()
        left = server.sends
        with contextlib.suppress(OSError):  # the client has left
            while left > 0 and not server.closing:
                server.sent += self.wfile.write(BLOCK[: min(server.piece, left)])
                left -= server.piece
                time.sleep(server.pause)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.length))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    pytest.importorskip("aiohttp", reason="fsspec reads HTTP with aiohttp")
    fsspec.get_filesystem_class("http").clear_instance_cache()
    with _Server(("127.0.0.1", 0), _Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.closing = True
        serving.shutdown()
        thread.join()
        for reader in threading.enumerate():
            if reader.name == "arttl-receive":
                reader.join(5)


def address(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/a.tar"


def test_a_file_arrives(server: _Server) -> None:
    server.length = server.sends = 5 * 2**20 + 3
    data = b"".join(received(address(server), server.length, threading.Event()))
    assert len(data) == server.length and data.startswith(BLOCK) and server.requests == 1


def test_a_server_that_sends_for_ever_is_left(server: _Server) -> None:
    server.length = server.sends = 2**30
    data = b"".join(received(address(server), 1000, threading.Event()))
    assert len(data) == 1001 and server.sent < 50 * 2**20  # what sockets hold


@pytest.mark.parametrize("piece", [1, 0])
def test_a_server_that_drips_is_left(server: _Server, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(pace, "SECONDS_PER_MIB", 0.4)
    server.piece, server.pause = piece, 0.05
    started = time.monotonic()
    with pytest.raises(TooSlowError, match=r"less than 1 MiB arrived in 0.4 s"):
        list(received(address(server), server.length, threading.Event()))
    assert time.monotonic() - started < 15


def test_a_shard_that_drips_is_tried_twice(
    server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pace, "SECONDS_PER_MIB", 0.2)
    monkeypatch.setattr(remote, "_PAUSE", 0.0)
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path))
    server.piece, server.pause = 1, 0.05
    with pytest.raises(
        ArttlError, match=r"could not be fetched in 2 attempts \(less than 1 MiB arrived in 0.2 s\)"
    ):
        remote.read_manifest(address(server))
    assert server.requests == 2


def test_reading_that_is_given_up_does_not_wait(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.piece, server.pause = 1, 0.05
    monkeypatch.setattr(receiving, "_GLANCE", 0.1)
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    with pytest.raises(StoppedError):
        list(received(address(server), server.length, stop))
    assert time.monotonic() - started < 15
