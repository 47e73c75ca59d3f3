"""`arttl fetch`: the Rijksmuseum Challenge 2014, from its publisher to the folder that `--source rijks2014` reads."""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import tyro
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from arttl.errors import ArttlError
from arttl.fetching.download import RemoteFile, download
from arttl.fetching.unpack import kind_of, unpack
from arttl.files import write_json

FIGSHARE = "https://api.figshare.com/v2"
RIJKS2014_ARTICLE = 5660617  # of doi:10.21942/uva.5660617

_PICTURES, _RECORDS, _TRUTH = "jpg2", "xml", "rijksgt.mat"
_LONGEST_LIST = 16 << 20
_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f:.][^/\\\x00-\x1f:]{0,199}")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class FetchSettings:
    """Download the Rijksmuseum Challenge 2014 and lay it out for `arttl shards --source rijks2014`.

    The same command goes on where a download broke off. Every file is checked against its publisher's MD5 sum.
    """

    collection: tyro.conf.Positional[Literal["rijks2014"]]
    """Which collection."""
    out: Path
    """Folder to make: jpg2/ with the pictures, xml/ with the records, and rijksgt.mat."""
    skip: tuple[str, ...] = ("*FV16*", "*feat*")
    """Files of the publisher's list that are left out, as patterns such as *.pdf; by default the Fisher vectors."""
    keep_archives: bool = False
    """Keep the downloaded archives, in --out/downloads, after they are unpacked."""
    api: str = FIGSHARE
    """Address of figshare's API."""


@dataclass(frozen=True)
class Fetched:
    """What lies in the folder.

    Attributes:
        pictures, records: how many.
        ground_truth: whether rijksgt.mat is there.
        files: that were downloaded.
    """

    pictures: int
    records: int
    ground_truth: bool
    files: tuple[RemoteFile, ...]


def fetch(settings: FetchSettings, *, console: Console | None = None, pause: float = 1.0) -> Fetched:
    """Download, verify, unpack and lay out.

    Args:
        settings: of the command.
        console: for progress; by default standard error.
        pause: seconds before a broken download is tried again the first time.

    Raises:
        ArttlError: if a file cannot be had or is refused, the disk is too small, or `out` holds something else.
    """
    console = console or Console(stderr=True)
    out, finished = settings.out, settings.out / "fetched.json"
    if finished.exists():
        raise ArttlError(f"--out {out} is fetched already: remove {finished} to fetch it anew")
    unpacked = out / ".unpacking"
    if unpacked.exists():  # a call was interrupted while it unpacked or laid out
        for folder in (unpacked, out / _PICTURES, out / _RECORDS):
            shutil.rmtree(folder, ignore_errors=True)
        (out / _TRUTH).unlink(missing_ok=True)
    for name in (_PICTURES, _RECORDS, _TRUTH):
        if (out / name).exists():
            raise ArttlError(f"--out {out} holds {name} that is not of this command: name another folder")
    files = list_files(settings.api, settings.skip)
    downloads = out / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    _check_disk(downloads, files)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
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
    unpacked.mkdir()
    for archive in archives:
        if kind_of(archive) is not None:
            console.print(f"unpacking {archive.name}", highlight=False)
            unpack(archive, unpacked, (".jpg", ".xml", _TRUTH))
        elif archive.name == _TRUTH:
            shutil.copyfile(archive, unpacked / _TRUTH)
    found = _lay_out(unpacked, out, tuple(files))
    write_json(finished, asdict(found), unpacked)
    shutil.rmtree(unpacked)
    if not settings.keep_archives:
        shutil.rmtree(downloads)
    return found


def run(settings: FetchSettings) -> None:
    """Fetch, and say what to do next."""
    found = fetch(settings)
    out = settings.out
    print(f"{found.pictures:,} pictures and {found.records:,} records in {out}")
    truth = f" --ground-truth {out / _TRUTH}" if found.ground_truth else ""
    folders = f"--images {out / _PICTURES} --metadata {out / _RECORDS}"
    print(f"pack them: arttl shards --source rijks2014 {folders}{truth} --out shards/rijks")


