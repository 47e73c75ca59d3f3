"""Prints each name of a host that a program asks for, once; imported by the scripts that serve the peers."""

from __future__ import annotations

import sys
from typing import Any

_SEEN: set[str] = set()


def _note(event: str, values: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo" and (host := str(values[0])) not in _SEEN:
        _SEEN.add(host)
        print(f"host {host}", flush=True)


sys.addaudithook(_note)
