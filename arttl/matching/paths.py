"""Image names in metadata to paths that stay inside the image folder."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from arttl.errors import ArttlError

_DRIVE = re.compile(r"[A-Za-z]:")


def image_folder(images: Path | None, source: str) -> Path:
    """The folder of `--images`.

    Raises:
        ArttlError: if it was not given or is not a folder.
    """
    if images is None:
        raise ArttlError(f"--source {source} needs --images FOLDER")
    if not images.is_dir():
        raise ArttlError(f"--images {images} is not a folder")
    return images


def image_path(folder: Path, name: str) -> Path | None:
    """The path of an image that metadata name, or None for a name that leads out of the folder.

    The name alone decides, no file is looked at: metadata come from strangers, the folder and its links do not.
    Backslashes count as slashes, since many catalogues run on Windows.

    Args:
        folder: the image folder.
        name: relative to it, of any depth.
    """
    plain = name.strip().replace("\\", "/")
    inside = posixpath.normpath(plain)
    if plain.startswith("/") or _DRIVE.match(plain) or inside in (".", "..") or inside.startswith("../"):
        return None
    return folder / inside
