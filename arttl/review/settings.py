"""The settings of `arttl review`."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from arttl.characters import plain_text
from arttl.decisions.decision import LONGEST_TEXT
from arttl.errors import ArttlError
from arttl.settings import Range, Settings

LOOPBACK = "127.0.0.1"


def _user() -> str:
    try:
        return plain_text(getpass.getuser()) or "reviewer"
    except (OSError, KeyError, ImportError):  # a user without a name, as containers have
        return "reviewer"


@dataclass(frozen=True, kw_only=True)
class ReviewSettings(Settings):
    """Look at suggestions in the browser, and accept, correct or reject them.

    Everything stays on this machine. Decisions are appended to a file of their own; the catalogue and the suggestions
    are never changed. Take the decisions home with arttl decisions export.
    """

    predictions: Path | None = None
    """Suggestions of arttl predict, .parquet or .jsonl, which is copied to a temporary file first."""
    agreeing: tuple[Path, ...] = ()
    """Suggestions of other models for the same pictures, likewise: what all models suggest and the catalogue does not
    have is a queue."""
    audit: Path | None = None
    """Folder of arttl audit, whose doubts are a queue; with --predictions or alone."""
    images: Path | None = None
    """Folder of the photographs that the suggestions name."""
    shards: Path | None = None
    """Folder of shards, in place of --images, for suggestions of arttl predict --shards and for doubts."""
    model: Path | None = None
    """Folder of the model that suggested, or of its run: its maps are shown on demand, and the digest of its weights is
    written with each decision."""
    vocabulary: Path | None = None
    """Reviewed table of identifiers, see arttl vocabulary: its other names of labels and addresses are searched too."""
    decisions: Path = Path("decisions.sqlite")
    """File of decisions; made where there is none, and appended to."""
    reviewer: str = field(default_factory=_user)
    """Name that is written beside each decision. By default that of the user."""
    blind: bool = False
    """Hide what other reviewers have decided, so that agreement can be measured (arttl decisions agreement)."""
    port: Annotated[int, Range(0, 65_535)] = 0
    """Port. 0: any that is free."""
    host: str = LOOPBACK
    """Name or address of this machine under which others reach it; needs --tls-certificate and --tls-key."""
    tls_certificate: Path | None = None
    """File of the certificate of --host, with those that vouch for it (PEM)."""
    tls_key: Path | None = None
    """File of its private key (PEM)."""
    browser: bool = True
    """Open the address in the browser; it is printed in any case."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in (LOOPBACK, "localhost", "::1")

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if self.predictions is None and self.audit is None:
            raise ArttlError("name what is reviewed with --predictions, with --audit, or with both")
        if self.agreeing and self.predictions is None:
            raise ArttlError("--agreeing is compared with --predictions: give that too")
        if (self.images is None) == (self.shards is None):
            raise ArttlError("name the photographs with --images or with --shards, one of them")
        if not plain_text(self.reviewer) or len(self.reviewer) > LONGEST_TEXT:
            raise ArttlError("--reviewer must be a name")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ArttlError("--tls-certificate and --tls-key go together")
        if not self.is_loopback and self.tls_certificate is None:
            raise ArttlError(
                f"--host {self.host} can be reached by others: give --tls-certificate and --tls-key too, or leave"
                " --host out"
            )
        if self.host in ("", "*", "0.0.0.0", "::"):
            raise ArttlError(
                f"--host {self.host or '(empty)'} is no name of this machine: give the name or address under which"
                " others reach it"
            )
