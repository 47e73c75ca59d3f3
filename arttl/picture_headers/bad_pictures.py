"""The one exception of a file that is not a usable picture."""

from __future__ import annotations

from arttl.errors import ArttlError
from arttl.shards.rejects import Reason


class BadPicture(ArttlError):
    """A file that is not a usable picture.

    Attributes:
        reason: from the fixed list `arttl.shards.rejects.REASONS`.
        detail: what exactly is wrong.
    """

    def __init__(self, reason: Reason, detail: str, file: str = "the picture") -> None:
        super().__init__(f"{file} cannot be used ({reason}): {detail}")
        self.reason: Reason = reason
        self.detail = detail


class UnsupportedPixels(ValueError):
    """A sound picture whose pixels are not read; its message says what they are and what to do.

    Any other `ValueError` of a reader of pictures means that the file is damaged.
    """
