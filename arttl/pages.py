"""HTML pages that need no other file: Jinja2 templates below `templates/`, every value escaped."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any


def render_page(template: str, **values: Any) -> str:
    """The text of a page.

    Args:
        template: its file below `templates/`; it extends `base.html`, which has the styles for light and dark screens
            and for print. Bytes of a picture become text by the filter `base64`.
        values: what the template names; all of them are needed.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return environment.get_template(template).render(values) + "\n"
