"""A folder of pictures for each class, for one task.

Example, with the classes `vase` and `bowl`, alone or in folders of splits, which `--split official` keeps:

    images/vase/1.jpg                 images/train/vase/1.jpg
    images/vase/more/2.jpg            images/val/vase/more/2.jpg
    images/bowl/3.png                 images/test/bowl/3.png

Where every folder has the name of a split, the classes are the folders inside for any `--split`, and a note says so.
The object number is the file's path without its suffix: `vase/1`. Files without the suffix of a picture are
passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.matching.listing import Entry, folders_inside, list_pictures
from arttl.matching.paths import image_folder
from arttl.records.reading import readable
from arttl.shards.rejects import Reject
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("class",)
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read_folders(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of such folders, one per file, sorted by path; links to folders are not followed.

    Args:
        settings: `images` is required; `tasks` may give the one task another name than `class`.

    Raises:
        ArttlError: if a setting is missing, there is more than one task, or with `--split official` a folder is not
            that of a split.
    """
    folder = image_folder(settings.images, "folders")
    tasks = tuple(settings.task_columns()) or TASKS
    if len(tasks) > 1:
        raise ArttlError(f"--source folders has one task, the folder's name; --tasks gives {len(tasks)}")
    official = settings.split == "official"
    with readable(folder, "--images"):
        names = folders_inside(folder)
    has_splits = bool(names) and all(name.casefold() in _SPLITS for name in names)
    if has_splits and not official:
        yield Note(
            f"{' and '.join(names)} are splits; the classes are the folders inside. --split official keeps these splits"
        )
    for entry in _entries(folder):
        if entry.passed_over_as:
            yield PassedOver(entry.passed_over_as, entry.name)
            continue
        inside = PurePosixPath(entry.name)
        *folders, _ = inside.parts
        number = inside.with_suffix("").as_posix()
        split = None
        if official and folders:
            split = _SPLITS.get(folders[0].casefold())
            if split is None:
                raise ArttlError(
                    f"{folder / folders[0]} is not the folder of a split, as --split official needs: train, val"
                    " and test"
                )
        if official or has_splits:
            folders = folders[1:]
        if not folders:
            yield Reject(number, "", inside.as_posix(), "bad-row", "the file is in no class's folder")
            continue
        yield Artwork(
            key=sample_key(number),
            object_number=number,
            image=folder / inside,
            labels={tasks[0]: (folders[0],)},
            split=split,
        )


def _entries(folder: Path) -> Iterator[Entry]:
    with readable(folder, "--images"):
        yield from list_pictures(folder)
