"""Reports read by a parser that knows nothing of how they are made."""

from __future__ import annotations

import base64
import io
import json
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

HOSTILE = (
    "</script><script>window.attacked = 1</script>",
    '"><img src=x onerror="window.attacked = 1">',
    "' onmouseover='window.attacked = 1' x='",
    "</style></li></ul><iframe srcdoc='<script>parent.attacked = 1</script>'>",
    "{{ 7 * 7 }}{% raw %}<!--",
    "=cmd|' /C calc'!A0 & <b>x</b> &amp;lt;",
    "javascript:window.attacked=1//",
)
_WITHOUT_END = {"meta", "img", "input", "br"}


class Element:
    """An element with its attributes, the elements in it, and the texts right in it."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    @property
    def text(self) -> str:
        """All texts in it, blanks folded."""
        texts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join(" ".join(texts).split())

    def all(self, tag: str, **wanted: str) -> list[Element]:
        """The elements below with a tag and attributes; `class_` must be one of the classes."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child.tag == tag and all(child.has(name, value) for name, value in wanted.items()):
                    found.append(child)
                found += child.all(tag, **wanted)
        return found

    def has(self, name: str, value: str) -> bool:
        """Whether an attribute has a value."""
        own = self.attributes.get(name.rstrip("_").replace("_", "-")) or ""
        return value in own.split() if name == "class_" else own == value


class Reader(HTMLParser):
    """A page as a tree; elements that are not closed in their order fail."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.root = Element("", {})
        self._open = [self.root]
        self.every: list[Element] = []
        self.feed(self.source)
        self.close()
        assert len(self._open) == 1, [element.tag for element in self._open]

    def handle_starttag(self, tag, attrs) -> None:
        element = Element(tag, dict(attrs))
        assert len(element.attributes) == len(attrs), f"an attribute twice: {attrs}"
        self._open[-1].children.append(element)
        self.every.append(element)
        if tag not in _WITHOUT_END:
            self._open.append(element)

    def handle_endtag(self, tag) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data) -> None:
        self._open[-1].children.append(data)

    @property
    def cards(self) -> list[Element]:
        """Of the gallery."""
        return self.root.all("li", class_="card")

    def table(self, caption: str) -> list[list[str]]:
        """The rows of the table of a caption, its headings first."""
        for table in self.root.all("table"):
            captions = [each.text for each in table.all("caption")]
            if captions == ([caption] if caption else []):
                return [
                    [cell.text for cell in row.children if isinstance(cell, Element)]
                    for row in table.all("tr")
                ]
        raise AssertionError(caption)


def claims(card: Element) -> list[tuple[str, str, list[str], float | None]]:
    """Task, status, labels and probability of each claim of a card, as its script gets them."""
    found = []
    for claim in card.all("div", class_="claim"):
        get = claim.attributes.get
        probability = get("data-probability")
        labels = json.loads(get("data-labels") or "")
        found.append(
            (get("data-task") or "", get("data-status") or "", labels, probability and float(probability))
        )
    return found


def picture(image: Element) -> tuple[int, Image.Image]:
    """The bytes and the picture of an `img`."""
    source = image.attributes["src"] or ""
    prefix = "data:image/webp;base64,"
    assert source.startswith(prefix)
    data = base64.b64decode(source.removeprefix(prefix), validate=True)
    return len(data), Image.open(io.BytesIO(data))
