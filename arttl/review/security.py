"""What stands between the browser and the app: the token, the checks of a request, the policy of every response.

- The first part of every path is a token that only the printed address has. Nothing is kept in cookies, so a page
  elsewhere has nothing that the browser would send along (CSRF).
- `Host` must be the app's own, or a name that was pointed at this machine would be let in (DNS rebinding).
- `Origin`, where there is one, must be the app's own.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 2**20
"""Bytes of a request."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Guard:
    """Lets requests through to an app that are its own pages', with the token taken off the path."""

    def __init__(self, app: App, token: str, hosts: Iterable[str], scheme: str) -> None:
        """Guard an app.

        Args:
            app: that is guarded.
            token: the first part of every path.
            hosts: values of `Host` under which the app is reached, with the port.
            scheme: `http` or `https`.
        """
        self._app, self._token = app, token.encode()
        self._hosts = {host.encode() for host in hosts}
        self._origins = {f"{scheme}://".encode() + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # a connection of another kind is closed
        send = _with_headers(send)
        if refusal := self._refusal(scope):
            await _respond(send, *refusal)
            return
        path = scope["path"].partition("/")[2].partition("/")[2]
        scope = {**scope, "path": f"/{path}", "raw_path": f"/{path}".encode(), "root_path": ""}
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        hosts = headers.get(b"host", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, "this is not the address that arttl review printed"
        origins = headers.get(b"origin", [])
        if any(origin not in self._origins for origin in origins):
            return 403, "a page of another address asked for this"
        if headers.get(b"sec-fetch-site", [b"none"])[0] in (b"cross-site", b"same-site"):
            return 403, "a page of another address asked for this"
        first, slash, _ = scope["path"].partition("/")[2].partition("/")
        if not hmac.compare_digest(first.encode("utf-8", "surrogateescape"), self._token) or not slash:
            return 403, (
                "the address lacks the token of this run of arttl review, which is new each time: open the whole"
                " address that it has printed"
            )
        return None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return sending


async def _respond(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
