"""The settings of `arttl report`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from arttl.errors import ArttlError
from arttl.reports.searching import FILE as SEARCH
from arttl.settings import BetweenZeroAndOne, FileToWrite, Settings


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """Write suggestions, or the doubtful labels of an audit, as a page that opens from the disk without a network.

    A gallery with search and filters, the model's map over each picture, counts per class, what is promised of the
    suggestions, and how the model was made.
    """

    predictions: Path | None = None
    """Suggestions of arttl predict, .parquet or .jsonl."""
    audit: Path | None = None
    """Folder of arttl audit, in place of --predictions."""
    model: Path | None = None
    """Folder of the model that suggested, or of its run; without it there are no maps and no word on the model."""
    precision: BetweenZeroAndOne = 0.9
    """That arttl predict promised; the suggestions are compared with it."""
    images: Path | None = None
    """Folder of the pictures that were predicted."""
    shards: Path | None = None
    """Folder of the shards that were predicted or audited, in place of --images."""
    maps: bool = True
    """Lay the model's VisualBackProp map over each picture."""
    out: Path
    """File to write, .html; with --paged a folder."""
    paged: bool = False
    """Write a folder of pages in place of one file, for more than 3,000 pictures."""
    overwrite: bool = False
    """Replace what --out already names."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if (self.predictions is None) == (self.audit is None):
            raise ArttlError("name what is reported with --predictions or with --audit, one of them")
        if self.images is not None and self.shards is not None:
            raise ArttlError("name where the pictures are with --images or with --shards, not both")
        if self.paged == (self.out.suffix == ".html"):
            wanted = "a folder, without the suffix .html" if self.paged else "a file that ends in .html"
            raise ArttlError(f"--out {self.out} must be {wanted}{', with --paged' if self.paged else ''}")
        if not self.paged:
            FileToWrite().check("--out", self.out)
        if self.out.exists() and not self.overwrite:
            raise ArttlError(f"--out {self.out} exists already; choose another name, or pass --overwrite")
        if self.out.exists() and self.paged and not _is_report(self.out):
            raise ArttlError(
                f"--out {self.out} is not the folder of a report, which alone is replaced; choose another name"
            )


def _is_report(folder: Path) -> bool:
    """Whether a folder holds the pages of a report and nothing else."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return "index.html" in names and all(
        re.fullmatch(r"page-\d{4,}\.html", name) for name in names - {"index.html", SEARCH}
    )
