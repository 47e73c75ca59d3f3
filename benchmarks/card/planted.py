"""Parts that fail on purpose, with --emulate: what becomes of a part is to be seen without a card too."""

from __future__ import annotations

import os
import signal
import time

from card.run import Run


def hangs(run: Run) -> None:
    """Reports a figure, and then does not end."""
    run.report("before the end of its time", 1, "figure")
    time.sleep(3600)


def crashes(run: Run) -> None:
    """Ends by a signal, as by an access outside its memory."""
    os.kill(os.getpid(), signal.SIGSEGV)


def fails(run: Run) -> None:
    """Ends with an error."""
    raise ValueError("a part that was to fail")


def lacks(run: Run) -> None:
    """Needs a package that nobody has."""
    import arttl_package_that_is_not_there  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
