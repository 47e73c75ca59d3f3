"""The decisions of a file that stand: in force, not skipped, and not disputed among reviewers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from arttl.decisions.decision import Row, Subject
from arttl.decisions.file import DecisionFile
from arttl.errors import ArttlError, counted


@dataclass
class Standing:
    """Decisions that stand.

    Attributes:
        path: of the file.
        rows: subject to its decision, in the order of object numbers.
        skipped: how many subjects were skipped.
        disputed: how many subjects reviewers have decided differently.
        example: one of the disputed subjects.
    """

    path: Path
    rows: dict[Subject, Row] = field(default_factory=dict)
    skipped: int = 0
    disputed: int = 0
    example: Subject | None = None

    @classmethod
    def read(cls, path: Path, reviewer: str | None = None) -> Standing:
        """Read a file.

        Args:
            path: the file.
            reviewer: whose decisions alone are read; None: everybody's.

        Raises:
            ArttlError: if it cannot be read, or holds no decision of that reviewer.
        """
        standing = cls(path)
        with DecisionFile(path, is_read_only=True) as file:
            if reviewer is not None:
                names = {row.decision.reviewer for _, rows in file.histories() for row in rows}
                if reviewer not in names:
                    known = ", ".join(sorted(names)[:10]) or "nobody"
                    raise ArttlError(f"--reviewer {reviewer}: {path} has decisions of {known}")
            for subject, state in file.states(reviewer):
                if state.row is None:
                    continue
                if state.is_disputed:
                    standing.disputed += 1
                    standing.example = standing.example or subject
                elif state.row.decision.verdict == "skipped":
                    standing.skipped += 1
                else:
                    standing.rows[subject] = state.row
        return standing

    def sentences(self) -> Iterator[str]:
        """What was read, and what was not."""
        yield f"decisions: {counted(len(self.rows), 'decision stands', 'decisions stand')} in {self.path}"
        if self.skipped:
            yield f"decisions: {counted(self.skipped, 'was', 'were')} skipped, and left out"
        if self.example is not None:
            name = self.example.object_number or self.example.picture
            yield (
                f"decisions: {counted(self.disputed, 'is', 'are')} left out, since reviewers have decided differently,"
                f" such as the {self.example.task} of {name!r}; decide in arttl review, or name one with --reviewer"
            )
