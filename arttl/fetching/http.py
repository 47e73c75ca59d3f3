"""A client for other people's servers: slow on purpose, patient, and hard to lead astray.

Every request has a least distance from the one before it to the same host, a limit of bytes and a limit of time.
Redirects are followed here, one by one. Addresses that strangers name lead to public hosts only: a name is resolved
first, and the connection is made to an address that was checked (OWASP, Server-Side Request Forgery Prevention). What
that does not cover: behind a proxy (`http_proxy`, `https_proxy`), the proxy resolves names, so that only hosts that are
written as numbers are checked; and addresses that are public to this machine and yet not meant for it.
"""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from arttl.errors import ArttlError, one_line
from arttl.version import __version__

_CHUNK = 1 << 16
_SILENCE = 30.0  # seconds without a byte
_LONGEST_WAIT = 600.0  # seconds between two attempts
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
# Worth another attempt; any other status of an error will not change.
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
_LEFT_AFTER = 5  # files in a row that a host did not send
_SAFE = "%/:=&?~+!$,;'@()*[]"  # of an address, beside letters, digits, `_`, `.` and `-`


class FetchError(ArttlError):
    """A file that could not be fetched.

    Attributes:
        status: the server's, where it sent one; otherwise 0.
        temporary: whether a later attempt may succeed.
        wait: seconds that the server asks to wait before it.
    """

    def __init__(self, reason: str, *, status: int = 0, temporary: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.temporary = temporary
        self.wait = wait


@dataclass(frozen=True)
class Response:
    """What a server sent.

    Attributes:
        data: the whole body.
        content_type: in lower case, without parameters; empty where it named none.
    """

    data: bytes
    content_type: str


class PoliteClient:
    """Fetches one file after the other."""

    def __init__(
        self,
        *,
        rate: float,
        retries: int,
        pause: float = 1.0,
        seconds: float = 300.0,
        most_wait: float = _LONGEST_WAIT,
    ) -> None:
        """Make the client.

        Args:
            rate: requests per second to one host, at most.
            retries: further attempts at a file whose failure may be temporary.
            pause: seconds before the first of them, doubled for each one after it.
            seconds: that one attempt may take in all.
            most_wait: the longest time that a server may ask to wait.
        """
        self._distance = 1 / rate
        self._retries = retries
        self._pause = pause
        self._seconds = seconds
        self._most_wait = most_wait
        self._next: dict[str, float] = {}  # host to when it may be asked again
        self._failed: Counter[str] = Counter()  # host to files in a row that it did not send
        self._left: dict[str, str] = {}  # hosts that are not asked again, and why

    def get(
        self,
        address: str,
        *,
        most_bytes: int,
        local: bool = False,
        check: Callable[[Response], None] = lambda response: None,
    ) -> Response:
        """Fetch a file.

        Args:
            address: of `http` or `https`.
            most_bytes: of the body; a longer one is refused, whether its length was announced or not.
            local: whether it may be on a private network or this machine.
            check: raises a `FetchError` for a response that is not what it should be.

        Raises:
            FetchError: if it cannot be had.
        """
        host = _host(address)
        if host in self._left:
            raise FetchError(f"{host} is not asked again: it {self._left[host]}", temporary=True)
        for attempt in range(self._retries + 1):
            try:
                response = self._follow(address, most_bytes, local)
            except FetchError as error:
                failure, is_sent = error, False
            else:
                self._failed[host] = 0
                try:
                    check(response)
                    return response
                except FetchError as error:
                    failure, is_sent = error, True
            if failure.wait > self._most_wait:
                self._left[host] = f"asks to wait {failure.wait:,.0f} s"
                raise FetchError(f"{failure}, and the server {self._left[host]}", status=failure.status)
            if not failure.temporary:
                self._failed[host] = 0
                raise failure
            pause = time.monotonic() + max(failure.wait, self._backoff(attempt))
            self._next[host] = max(self._next.get(host, 0.0), pause)
        self._failed[host] += not is_sent
        if self._failed[host] == _LEFT_AFTER:
            self._left[host] = f"did not send {_LEFT_AFTER} files in a row"
        raise failure

    def _backoff(self, attempt: int) -> float:
        return min(self._pause * 2.0**attempt, self._most_wait) if attempt < self._retries else 0.0

    def _follow(self, address: str, most_bytes: int, local: bool) -> Response:
        for _ in range(_MOST_REDIRECTS + 1):
            host = _host(address)
            now = time.monotonic()
            time.sleep(max(self._next.get(host, 0.0) - now, 0.0))
            self._next[host] = time.monotonic() + self._distance
            response = _exchange(address, most_bytes, self._seconds, local)
            if isinstance(response, Response):
                return response
            if urlsplit(address).scheme == "https" and urlsplit(response).scheme != "https":
                raise FetchError(f"redirected from https to {response[:200]!r}, which is refused")
            address = response
        raise FetchError(f"redirected more than {_MOST_REDIRECTS} times")


def is_local(address: str) -> bool:
    """Whether the host of an address is on a private network or this machine; False for one that is not known."""
    try:
        return _is_local_host(urlsplit(address).hostname or "")
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _is_local_host(name: str) -> bool:
    numbers: set[str] = set()
    with suppress(OSError, ValueError):
        numbers = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    return bool(numbers) and not any(map(_is_public, numbers))


def _host(address: str) -> str:
    """The host and port of a web address.

    Raises:
        FetchError: for any other address.
    """
    try:
        split = urlsplit(address)
        if split.scheme in ("http", "https") and split.hostname:
            port = split.port or {"http": 80, "https": 443}[split.scheme]
            return f"{split.hostname}:{port}"
    except ValueError:  # a port that is no number
        pass
    raise FetchError(f"{address[:200]!r} is not a web address")


def _exchange(address: str, most_bytes: int, seconds: float, local: bool) -> Response | str:
    """One request: the response, or the address that it redirects to."""
    guard = _Guard(local)
    headers = {"User-Agent": f"arttl/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    try:
        request = urllib.request.Request(_quoted(address), headers=headers)
        opener = guard.opener(request)
        with (
            guard.ending_after(seconds),
            opener.open(request, timeout=min(_SILENCE, seconds)) as response,
        ):
            sent = _read(response, most_bytes)
            if guard.over:  # a body without a length seems to end where the connection was ended
                raise OSError("the connection was ended")
            return sent
    except urllib.error.HTTPError as error:
        with error:
            location = error.headers.get("Location")
        if error.code in _REDIRECTS and location:
            with suppress(ValueError):
                return urljoin(address, location.strip())
        raise FetchError(
            f"HTTP {error.code} {one_line(error.reason)}",
            status=error.code,
            temporary=error.code in _TEMPORARY,
            wait=_seconds_to_wait(error.headers.get("Retry-After")),
        ) from error
    except FetchError:
        raise
    except (OSError, http.client.HTTPException, ValueError, zlib.error) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, FetchError):
            raise cause from error
        if guard.over:
            raise FetchError(f"it took longer than {seconds:g} s", temporary=True) from error
        reason = one_line(cause)
        # Names and addresses that cannot be used stay so; a connection may be better next time.
        raise FetchError(
            reason, temporary=not isinstance(error, ValueError | http.client.InvalidURL)
        ) from error


def _read(response: http.client.HTTPResponse, most_bytes: int) -> Response:
    text = response.headers.get("Content-Length", "").strip()
    announced = int(text) if text.isdecimal() and not response.headers.get("Transfer-Encoding") else None
    if announced is not None and announced > most_bytes:
        raise FetchError(f"it has {announced:,} bytes, more than {most_bytes:,}")
    data = bytearray()
    while announced is None or len(data) < announced:
        chunk = response.read1(_CHUNK if announced is None else min(_CHUNK, announced - len(data)))
        if not chunk:
            break
        data += chunk
        if len(data) > most_bytes:
            raise FetchError(f"it has more than {most_bytes:,} bytes")
    if announced is not None and len(data) < announced:
        raise FetchError(f"the connection ended after {len(data):,} of {announced:,} bytes", temporary=True)
    body = bytes(data)
    if response.headers.get("Content-Encoding", "").strip().lower() == "gzip":  # though it was not asked for
        unpacking = zlib.decompressobj(31)
        body = unpacking.decompress(body, most_bytes + 1)
        if len(body) > most_bytes or not unpacking.eof:
            raise FetchError(f"it unpacks to more than {most_bytes:,} bytes, or is cut")
    return Response(body, response.headers.get("Content-Type", "").partition(";")[0].strip().lower())


class _Guard:
    """Connections to allowed hosts only, and their end when the time is over."""

    def __init__(self, local: bool) -> None:
        self._local = local
        self._socket: socket.socket | None = None
        self.over = False

    def opener(self, request: urllib.request.Request) -> urllib.request.OpenerDirector:
        """An opener without redirects, files or other schemes."""
        guard = self
        proxies = urllib.request.getproxies()
        name = urlsplit(request.full_url).hostname or ""
        proxied = request.type in proxies and not urllib.request.proxy_bypass(name)
        if proxied:
            self._check_name(name)

        class Plain(http.client.HTTPConnection):
            def connect(self) -> None:
                self._create_connection = guard.connect if not proxied else socket.create_connection
                super().connect()
                guard.watch(self.sock)

        class Secure(http.client.HTTPSConnection):
            def connect(self) -> None:
                self._create_connection = guard.connect if not proxied else socket.create_connection
                super().connect()
                guard.watch(self.sock)

        class Opening(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
            def http_open(self, req: urllib.request.Request) -> Any:
                return self.do_open(Plain, req)

            def https_open(self, req: urllib.request.Request) -> Any:
                return self.do_open(Secure, req, context=_tls())

        director = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(proxies if proxied else {}),
            Opening(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            director.add_handler(handler)
        return director

    def connect(self, address: tuple[str, int], timeout: Any = None, source: Any = None) -> socket.socket:
        """A connection to the first address of a host that is allowed, in the place of `socket.create_connection`."""
        host, port = address
        refused, failure = "", OSError(f"{host} has no address")
        for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            number = str(entry[4][0])
            if not self._is_allowed(number):
                refused = number
                continue
            try:
                return socket.create_connection((number, port), timeout, source)
            except OSError as error:
                failure = error
        if refused:
            raise FetchError(f"{host} is at {refused}, which is not public and is refused")
        raise failure

    def watch(self, connected: socket.socket) -> None:
        """End this connection when the time is over."""
        self._socket = connected
        if self.over:
            self._end()

    @contextmanager
    def ending_after(self, seconds: float) -> Iterator[None]:
        """The connection is ended if the block takes longer, however slowly bytes still arrive."""
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _is_allowed(self, number: str) -> bool:
        """Whether an address may be connected to; those of the link alone never, since clouds keep secrets there."""
        return _is_public(number) or (self._local and not _address(number).is_link_local)

    def _check_name(self, name: str) -> None:
        with suppress(ValueError):
            if not self._is_allowed(name):
                raise FetchError(f"{name} is not public and is refused")
        if name.rstrip(".").endswith("localhost") and not self._local:
            raise FetchError(f"{name} is not public and is refused")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _address(number: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_public(number: str) -> bool:
    """Whether an address is one that is reached over the internet.

    Raises:
        ValueError: if it is no address.
    """
    address = _address(number)
    return address.is_global and not address.is_multicast


def _quoted(address: str) -> str:
    """An address with all that may not be in a request encoded."""
    split = urlsplit(address)
    return urlunsplit((split.scheme, split.netloc, quote(split.path, _SAFE), quote(split.query, _SAFE), ""))


def _seconds_to_wait(text: str | None) -> float:
    """The seconds of a `Retry-After`, which are a number or a date; 0 for anything else."""
    text = (text or "").strip()
    if text.isdecimal():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    return 0.0
