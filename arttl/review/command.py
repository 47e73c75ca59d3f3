"""`arttl review`: the server of the review app, on this machine alone unless it is told otherwise."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from arttl.console import Reporter, command_line
from arttl.errors import ArttlError, one_line
from arttl.review.security import Guard
from arttl.review.session import Session
from arttl.review.settings import ReviewSettings


def run(settings: ReviewSettings) -> None:
    """Serve the app until it is interrupted.

    Raises:
        ArttlError: for everything that the user can mend.
    """
    reporter = Reporter(True)

    def started(address: str) -> None:
        reporter.say(f"open        {address}")
        reporter.say("stop        Ctrl-C; what is shown as saved is saved")
        if settings.browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    with opened(settings) as session:
        for sentence in session.sentences():
            reporter.say(sentence)
        serve(session, started)
        export = ("export", "--decisions", settings.decisions, "--to", "csv", "--out", "reviewed.csv")
        reporter.say(f"next        {command_line('decisions', *export)}")


@contextmanager
def opened(settings: ReviewSettings) -> Iterator[Session]:
    """A session, closed in the end.

    Raises:
        ArttlError: as `Session`.
    """
    _lean()
    session = Session(settings)
    _lean()
    try:
        yield session
    finally:
        session.close()


def serve(session: Session, started: Callable[[str], None] = lambda address: None) -> None:
    """Serve a session until the process is interrupted or ended.

    Args:
        session: an open one.
        started: called with the address, token included, as soon as it can be opened.

    Raises:
        ArttlError: if the port is taken, the certificate cannot be used, or the extra `review` is not installed.
    """
    try:
        import uvicorn
        from anyio import to_thread

        from arttl.review.app import build_app
    except ImportError as error:
        raise ArttlError("arttl review needs further packages: pip install 'arttl[review]'") from error
    settings = session.settings
    _check_certificate(settings)
    listening = _listening(settings)
    port = listening.getsockname()[1]
    names = ("127.0.0.1", "localhost", "[::1]") if settings.is_loopback else (_in_address(settings.host),)
    scheme = "http" if settings.tls_certificate is None else "https"
    token = secrets.token_urlsafe(24)
    default = {"http": 80, "https": 443}[scheme]
    hosts = [f"{name}:{port}" for name in names] + (list(names) if port == default else [])
    config = uvicorn.Config(
        Guard(build_app(session), token, hosts, scheme),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",  # nothing to begin and end; a second Ctrl-C would print where it was
        limit_concurrency=500,
        timeout_graceful_shutdown=5,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    server = uvicorn.Server(config)

    async def work() -> None:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        serving = asyncio.ensure_future(server.serve([listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if server.started:
            started(f"{scheme}://{_in_address(settings.host)}:{port}/{token}/")
        await serving

    try:
        asyncio.run(work())
    except KeyboardInterrupt:  # the usual way to end it
        pass
    finally:
        listening.close()


def _listening(settings: ReviewSettings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(512)
    except OSError as error:
        raise ArttlError(
            f"--host {settings.host} --port {settings.port} cannot be used: {error.strerror or error}; choose another"
        ) from error
    return listening


def _check_certificate(settings: ReviewSettings) -> None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ArttlError(
            f"--tls-certificate {settings.tls_certificate} with --tls-key {settings.tls_key} cannot be used:"
            f" {one_line(error)}"
        ) from error


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


_THREADS = 12  # that answer requests; more of them would only take memory
_MOST_ARENAS = -8  # M_ARENA_MAX of malloc.h


def _lean() -> None:
    """Keep memory for rows that a person looks at, not what reading the files has used."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        import ctypes

        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        library.mallopt(_MOST_ARENAS, 2)  # else each thread keeps memory of its own
