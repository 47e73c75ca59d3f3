"""Which labels of a collection become classes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from arttl.characters import plain_text
from arttl.documents import parse_json
from arttl.errors import ArttlError, one_line

_WORDS = ("train", "all-splits", "rijks2014")
_EXAMPLES = 3
_COMPARED = 20_000  # labels that a name without one is compared with


@dataclass(frozen=True)
class ClassRule:
    """A rule, by its text.

    `train`: every class of the training split. `all-splits` (the paper's): classes present in train, val and test.
    `min-count=N`: classes of the training split with at least N samples over all splits. `rijks2014` (the Rijksmuseum
    Challenge's): present in all splits, at least ten times in test. `listed=FILE`: classes present in all splits that a
    file names: text, one per line, or (`.json`) a list.

    Attributes:
        text: as given.
        least: N of `min-count`.
        listed: the names in the file, as `plain_text` makes them; labels are compared likewise.
    """

    text: str
    least: int = 0
    listed: frozenset[str] | None = None

    @classmethod
    def parse(cls, text: str) -> ClassRule:
        """A rule from its text.

        Raises:
            ArttlError: for an unknown rule, or a file that cannot be read or names nothing.
        """
        if text in _WORDS:
            return cls(text)
        name, _, value = text.partition("=")
        if name == "min-count" and value.isdecimal() and int(value) > 0:
            return cls(text, least=int(value))
        if name == "listed" and value:
            return cls(text, listed=_read_names(Path(value)))
        raise ArttlError(
            f"--classes {text!r} is not a class rule; use {', '.join(_WORDS)}, min-count=N or listed=FILE"
        )

    def choose(self, counts: Mapping[str, Mapping[str, int]]) -> set[str]:
        """The classes, out of the labels of a task.

        Args:
            counts: split to how many of its samples carry each label.
        """
        train, val, test = (counts[split] for split in ("train", "val", "test"))
        classes = set(train)
        if self.text in ("all-splits", "rijks2014") or self.listed is not None:
            classes &= set(val) & set(test)
        if self.text == "rijks2014":
            classes = {label for label in classes if test[label] >= 10}
        if self.listed is not None:
            classes = {label for label in classes if plain_text(label) in self.listed}
        if self.least:
            classes = {
                label
                for label in classes
                if sum(count.get(label, 0) for count in (train, val, test)) >= self.least
            }
        return classes

    def sentences(self, labels: Iterable[str]) -> list[str]:
        """A sentence on the listed names that no label has, if there are any.

        Args:
            labels: of all tasks, each once or more often.
        """
        if self.listed is None:
            return []
        distinct = dict.fromkeys(map(plain_text, labels))
        missing = sorted(name for name in self.listed if name not in distinct)
        if not missing:
            return []
        compared = [label for label, _ in zip(distinct, range(_COMPARED), strict=False)]
        examples = []
        for name in missing[:_EXAMPLES]:
            close = difflib.get_close_matches(name, compared, n=1)
            folded = [label for label in compared if label.casefold() == name.casefold()][:1]
            examples += [
                repr(name) + "".join(f" (the closest label is {label!r})" for label in folded or close)
            ]
        more = ", ..." if len(missing) > _EXAMPLES else ""
        return [
            f"--classes {self.text}: {len(missing):,} of {len(self.listed):,} names are no label of these tasks:"
            f" {', '.join(examples)}{more}"
        ]


def _read_names(path: Path) -> frozenset[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ArttlError(f"--classes listed={path} cannot be read: {one_line(error)}") from error
    if path.suffix == ".json":
        lines = parse_json(text, list[str], f"--classes listed={path}")
    else:
        lines = [line.strip() for line in text.splitlines()]
    names = frozenset(filter(None, map(plain_text, lines)))
    if not names:
        raise ArttlError(f"--classes listed={path} names no class; write one per line")
    return names
