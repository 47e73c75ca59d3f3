"""`arttl fetch iiif`: manifests and their pictures, from any IIIF server to the folders that `--source iiif` reads.

OUT/manifests/27992-0b5f6a3c1d2e.json    manifests (and `info.json`) as they were sent
OUT/collections/...                      collections
OUT/images/27992-4a1f0c9b8d7e.jpg        pictures
OUT/pictures.csv, failures.csv           where each picture came from; what could not be fetched, and why
OUT/fetched.json                         written last
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from arttl.console import Console
from arttl.errors import ArttlError, counted, without_credentials
from arttl.fetching.http import FetchError, PoliteClient, Response, is_local
from arttl.fetching.iiif_image import (
    ImageService,
    check_picture,
    fetch_picture,
    is_picture_data,
    read_service,
)
from arttl.files import make_folder, remove, remove_leftovers, write_bytes, write_json
from arttl.iiif.manifest import Kind, kind_of, read_info, read_manifest, read_references
from arttl.iiif.pictures import Picture, picture_of_request
from arttl.iiif.resources import address_of, document_name, is_web_address
from arttl.records.json_records import JSON_SUFFIXES, parse_document, read_document, read_documents
from arttl.records.reading import readable
from arttl.settings import AtLeastOne, Positive, Range, Settings
from arttl.shards.csv_files import csv_chunks

_DEEPEST = 20  # collections within collections
_MOST_COLLECTIONS = 100_000
_MOST_DOCUMENT = 16 << 20  # bytes; manifests of whole newspapers have some megabytes
_LONGEST_LINE = 10_000  # characters of a line of addresses


@dataclass(frozen=True)
class IiifSettings(Settings):
    """Download IIIF manifests and their pictures for `arttl shards --source iiif`.

    The same command resumes a download that was interrupted, and tries again what failed: finished files are kept.
    """

    addresses: tyro.conf.Positional[tuple[str, ...]]
    """Addresses of manifests, collections, info.json files or pictures; or text files with one address per line; or
    saved manifests and folders of them."""
    out: Path
    """Folder to make: manifests/, images/, pictures.csv and failures.csv."""
    max_side: Annotated[int, Range(0, 65_500)] = 512
    """Longest side to ask for in pixels. 0: as large as the servers send them."""
    all_canvases: bool = False
    """Take every page of a manifest; by default the first."""
    limit: AtLeastOne | None = None
    """Stop after this many manifests."""
    rate: Positive = 2.0
    """Requests per second to one server, at most."""
    retries: Annotated[int, Range(0, 20)] = 4
    """Further attempts at a file where a server is overloaded or a connection breaks, each after a longer pause."""
    most_mib: AtLeastOne = 64
    """Refuse pictures of more mebibytes."""


@dataclass(frozen=True)
class FetchedPictures:
    """The contents of the folder.

    Attributes:
        addresses: as they were given.
        max_side: longest side that was asked for.
        manifests, pictures: how many are there.
        without_picture: canvases that have none that could be fetched.
        failures: addresses that could not be fetched.
    """

    addresses: tuple[str, ...]
    max_side: int
    manifests: int
    pictures: int
    without_picture: int
    failures: int


class Root(NamedTuple):
    """A document to begin with.

    Attributes:
        address: of the document, or its identifier where it is saved already.
        document: None where it must be fetched.
        local: whether it, and what it names, may be on a private network.
    """

    address: str
    document: Any
    local: bool


def fetch_iiif(
    settings: IiifSettings, *, console: Console | None = None, client: PoliteClient | None = None
) -> FetchedPictures:
    """Download manifests and their pictures.

    Args:
        settings: of the command.
        console: for progress; by default standard error.
        client: by default one with the rate and retries of the settings.

    Raises:
        ArttlError: if there is no address, a file of addresses cannot be read, `out` was begun with other settings, or
            its disk cannot be written. What cannot be fetched is listed in `failures.csv`, and does not stop the rest.
    """
    if not settings.addresses:
        raise ArttlError(
            "arttl fetch iiif needs an address, a file of addresses, or a folder of saved manifests"
        )
    for text in settings.addresses:
        _check_address(text)
    out = settings.out
    for name in ("manifests", "collections", "images"):
        make_folder(out / name)
        remove_leftovers(out / name)
    _check_same_size(out / "request.json", settings.max_side)
    remove(out / "fetched.json")
    fetching = _Fetching(settings, client or PoliteClient(rate=settings.rate, retries=settings.retries))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = console or Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("")
        for _ in fetching.run(_roots(settings.addresses)):
            progress.update(bar, description=fetching.progress())
    pictures = [(*map(without_credentials, names), canvas) for *names, canvas in fetching.pictures.values()]
    write_bytes(out / "pictures.csv", csv_chunks(("file", "picture", "manifest", "canvas"), pictures))
    failures = [(address, *failure) for address, failure in fetching.failures.items()]
    rows = [tuple(map(without_credentials, failure)) for failure in failures]
    write_bytes(out / "failures.csv", csv_chunks(("address", "named_by", "reason"), rows))
    fetched = FetchedPictures(
        tuple(map(without_credentials, settings.addresses)),
        settings.max_side,
        fetching.manifests,
        len(fetching.pictures),
        fetching.without_picture,
        len(failures),
    )
    write_json(out / "fetched.json", asdict(fetched))
    return fetched


def run(settings: IiifSettings) -> None:
    """Fetch, and print what is there and the command to pack it.

    Raises:
        ArttlError: also if anything could not be fetched, with the count, after everything else was.
    """
    fetched = fetch_iiif(settings)
    out = settings.out
    if not fetched.manifests and not fetched.pictures and not fetched.failures:
        raise ArttlError(f"{', '.join(settings.addresses[:3])}: there is no manifest and no picture")
    print(f"{counted(fetched.manifests, 'manifest')} and {counted(fetched.pictures, 'picture')} in {out}")
    if fetched.without_picture:
        print(
            f"{fetched.without_picture:,} canvases have no picture; arttl shards lists them with the reason"
        )
    if fetched.pictures:
        pages = " --all-canvases" if settings.all_canvases else ""
        folders = f"--metadata {out / 'manifests'} --images {out / 'images'}"
        print(f"pack them: arttl shards --source iiif {folders}{pages} --out shards/iiif")
    if fetched.failures:
        raise ArttlError(
            f"{counted(fetched.failures, 'address', 'addresses')} could not be fetched;"
            f" {out / 'failures.csv'} has the reasons, and the same command tries them again"
        )


def _check_same_size(path: Path, max_side: int) -> None:
    if not path.is_file():
        write_json(path, {"max_side": max_side})
    before = read_document(path, "the file")
    if not isinstance(before, dict) or before.get("max_side") != max_side:
        raise ArttlError(
            f"--max-side {max_side}: {path} says that the pictures here have another; name another --out"
        )


def _check_address(text: str) -> None:
    """Refuse what names neither a page of the web nor a file, before anything is written."""
    if is_web_address(text) or Path(text).exists():
        return
    if "://" in text:
        raise ArttlError(f"{text!r} is not an address of http or https")
    raise ArttlError(
        f"{text!r} does not exist; arttl fetch iiif takes addresses of http or https, text files of addresses,"
        " and saved manifests or folders of them"
    )


def _roots(texts: Iterable[str]) -> Iterator[Root]:
    """What the user named.

    Raises:
        ArttlError: for a file that cannot be read, or a line of one that is no address.
    """
    for text in texts:
        path = Path(text)
        if is_web_address(text):
            yield Root(text, None, is_local(text))
        elif path.is_dir() or path.suffix.lower() in JSON_SUFFIXES:
            for where, document in read_documents(path, "ADDRESSES"):
                address = address_of(document) if isinstance(document, dict) else ""
                yield Root(address or where, document, False)
        else:
            yield from _roots_of_lines(path)


def _roots_of_lines(path: Path) -> Iterator[Root]:
    try:
        with readable(path, "the file of addresses"), path.open(encoding="utf-8-sig") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                address = line.strip()
                if address and not address.startswith("#"):
                    if not is_web_address(address):
                        raise ArttlError(
                            f"line {number} of {path} is not an address of http or https: {address[:80]!r}"
                        )
                    yield Root(address, None, is_local(address))
    except UnicodeDecodeError as error:
        raise ArttlError(f"{path} is not UTF-8 text with one address per line") from error


@dataclass
class _Fetching:
    settings: IiifSettings
    client: PoliteClient
    manifests: int = 0
    without_picture: int = 0
    pictures: dict[str, tuple[str, str, str, int]] = field(
        default_factory=dict
    )  # file name to the row of the table
    failures: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # address to what named it, and the reason

    def progress(self) -> str:
        """For the progress bar."""
        failed = f", {len(self.failures):,} failed" if self.failures else ""
        return f"{counted(self.manifests, 'manifest')}, {counted(len(self.pictures), 'picture')}{failed}"

    def run(self, roots: Iterable[Root]) -> Iterator[None]:
        """Fetch everything, with a stop after each picture."""
        seen: set[str] = set()
        collections = 0
        for root in roots:
            waiting = [(root, "", 0)]
            while waiting:
                here, named_by, depth = waiting.pop()
                if here.address in seen:
                    continue
                seen.add(here.address)
                kind, document = self._document(here, named_by)
                if kind == "collection":
                    collections += 1
                    if depth == _DEEPEST or collections > _MOST_COLLECTIONS:
                        self._fail(
                            here.address,
                            named_by,
                            "the collection is too deep within others, or one of too many",
                        )
                        continue
                    for number, entry in reversed(list(enumerate(read_references(document), start=1))):
                        address = entry.address or f"{here.address}#{number}"
                        if entry.document is None and not is_web_address(entry.address):
                            self._fail(address, here.address, "it is not an address of http or https")
                            continue
                        inner = Root(address, entry.document, here.local)
                        waiting.append((inner, here.address, depth + (not entry.is_page)))
                elif kind == "manifest":
                    self.manifests += 1
                    yield from self._pictures(here, document)
                    if self.manifests == self.settings.limit:
                        return
                elif kind == "image":
                    self._picture(read_info(document), here, 1, read_service(document))
                yield

    def _document(self, root: Root, named_by: str) -> tuple[Kind, Any]:
        """A document that is saved, or is fetched and then saved; an empty kind where it is a picture, or none."""
        own = picture_of_request(root.address) or Picture(root.address)
        if root.document is None and (
            own.service or (self.settings.out / "images" / own.file_name).is_file()
        ):
            self._picture(own, root, 1)
            return "", None
        name = document_name(root.address)
        saved = {folder: self.settings.out / folder / name for folder in ("manifests", "collections")}
        response = None
        try:
            if existing := next((path for path in saved.values() if path.is_file()), None):
                document = read_document(existing, "the file")
                return kind_of(document), document
            if (document := root.document) is None:
                most = max(_MOST_DOCUMENT, self.settings.most_mib << 20)
                response = self.client.get(root.address, most_bytes=most, local=root.local)
                if is_picture := response.content_type.startswith("image/") or is_picture_data(response):
                    check_picture(response)
                elif len(response.data) > _MOST_DOCUMENT:
                    raise FetchError(f"it is no picture, and has more than {_MOST_DOCUMENT:,} bytes")
                else:
                    document = parse_document(response.data, "what the server sent")
        except ArttlError as error:
            self._fail(root.address, named_by, str(error))
            return "", None
        if response is not None and is_picture:
            self._save(own, response, root, 1)
            return "", None
        kind = kind_of(document)
        if kind:
            data = json.dumps(document).encode() if response is None else response.data
            write_bytes(saved["collections" if kind == "collection" else "manifests"], data)
        else:
            self._fail(
                root.address, named_by, "it is neither a manifest, a collection, an info.json nor a picture"
            )
        return kind, document

    def _pictures(self, root: Root, document: dict[str, Any]) -> Iterator[None]:
        manifest = read_manifest(document)
        most = None if self.settings.all_canvases else 1
        if not manifest.canvas_count:
            self.without_picture += 1
        for page, canvas in enumerate(islice(manifest.canvases(), most), start=1):
            if canvas.picture is None:
                self.without_picture += 1
            else:
                self._picture(canvas.picture, root, page)
            yield

    def _picture(self, picture: Picture, root: Root, page: int, service: ImageService | None = None) -> None:
        """Fetch a picture, unless it is there."""
        name = picture.file_name
        if name in self.pictures or (self.settings.out / "images" / name).is_file():
            self._list(picture, root, page)
            return
        try:
            response = fetch_picture(
                self.client,
                picture,
                max_side=self.settings.max_side,
                most_bytes=self.settings.most_mib << 20,
                local=root.local,
                service=service,
            )
        except FetchError as error:
            self._fail(picture.service or picture.address, root.address, str(error))
        else:
            self._save(picture, response, root, page)

    def _save(self, picture: Picture, response: Response, root: Root, page: int) -> None:
        write_bytes(self.settings.out / "images" / picture.file_name, response.data)
        self._list(picture, root, page)

    def _list(self, picture: Picture, root: Root, page: int) -> None:
        row = (picture.file_name, picture.service or picture.address, root.address, page)
        self.pictures.setdefault(picture.file_name, row)

    def _fail(self, address: str, named_by: str, reason: str) -> None:
        self.failures.setdefault(address, (named_by, reason))
