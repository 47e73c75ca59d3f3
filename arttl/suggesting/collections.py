"""What is predicted: pictures of a folder, of a museum's metadata, or of shards, cut into parts.

A part is a run of pictures that is read, predicted and written on its own: by one rank, and after a kill not again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from arttl.catalogue.spool import Spool
from arttl.errors import ArttlError
from arttl.inference.picture_files import FileBatch, read_batches
from arttl.loading import Engine, Loader, Preprocess, open_loader
from arttl.loading.views import Views
from arttl.matching.listing import list_pictures
from arttl.matching.paths import image_folder
from arttl.pictures.picture_file import PictureFile
from arttl.records.reading import readable
from arttl.shards.manifest import Manifest
from arttl.sources.remarks import PassedOver, Remarks

_DAMAGED = "damaged: the picture cannot be decoded"


@dataclass(frozen=True)
class Row:
    """What a table says of a picture beside the suggestions.

    Attributes:
        head: a cell for each column of `Collection.head`.
        object_number, institution: as catalogued; empty where there is none.
        catalogued: task name to labels, where the catalogue has some.
        cells: the museum's own row, where a table is extended.
    """

    head: tuple[str, ...]
    object_number: str = ""
    institution: str = ""
    catalogued: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cells: Sequence[str] = ()


@dataclass(frozen=True)
class PictureBatch:
    """Some pictures, read.

    Attributes:
        part: that they are of.
        items: their numbers in the collection.
        images: for each input of the model [B, 3, size, size], of the readable ones in their order.
        problems: item to what is wrong with it, of the others.
    """

    part: int
    items: list[int]
    images: tuple[torch.Tensor, ...]
    problems: dict[int, str]


@dataclass(frozen=True, kw_only=True)
class HowToRead:
    """How pictures become the input of a model.

    Attributes:
        preprocesses: the evaluation transform of each input.
        batch_size: B; a part's last batch may be smaller.
        device: of the images.
        engine, threads: see `EngineSettings`.
    """

    preprocesses: Sequence[Preprocess]
    batch_size: int
    device: torch.device
    engine: Engine
    threads: int


class Collection(Protocol):
    """Pictures in a fixed order.

    Attributes:
        head: columns that name a picture.
        tasks: those of which the catalogue may have labels.
        identity: changes when other pictures or rows are listed.
        sentences: on what was listed.
    """

    head: tuple[str, ...]
    tasks: tuple[str, ...]
    identity: str
    sentences: list[str]

    def __len__(self) -> int:
        """How many pictures, or rows without one, there are."""
        ...

    def row(self, item: int) -> Row:
        """What the table says of a picture."""
        ...

    def read(self, parts: Mapping[int, Sequence[int]], how: HowToRead) -> Iterator[PictureBatch]:
        """Read parts one after the other: each in batches that are cut at its end, each item in one of them.

        Args:
            parts: number to its items.
            how: pictures are read.
        """
        ...


class FileCollection:
    """Pictures that are files: what `FolderCollection` and `CataloguedCollection` have in common."""

    def file(self, item: int) -> PictureFile | str:
        """The picture of an item, or why there is none."""
        raise NotImplementedError

    def read(self, parts: Mapping[int, Sequence[int]], how: HowToRead) -> Iterator[PictureBatch]:
        """See `Collection`."""

        def batches() -> Iterator[FileBatch]:
            for part, items in parts.items():
                files: dict[int, PictureFile | str] = {}
                pictures = 0
                for item in items:
                    files[item] = file = self.file(item)
                    pictures += isinstance(file, PictureFile)
                    if pictures == how.batch_size:
                        yield FileBatch(part, files)
                        files, pictures = {}, 0
                if files:
                    yield FileBatch(part, files)

        for batch, images, problems in read_batches(batches(), how.preprocesses, how.threads):
            yield PictureBatch(
                batch.part, list(batch.files), tuple(each.to(how.device) for each in images), problems
            )


class FolderCollection(FileCollection):
    """The pictures of a folder and of all folders in it, by their suffixes."""

    head: tuple[str, ...] = ("picture",)
    tasks: tuple[str, ...] = ()

    def __init__(self, folder: Path | None) -> None:
        """List the folder.

        Args:
            folder: of `--images`.

        Raises:
            ArttlError: if it cannot be read, or holds no pictures.
        """
        self._folder = image_folder(folder, "folders")
        self._names = Spool()
        remarks, digest = Remarks(), hashlib.sha256()
        with readable(self._folder, "--images"):
            for entry in list_pictures(self._folder):
                if entry.passed_over_as:
                    remarks.add(PassedOver(entry.passed_over_as, entry.name))
                else:
                    self._names.append(os.fsencode(entry.name))
                    digest.update(entry.name.encode("utf-8", "surrogateescape") + b"\0")
        self.sentences = remarks.sentences()
        self.identity = digest.hexdigest()
        if not len(self):
            raise ArttlError("; ".join((f"--images {self._folder} holds no pictures", *self.sentences)))

    def __len__(self) -> int:
        return len(self._names)

    def row(self, item: int) -> Row:
        """See `Collection`."""
        return Row((printable_name(self._names.read(item)),))

    def file(self, item: int) -> PictureFile | str:
        """See `FileCollection`."""
        return PictureFile(self._folder / os.fsdecode(self._names.read(item)))


class ShardCollection:
    """The pictures of a split of shards, in the manifest's order."""

    head: tuple[str, ...] = ("key", "object_number")  # and the institution, where any is known

    def __init__(self, manifest: Manifest, split: str, how: HowToRead) -> None:
        """Take a split.

        Args:
            manifest: of the shards.
            split: `train`, `val`, `test` or `all`.
            how: its pictures are read, as far as it is known before the first is.

        Raises:
            ArttlError: for an unknown split, or missing or damaged shards.
        """
        self._manifest, self._split = manifest, split
        loader = self._opened(how, how.preprocesses[0])
        self._rows = loader.rows
        self.tasks = tuple(manifest.task_names)
        self._labels = {task: manifest.labels(task) for task in self.tasks}
        if any(manifest.institutions):
            self.head = (*self.head, "institution")
        self.identity = str(loader.state_dict()["samples"])
        self.sentences = [f"engine     {loader.engine_reason}"]

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, item: int) -> Row:
        """See `Collection`."""
        row = int(self._rows[item])
        catalogued = {task: names for task, labels in self._labels.items() if (names := labels[row])}
        number, institution = self._manifest.object_numbers[row], self._manifest.institutions[row] or ""
        head = (self._manifest.keys[row], number, institution)[: len(self.head)]
        return Row(head, number, institution, catalogued)

    def read(self, parts: Mapping[int, Sequence[int]], how: HowToRead) -> Iterator[PictureBatch]:
        """See `Collection`."""
        views = Views.open(how.preprocesses, partial(self._opened, how))
        for part, items in parts.items():
            for number, batches in enumerate(views.of_rows(self._rows[np.asarray(items)])):
                begin = number * how.batch_size
                chosen = items[begin : begin + how.batch_size]  # the rest is padding
                valid = torch.stack([batch.valid for batch in batches]).all(0)[: len(chosen)]
                problems = dict.fromkeys(
                    (item for item, is_valid in zip(chosen, valid.tolist(), strict=True) if not is_valid),
                    _DAMAGED,
                )
                images = tuple(batch.images[: len(chosen)][valid] for batch in batches)
                yield PictureBatch(part, list(chosen), images, problems)

    def _opened(self, how: HowToRead, preprocess: Preprocess) -> Loader:
        return open_loader(
            self._manifest,
            self._split,
            labelled=False,
            preprocess=preprocess,
            batch_size=how.batch_size,
            engine=how.engine,
            rank=0,
            world_size=1,
            shuffle=False,
            threads=how.threads,
            device=how.device,
            on_bad_sample="skip",
        )


def printable_name(path: bytes) -> str:
    """A path as a table has it: UTF-8, bytes that are none of it as escapes."""
    return path.decode(errors="backslashreplace")
