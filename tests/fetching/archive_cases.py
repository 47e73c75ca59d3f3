"""Archives, honest and hostile."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path


def make_zip(
    path: Path, members: dict[str, bytes], mode: int | None = None, *, deflate: bool = False
) -> Path:
    """A zip; `mode` is the kind of file that its members claim to be."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = archive.compression
            if mode is not None:
                info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


def make_tar(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE, target: str = "") -> Path:
    """A tar; `kind` is what its members are, `target` where its links point."""
    ending = path.name.rpartition(".")[2]
    with tarfile.open(path, {"gz": "w:gz", "bz2": "w:bz2"}.get(ending, "w")) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(data))
    return path
