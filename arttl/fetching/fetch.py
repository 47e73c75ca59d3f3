"""`arttl fetch rijks2014`: the Rijksmuseum Challenge, from its publisher to the folder that its source reads."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from arttl.console import Console
from arttl.documents import parse_json
from arttl.errors import ArttlError, counted
from arttl.fetching.download import RemoteFile, download
from arttl.fetching.http import FetchError, PoliteClient
from arttl.fetching.unpack import kind_of, unpack
from arttl.files import commit, make_folder, remove, remove_leftovers, write_json, writing
from arttl.settings import Settings

FIGSHARE = "https://api.figshare.com/v2"
RIJKS2014_ARTICLE = 5660617  # of doi:10.21942/uva.5660617

_PICTURES, _RECORDS, _TRUTH = "jpg2", "xml", "rijksgt.mat"
_LONGEST_LIST = 16 << 20
_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f:.][^/\\\x00-\x1f:]{0,199}")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class FetchSettings(Settings):
    """Download the Rijksmuseum Challenge 2014 and arrange it for `arttl shards --source rijks2014`.

    The same command resumes a download that broke off. Every file is checked against its publisher's MD5 sum.
    """

    out: Path
    """Folder to make: jpg2/ with the pictures, xml/ with the records, and rijksgt.mat."""
    skip: tuple[str, ...] = ("*FV16*", "*feat*")
    """Files of the publisher's list that are left out, as patterns such as *.pdf; by default the Fisher vectors."""
    keep_archives: bool = False
    """Keep the downloaded archives, in --out/downloads, after they are unpacked."""
    api: str = FIGSHARE
    """Address of figshare's API."""


@dataclass(frozen=True)
class FetchedCollection:
    """The contents of the folder.

    Attributes:
        pictures, records: how many.
        ground_truth: whether it has rijksgt.mat.
        files: that were downloaded.
    """

    pictures: int
    records: int
    ground_truth: bool
    files: tuple[RemoteFile, ...]


def fetch(
    settings: FetchSettings, *, console: Console | None = None, pause: float = 1.0
) -> FetchedCollection:
    """Download, verify, unpack and arrange.

    Args:
        settings: of the command.
        console: for progress; by default standard error.
        pause: seconds before a broken download is tried again the first time.

    Raises:
        ArttlError: if a file cannot be downloaded or is refused, the disk is too small, or `out` holds something
            else.
    """
    console = console or Console(stderr=True)
    out, finished = settings.out, settings.out / "fetched.json"
    unpacked, downloads = out / ".unpacking", out / "downloads"
    remove_leftovers(out)
    if finished.exists():
        remove(unpacked)
        raise ArttlError(f"--out {out} is fetched already: remove {finished} to fetch it anew")
    if unpacked.exists():  # a call was interrupted while it unpacked or arranged
        if (unpacked / downloads.name).exists():
            with writing(downloads):
                (unpacked / downloads.name).rename(downloads)
        for name in (_PICTURES, _RECORDS, _TRUTH):
            remove(out / name)
        remove(unpacked)
    for name in (_PICTURES, _RECORDS, _TRUTH):
        if (out / name).exists():
            raise ArttlError(f"--out {out} holds {name} that is not of this command: name another folder")
    files = list_files(settings.api, settings.skip)
    make_folder(downloads)
    _check_disk(downloads, files)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        archives = []
        for remote in files:
            bar = progress.add_task(remote.name, total=remote.size)
            archives.append(
                download(
                    remote,
                    downloads,
                    progress=lambda done, bar=bar: progress.update(bar, completed=done),  # type: ignore[misc]
                    pause=pause,
                )
            )
    make_folder(unpacked)
    with writing(unpacked):
        for archive in archives:
            if kind_of(archive) is not None:
                console.print(f"unpacking {archive.name}", highlight=False)
                unpack(archive, unpacked, (".jpg", ".xml", _TRUTH))
            elif archive.name == _TRUTH:
                shutil.copyfile(archive, unpacked / _TRUTH)
    collection = _arrange(unpacked, out, tuple(files))
    if not settings.keep_archives:  # removed with the rest, once it is said that all is there
        with writing(downloads):
            downloads.rename(unpacked / downloads.name)
    write_json(finished, asdict(collection), unpacked)
    remove(unpacked)
    return collection


def run(settings: FetchSettings) -> None:
    """Fetch, and print the command to pack the collection."""
    collection = fetch(settings)
    out = settings.out
    print(f"{counted(collection.pictures, 'picture')} and {counted(collection.records, 'record')} in {out}")
    truth = f" --ground-truth {out / _TRUTH}" if collection.ground_truth else ""
    folders = f"--images {out / _PICTURES} --metadata {out / _RECORDS}"
    print(f"pack them: arttl shards --source rijks2014 {folders}{truth} --out shards/rijks")


