"""Pictures for the browser: decoded, scaled down and encoded anew, so that no byte of a stranger's file reaches it."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from arttl.cache import cache_folder
from arttl.cpu import usable_cores
from arttl.documents import parse_json
from arttl.errors import ArttlError
from arttl.matching.paths import image_folder, image_path
from arttl.pictures.decoding import BadPicture, decode_picture, opened_image
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale
from arttl.review.collection import Collection
from arttl.review.columns import Codes
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest

Size: TypeAlias = Literal["thumbnail", "large"]
SIZES: tuple[Size, ...] = get_args(Size)
SIDE = {"thumbnail": 256, "large": 1600}
"""Longest side in pixels."""
_QUALITY = {"thumbnail": 80, "large": 88}
_LOOKED_FOR = 200  # pictures, at the start, over the whole table
_LARGEST_CACHE = 4 * 2**30  # bytes


class NoPicture(ArttlError):
    """A row, or a sample, whose picture is not at hand."""


class Pictures:
    """The photographs of rows, from a folder or from shards."""

    def __init__(self, collection: Collection, images: Path | None, shards: Path | None) -> None:
        """Find out where they are; none is opened.

        Args:
            collection: whose rows name them.
            images: the folder of photographs.
            shards: the folder of shards, where they are the samples of the keys.

        Raises:
            ArttlError: if the folder cannot be used, or the rows name no pictures of it.
        """
        self._collection = collection
        self._folder = None if images is None else image_folder(images, "table")
        self._shards: ShardRows | None = None
        self.samples = 0
        self._sample_of: Codes = np.full(len(collection), -1, np.int32)
        self._keys: pa.Array = pa.nulls(0, pa.string())
        if shards is not None:
            manifest = Manifest.read(shards)
            self._shards, self.samples = ShardRows(manifest), len(manifest)
            self._keys = manifest.table.column("key").combine_chunks()
            if "key" in collection.texts:
                found = pc.index_in(collection.texts["key"], value_set=self._keys)
                self._sample_of = found.fill_null(-1).to_numpy().astype(np.int32)
            if (self._sample_of < 0).all():
                raise ArttlError(
                    f"no row has the key of a sample of --shards {shards}: give the shards that were predicted, or the"
                    " folder of the photographs with --images"
                )
        elif "picture" not in collection.texts:
            raise ArttlError(
                f"the rows name samples of shards and no files of --images {images}: give the shards with --shards"
            )
        elif self._folder is not None and (name := self._absent(self._folder)):
            raise ArttlError(
                f"--images {images} has no picture that the rows name, such as {name!r}: give the folder that was"
                " predicted"
            )
        self._decoding = threading.BoundedSemaphore(usable_cores())  # of pictures that may be large

    def _absent(self, folder: Path) -> str:
        """One of the pictures that rows name, if none of some of them is in the folder; else the empty string."""
        name = ""
        for row in np.linspace(0, max(0, len(self._collection) - 1), _LOOKED_FOR, dtype=int).tolist():
            named = self._collection.text("picture", row)
            path = image_path(folder, named) if named else None
            if path is None:
                continue
            # False where Path.exists raises: for a name that is too long, or a folder that may not be entered.
            if os.path.exists(path):  # noqa: PTH110
                return ""
            name = name or named
        return name

    @property
    def missing(self) -> int:
        """Rows without a sample in the shards."""
        return 0 if self._shards is None else int(np.count_nonzero(self._sample_of < 0))

    def sample_of(self, key: str | None) -> int | None:
        """The number of the sample of a key in the shards; None where there is none."""
        if key is None or self._shards is None:
            return None
        found: int | None = pc.index(self._keys, pa.scalar(key, pa.string())).as_py()
        return None if found is None or found < 0 else found

    def of_row(self, row: int) -> PictureFile:
        """The photograph of a row; of a doubt without one of its own that of the object's first suggestion.

        Raises:
            NoPicture: if there is none.
        """
        for each in dict.fromkeys([row, *self._collection.rows_of(row)]):
            if self._sample_of[each] >= 0:
                return self.of_sample(int(self._sample_of[each]))
            name = self._collection.text("picture", each)
            if self._folder is not None and name:
                path = image_path(self._folder, name)
                if path is None:
                    raise NoPicture(f"{name[:200]!r} leads out of the folder of --images")
                return PictureFile(path)
        raise NoPicture("no photograph is known of this object")

    def of_sample(self, sample: int) -> PictureFile:
        """The photograph of a sample of the shards.

        Raises:
            NoPicture: if there is none.
        """
        if self._shards is None or not 0 <= sample < self.samples:
            raise NoPicture("there are no such shards")
        members = self._shards.members(sample)
        return PictureFile(members.tar, members.spans[0])

    def title_and_date(self, row: int) -> tuple[str, str]:
        """What is kept of the catalogue in a sample, or in the rows; empty where nothing is."""
        title, date = (self._collection.text(name, row) for name in ("title", "date"))
        if self._shards is not None and self._sample_of[row] >= 0 and not (title or date):
            members = self._shards.members(int(self._sample_of[row]))
            record = parse_json(members.read_json(), dict[str, Any], members.file)
            title, date = (
                value[:1000] if isinstance(value := record.get(name), str) else ""
                for name in ("title", "date")
            )
        return title, date

    def pixels(self, file: PictureFile, side: int = 0) -> Image.Image:
        """A picture, upright, in sRGB.

        Args:
            file: itself.
            side: the longest side that is needed, in pixels; 0: all there is.

        Raises:
            BadPicture: if it cannot be read.
        """
        with self._decoding:
            with opened_image(file) as data:
                picture = decode_picture(data, allowed=AllowedScale(cover=side, max_side=side)).upright_rgb()
            if side:
                picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return picture

    def encoded(self, file: PictureFile, size: Size) -> bytes:
        """A picture as a JPEG.

        Raises:
            BadPicture: if it cannot be read.
        """
        return jpeg(self.pixels(file, SIDE[size]), _QUALITY[size])


def jpeg(picture: Image.Image, quality: int = 88) -> bytes:
    """The bytes of a JPEG."""
    data = io.BytesIO()
    picture.convert("RGB").save(data, "JPEG", quality=quality)
    return data.getvalue()


class Thumbnails:
    """Thumbnails that were made before, in one SQLite file; what is lost of it is made again."""

    def __init__(self, path: Path | None) -> None:
        """Open or make the file.

        Args:
            path: None: nothing is kept.
        """
        self._lock, self._connection = threading.Lock(), None
        self.problem = ""
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.stat().st_size > _LARGEST_CACHE:
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._connection = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS thumbnails (id BLOB PRIMARY KEY, jpeg BLOB) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            self.problem = f"thumbnails are made anew each time, since {path} cannot be used: {error}"
            self._connection = None

    def get(self, file: PictureFile, make: Callable[[], bytes]) -> bytes:
        """The thumbnail of a file as it is now.

        Args:
            file: itself.
            make: makes it where it is not kept.

        Raises:
            BadPicture: if there is no such file, or `make` raises it.
        """
        try:
            status = os.stat(file.path)  # noqa: PTH116 - for every picture on the screen
        except (OSError, ValueError) as error:
            raise BadPicture("missing", "no such file") from error
        name = f"{file.path.absolute()}\0{file.span}\0{status.st_size}\0{status.st_mtime_ns}\0{SIDE['thumbnail']}"
        key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        if (kept := self._kept(key)) is not None:
            return kept
        data = make()
        if self._connection is not None:
            try:
                with self._lock:
                    self._connection.execute("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", (key, data))
            except sqlite3.Error:  # a full disk: the picture is shown all the same
                pass
        return data

    def _kept(self, key: bytes) -> bytes | None:
        if self._connection is None:
            return None
        try:
            with self._lock:
                row = self._connection.execute("SELECT jpeg FROM thumbnails WHERE id = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return row[0] if row and isinstance(row[0], bytes) else None

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()


def cache_file() -> Path:
    """Where thumbnails are kept: `thumbnails.sqlite` in the user's cache."""
    return cache_folder() / "thumbnails.sqlite"
