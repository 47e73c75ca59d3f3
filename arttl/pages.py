"""HTML pages that need no other file: Jinja2 templates below `templates/`, every value escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arttl.errors import printable

MOST_CARDS = 3000
"""Pictures of one page that a browser shows without delay."""

_LONGEST = 200  # characters; thousands of cards hold such texts several times
_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, *, styles: Sequence[str] = (), script: str = "", **values: Any) -> str:
    """The text of a page, whose policy allows its own styles and script and no other, and no address at all.

    Args:
        template: its file below `templates/`; it extends `base.html`, which has the styles for light and dark screens
            and for print. Bytes of a picture become text by the filter `base64`, and a collection's text is made
            printable and cut by `shown`.
        styles: files below `templates/` with the page's own styles.
        script: likewise of its JavaScript; empty: it has none.
        values: what the template names; all of them are needed.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    css = "".join(_text(name) for name in ("styles.css", *styles))
    javascript = _text(script) if script else ""
    inline = {"css": css, "javascript": javascript, "policy": _policy(css, javascript)}
    return environment.get_template(template).render({**values, **inline}) + "\n"


def shown(text: str) -> str:
    """A text of a collection as a page shows it: printable, and cut after 200 characters."""
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(css: str, javascript: str) -> str:
    """A Content Security Policy (level 3): whatever else a page is made to hold is neither run nor fetched."""
    allowed = [("style-src", css), ("script-src", javascript)]
    hashes = [f"{name} {_source(text)}" for name, text in allowed]
    return "; ".join(
        ("default-src 'none'", "img-src data:", *hashes, "base-uri 'none'", "form-action 'none'")
    )


def _source(text: str) -> str:
    if not text:
        return "'none'"
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