def list_files(api: str, skip: tuple[str, ...] = ()) -> list[RemoteFile]:
    """The files of the article, as the publisher's API lists them.

    Args:
        api: address of the API.
        skip: patterns of names to leave out.

    Raises:
        ArttlError: if the API does not respond, or not in its form.
    """
    address = f"{api.rstrip('/')}/articles/{RIJKS2014_ARTICLE}"
    _check_address(address, "--api")
    try:
        client = PoliteClient(rate=1.0, retries=0)
        text = client.get(address, most_bytes=_LONGEST_LIST, local=True).data
    except FetchError as error:
        raise ArttlError(
            f"{address} does not respond ({error}): check the connection, or download the files by hand from"
            " https://doi.org/10.21942/uva.5660617"
        ) from error
    try:
        article = parse_json(text, _Article, address, surplus=True)
    except ArttlError as error:
        raise ArttlError(f"{address} does not list files as figshare does: {error}") from error
    listed = [_remote_file(entry) for entry in article.files if not entry.is_link_only]
    files = [file for file in listed if not any(fnmatchcase(file.name, pattern) for pattern in skip)]
    if len({file.name for file in files}) != len(files):
        raise ArttlError(f"{address} lists two files of one name")
    if not files:
        raise ArttlError(f"{address} lists no files but those of --skip: {', '.join(skip)}")
    return files


@dataclass(frozen=True)
class _ListedFile:
    """A file as figshare describes it."""

    name: str
    size: int
    download_url: str = ""
    computed_md5: str | None = None
    supplied_md5: str | None = None
    is_link_only: bool = False


@dataclass(frozen=True)
class _Article:
    files: tuple[_ListedFile, ...]


def _remote_file(entry: _ListedFile) -> RemoteFile:
    md5 = entry.computed_md5 or entry.supplied_md5 or ""
    file = RemoteFile(entry.name, entry.download_url, entry.size, md5.lower())
    if not _PLAIN_NAME.fullmatch(file.name) or not _MD5.fullmatch(file.md5) or file.size < 0:
        raise ArttlError(
            f"the publisher's list has a file {file.name!r} without a plain name, a size and an MD5 sum"
        )
    _check_address(file.url, f"the publisher's list, file {file.name!r}")
    return file


def _check_address(address: str, where: str) -> None:
    # urllib would open file: and ftp: too.
    if urlsplit(address).scheme not in ("https", "http"):
        raise ArttlError(f"{where}: {address!r} is not a web address")


def _check_disk(downloads: Path, files: list[RemoteFile]) -> None:
    downloaded = sum(path.stat().st_size for path in downloads.iterdir() if path.is_file())
    # Archives of pictures unpack to about their own size, and are kept until all of them are unpacked.
    needed = 2 * sum(file.size for file in files) - downloaded
    free = shutil.disk_usage(downloads).free
    if free < needed:
        raise ArttlError(
            f"--out {downloads.parent} needs about {needed / 1e9:,.1f} GB and its disk has {free / 1e9:,.1f} GB free:"
            " name a folder on another disk"
        )


def _arrange(unpacked: Path, out: Path, files: tuple[RemoteFile, ...]) -> FetchedCollection:
    """Move the unpacked files to where the source reads them."""
    pictures = _files_of_kind(unpacked, ".jpg", _PICTURES)
    records = _files_of_kind(unpacked, ".xml", _RECORDS)
    truth = min(unpacked.rglob(_TRUTH), default=None)
    if not pictures or not records:
        raise ArttlError(
            f"the files {', '.join(file.name for file in files)} hold {counted(len(pictures), 'picture')} and"
            f" {len(records)} records, and --source rijks2014 needs both: see --skip"
        )
    if truth is not None:
        commit(truth, out / _TRUTH)
    if hasattr(os, "sync"):
        os.sync()  # all at once; flushing a hundred thousand files one by one is then quick
    for name, paths in ((_RECORDS, records), (_PICTURES, pictures)):
        gathered = unpacked / f".{name}"
        make_folder(gathered)
        with writing(out / name):
            for path in paths:
                path.rename(gathered / path.name)
        commit(gathered, out / name)
    return FetchedCollection(len(pictures), len(records), truth is not None, files)


def _files_of_kind(unpacked: Path, ending: str, preferred: str) -> list[Path]:
    """The files with an ending; where a folder has the preferred name, only those in it."""
    paths = sorted(path for path in unpacked.rglob("*") if path.name.lower().endswith(ending))
    chosen = [path for path in paths if path.parent.name == preferred] or paths
    names: dict[str, Path] = {}
    for path in chosen:
        if path.name in names:
            raise ArttlError(
                f"the archives hold two different {path.name}, in {names[path.name].parent.name} and"
                f" {path.parent.name}: leave one archive out with --skip"
            )
        names[path.name] = path
    return chosen


COMMANDS = {
    "rijks2014": (FetchSettings, run, "the Rijksmuseum Challenge 2014, from figshare"),
    "iiif": (
        "arttl.fetching.iiif:IiifSettings",
        "arttl.fetching.iiif:run",
        "manifests and their pictures, from any IIIF server",
    ),
}
