"""WebDataset tars made by others: no manifest, no index, labels in members beside the pictures.

    train-0000.tar                    the members of `train-0000.tar`, in order
    train-0001.tar                      000017.jpg
    val-0000.tar                        000017.cls       the text `3`
                                        000017.json      {"number": "SK-A-17", "genre": ["landscape", "winter"]}
                                        000018.jpg
                                        ...

Consecutive members of one name, up to the first dot of its last part, are a sample; its picture is the first member
with the suffix of a picture. A label column is the suffix of a text member (`cls`, `txt`) or a field of the JSON
(`genre`; with dots for fields inside others: `labels.type`). The object number is the sample's name, or the JSON
field of `--object-number`. With `--split official` a tar's name, or that of a folder above it, names the split.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arttl.artworks import ArchivedArtwork, sample_key
from arttl.errors import ArttlError
from arttl.matching.listing import PICTURE_SUFFIXES
from arttl.matching.paths import image_folder
from arttl.records.json_values import WrittenNumber, json_value
from arttl.records.nested import nested_field
from arttl.records.tar_members import TarMember, read_members
from arttl.shards.rejects import Reason, Reject
from arttl.sources.remarks import PassedOver
from arttl.sources.settings import SourceSettings
from arttl.sources.table import split_in_column, split_name

TASKS = ("class=cls",)

_TEXT = ("cls", "txt")
_LARGEST_TEXT = 8 * 2**20  # bytes of a text member; real ones have some hundreds


@dataclass
class _Sample:
    """The members of one sample: the picture's member, and the texts."""

    tar: Path
    name: str
    picture: TarMember | None = None
    texts: dict[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    passed_over: list[PassedOver] = field(default_factory=list)

    @property
    def file(self) -> str:
        """For `rejects.csv`."""
        return f"{self.tar.name}/{self.picture.name if self.picture else self.name}"

    def column(self, name: str) -> tuple[str, ...]:
        """The labels under a column; none where the sample lacks it."""
        if name in self.texts:
            return (self.texts[name],)
        value = nested_field(self.fields, name)
        values = value if isinstance(value, list) else [value]
        return tuple(
            str(value) if isinstance(value, (str, WrittenNumber)) else json.dumps(value, ensure_ascii=False)
            for value in values
            if value is not None
        )

    def pass_over(self, kind: str, member: TarMember) -> None:
        """Count a member as passed over."""
        self.passed_over.append(PassedOver(kind, f"{self.tar.name}/{member.name}"))


def read_webdataset(settings: SourceSettings) -> Iterator[ArchivedArtwork | Reject | PassedOver]:
    """Artworks of a folder of tars, one per sample, in the tars' order.

    Args:
        settings: `images` is the folder; tars at any depth are read.

    Raises:
        ArttlError: if there are no tars, one is compressed or broken, no sample has a label column, or a tar's name
            names no split with `--split official`.
    """
    folder = image_folder(settings.images, "webdataset")
    tars = []
    for path in sorted(folder.rglob("*.tar*")):
        name = path.relative_to(folder).as_posix()
        if path.name.startswith("."):
            yield PassedOver("hidden files", name)
        elif path.is_file():
            tars.append(path)
        else:
            yield PassedOver("folders and broken links with the name of a tar", name)
    if not tars:
        raise ArttlError(f"--images {folder} holds no .tar file")
    columns = settings.task_columns() or dict([TASKS[0].split("=")])
    unseen = dict(columns)
    known: dict[str, None] = {}
    for tar in tars:
        split = _split_of(tar, folder) if settings.split == "official" else None
        seen: set[str] = set()
        for sample in _samples(tar):
            if isinstance(sample, PassedOver):
                yield sample
                continue
            yield from sample.passed_over
            known |= dict.fromkeys((*sample.texts, *sample.fields))
            problem = sample.problem
            if sample.picture is None:
                problem = problem or "the sample has no picture"
            if sample.name in seen:
                problem = "a second sample of this name in one tar"
            seen.add(sample.name)
            number = _first(sample, settings.object_number) if settings.object_number else sample.name
            if problem or sample.picture is None or not number:
                reason: Reason = "bad-row" if number else "no-object-number"
                yield Reject(number or "", "", sample.file, reason, problem or f"in {sample.name!r}")
                continue
            labels = {task: sample.column(column) for task, column in columns.items()}
            unseen = {task: column for task, column in unseen.items() if not labels[task]}
            yield ArchivedArtwork(
                key=sample_key(number),
                object_number=number,
                image=tar,
                labels=labels,
                title=_first(sample, settings.title),
                date=_first(sample, settings.date),
                source=_first(sample, settings.provenance),
                split=split or _column_split(sample, settings),
                group=_first(sample, settings.group_column),
                member=sample.picture.name,
                offset=sample.picture.offset,
                size=sample.picture.size,
            )
    if unseen:
        task, column = next(iter(unseen.items()))
        raise ArttlError(
            f"no sample of {folder} has {column!r} (--tasks {task}={column}); they have:"
            f" {', '.join(known) or 'nothing'}"
        )


def _first(sample: _Sample, column: str | None) -> str | None:
    return next(iter(sample.column(column)), None) if column else None


def _column_split(sample: _Sample, settings: SourceSettings) -> str | None:
    column = settings.split_column()
    return split_in_column(_first(sample, column), column, sample.file)


def _split_of(tar: Path, folder: Path) -> str:
    for name in (tar.name, *reversed(tar.relative_to(folder).parts[:-1])):
        words = "".join(letter if letter.isalpha() else " " for letter in name).split()
        for split in map(split_name, words):
            if split:
                return split
    raise ArttlError(
        f"{tar} names no split (train, val or test), as --split official needs; give --split paper, grouped or"
        " stratified"
    )


def _samples(tar: Path) -> Iterator[_Sample | PassedOver]:
    current: _Sample | None = None
    # Members are only read, never extracted: their names are not used as paths.
    for member in read_members(tar):
        name, suffix = _parts(member.name)
        if kind := _passed_over_as(member, suffix):
            yield PassedOver(kind, f"{tar.name}/{member.name}")
        if kind or member.kind == "folder":
            continue
        if current is None or current.name != name:
            if current is not None:
                yield current
            current = _Sample(tar, name)
        _take(current, member, suffix)
    if current is not None:
        yield current


def _passed_over_as(member: TarMember, suffix: str) -> str:
    """As what a member is passed over; empty for a part of a sample, and for a folder."""
    if member.kind == "folder":
        return ""
    if member.name.rpartition("/")[2].startswith("."):
        return "hidden members"
    if member.kind != "file":
        return "members that are links or special files"
    return "" if suffix else "members without a suffix"


def _parts(member: str) -> tuple[str, str]:
    """Name and suffix of a member, cut at the first dot of its last part, as WebDataset does."""
    folder, slash, last = member.removeprefix("./").rpartition("/")
    stem, _, suffix = last.partition(".")
    return folder + slash + stem, suffix.lower()


def _whole_stem(member: TarMember) -> str:
    return member.name.rpartition(".")[0]


def _take(sample: _Sample, member: TarMember, suffix: str) -> None:
    if f".{suffix.rpartition('.')[2]}" in PICTURE_SUFFIXES:
        if sample.picture is None:
            sample.picture = member
        elif _whole_stem(member) == _whole_stem(sample.picture):
            sample.pass_over("second pictures of a sample", member)
        else:
            sample.pass_over(
                "pictures that belong to another's sample, cut at the first dot of their name", member
            )
        return
    if suffix != "json" and suffix.rpartition(".")[2] not in _TEXT:
        sample.pass_over("members that are neither pictures, texts nor JSON", member)
        return
    if member.size > _LARGEST_TEXT:
        sample.problem = f"{member.name} has more than 8 MiB"
        return
    with sample.tar.open("rb") as file:
        file.seek(member.offset)
        text = file.read(member.size).decode("utf-8", "backslashreplace")
    if suffix != "json":
        sample.texts[suffix] = text.strip()
        return
    try:
        fields = json_value(text)
    except ValueError as error:
        sample.problem = f"{member.name} {error}"
        return
    if isinstance(fields, Mapping):
        sample.fields = fields
    else:
        sample.problem = f"{member.name} is not a JSON object"
