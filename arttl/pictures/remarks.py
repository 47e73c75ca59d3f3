"""What was done to pictures because of what their files say, in clauses that are counted over a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from arttl.pictures.colour import is_changed_by_profile
from arttl.pictures.decoded import Decoded

FIRST_PAGE = "the first of several pages or frames was taken"
LATER_PAGE = "a larger page was taken in place of the first, which is a preview"
REDUCED = "only a reduced-resolution version is in the file, and was taken"
MORE_BITS = "samples of more than 8 bits were scaled to 8"
GAMMA = "the gamma, chromaticities or code points of the file were applied"
PROFILE = "the embedded colour profile was applied"
NO_PROFILE = "the embedded colour profile cannot be used, and was ignored"
INKS = "inks (CMYK) were converted to sRGB"
ALPHA = "transparent parts were made white"


def remarks_on(decoded: Decoded) -> Iterator[str]:
    """What reading the file and converting its pixels to sRGB means for a picture, at any scale."""
    yield from decoded.remarks
    picture, icc = decoded.picture, decoded.icc
    if picture.mode in ("LA", "RGBA") and picture.getchannel("A").getextrema() != (255, 255):
        yield ALPHA
    if picture.mode == "CMYK":
        yield INKS
    if icc and GAMMA not in decoded.remarks:
        is_changed = is_changed_by_profile(icc, picture.mode)
        if is_changed is not False:
            yield NO_PROFILE if is_changed is None else PROFILE


def sentences(counted: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One for each remark, from its number of pictures and its example."""
    for remark, entry in counted.items():
        pictures = "picture" if entry["pictures"] == 1 else "pictures"
        yield f"{remark}: {entry['pictures']:,} {pictures}, such as {entry['example']}"