def list_files(api: str, skip: tuple[str, ...] = ()) -> list[RemoteFile]:
    """The files of the article, as the publisher's API lists them.

    Args:
        api: address of the API.
        skip: patterns of names to leave out.

    Raises:
        ArttlError: if the API does not answer, or not as it should.
    """
    address = f"{api.rstrip('/')}/articles/{RIJKS2014_ARTICLE}"
    _check_address(address, "--api")
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "arttl"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read(_LONGEST_LIST)
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise ArttlError(
            f"{address} does not answer ({reason}): check the connection, or download the files by hand from"
            " https://doi.org/10.21942/uva.5660617"
        ) from error
    try:
        listed = [_remote_file(entry) for entry in json.loads(text)["files"] if not entry.get("is_link_only")]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArttlError(f"{address} does not list files as figshare does: {error!r}") from error
    files = [file for file in listed if not any(fnmatchcase(file.name, pattern) for pattern in skip)]
    if len({file.name for file in files}) != len(files):
        raise ArttlError(f"{address} lists two files of one name")
    if not files:
        raise ArttlError(f"{address} lists no files but those of --skip: {', '.join(skip)}")
    return files


def _remote_file(entry: dict[str, Any]) -> RemoteFile:
    md5 = entry.get("computed_md5") or entry.get("supplied_md5") or ""
    file = RemoteFile(str(entry["name"]), str(entry["download_url"]), int(entry["size"]), md5.lower())
    if not _PLAIN_NAME.fullmatch(file.name) or not _MD5.fullmatch(file.md5) or file.size < 0:
        raise ArttlError(
            f"the publisher's list has a file {file.name!r} without a plain name, a size and an MD5 sum"
        )
    _check_address(file.url, f"the publisher's list, file {file.name!r}")
    return file


def _check_address(address: str, where: str) -> None:
    # urllib would open file: and ftp: too.
    if urlsplit(address).scheme not in ("https", "http"):
        raise ArttlError(f"{where}: {address!r} is no address of the web")


def _check_disk(downloads: Path, files: list[RemoteFile]) -> None:
    here = sum(path.stat().st_size for path in downloads.iterdir() if path.is_file())
    # Archives of pictures unpack to about their own size, and are there until all of them are unpacked.
    needed = 2 * sum(file.size for file in files) - here
    free = shutil.disk_usage(downloads).free
    if free < needed:
        raise ArttlError(
            f"--out {downloads.parent} needs about {needed / 1e9:,.1f} GB and its disk has {free / 1e9:,.1f} GB free:"
            " name a folder on another disk"
        )


def _lay_out(unpacked: Path, out: Path, files: tuple[RemoteFile, ...]) -> Fetched:
    """Move what was unpacked to where the source looks for it."""
    pictures = _merge(unpacked, ".jpg", _PICTURES)
    records = _merge(unpacked, ".xml", _RECORDS)
    truth = next(iter(sorted(unpacked.rglob(_TRUTH))), None)
    if not pictures or not records:
        raise ArttlError(
            f"the files {', '.join(file.name for file in files)} hold {len(pictures)} pictures and {len(records)}"
            " records, and --source rijks2014 needs both: see --skip"
        )
    for name, found in ((_PICTURES, pictures), (_RECORDS, records)):
        gathered = unpacked / f".{name}"
        gathered.mkdir()
        for path in found:
            path.rename(gathered / path.name)
    if truth is not None:
        truth.rename(out / _TRUTH)
    (unpacked / f".{_RECORDS}").rename(out / _RECORDS)
    (unpacked / f".{_PICTURES}").rename(out / _PICTURES)
    if hasattr(os, "sync"):
        os.sync()  # a hundred thousand files, before they are declared whole
    return Fetched(len(pictures), len(records), truth is not None, files)


def _merge(unpacked: Path, ending: str, preferred: str) -> list[Path]:
    """All files of a kind; where they lie in several folders, and one has the name that is looked for, those in it."""
    found = sorted(path for path in unpacked.rglob("*") if path.name.lower().endswith(ending))
    inside = [path for path in found if path.parent.name == preferred]
    chosen = inside or found
    names: dict[str, Path] = {}
    for path in chosen:
        if path.name in names:
            raise ArttlError(
                f"the archives hold two different {path.name}, in {names[path.name].parent.name} and"
                f" {path.parent.name}: leave one archive out with --skip"
            )
        names[path.name] = path
    return chosen
