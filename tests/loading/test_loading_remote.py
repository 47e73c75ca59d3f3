"""Shards at an address: a bounded cache, digests, reuse, and connections that break."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from loading_pictures import COUNT, read_number

from arttl.errors import ArttlError
from arttl.loading import Loader, Preprocess, open_loader, remote
from arttl.shards.manifest import Manifest

WHOLE = Preprocess(size=48, fit="squash", crop_pct=1.0, filter="bilinear")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ARTTL_CACHE_GIB", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def served(painted_collection: Manifest, tmp_path: Path) -> Path:
    """A folder to read from as file://, and to damage."""
    return Path(shutil.copytree(painted_collection.directory, tmp_path / "served"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was downloaded."""
    counts: Counter[str] = Counter()
    download = remote._download

    def counted(address: str, *arguments: object) -> str:
        counts[address.rpartition("/")[2]] += 1
        return download(address, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(remote, "_download", counted)
    return counts


def opened(address: str | Path | Manifest, **options: object) -> Loader:
    settings = {
        "preprocess": WHOLE,
        "batch_size": 5,
        "engine": "cpu",
        "threads": 2,
        "device": "cpu",
        **options,
    }
    return open_loader(address, **settings)  # type: ignore[arg-type]


def numbers(loader: Loader) -> list[int]:
    """The numbers that are painted into an epoch's pictures."""
    painted = []
    for batch in loader:
        squares = WHOLE.denormalise(batch.images[batch.valid])
        painted += [read_number(square) for square in squares]
    return painted


def size_of(folder: Path, pattern: str = "*.tar") -> int:
    size = 0
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile, to make room
            size += path.stat().st_size
    return size


@pytest.mark.parametrize("engine", ["cpu", "dali-cpu"])
def test_an_epoch_from_an_address_is_the_epoch_from_the_folder(
    served: Path, cache: Path, engine: str, reads: Counter[str]
) -> None:
    if engine == "dali-cpu":
        pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    loader = opened(f"file://{served}", engine=engine)
    assert sorted(cache.glob("*/*.tar")) == []  # nothing large before it is needed
    assert numbers(loader) == numbers(opened(served, engine=engine))
    assert {name for name in reads if name.endswith(".tar")} == {
        path.name for path in served.glob("train-*.tar")
    }
    assert set(reads.values()) == {1}


def test_what_was_fetched_is_used_again(served: Path, cache: Path, reads: Counter[str]) -> None:
    expected = sorted(numbers(opened(f"file://{served}")))
    before = reads.copy()
    assert sorted(numbers(opened(f"file://{served}"))) == expected == list(range(COUNT))
    assert reads == before


def test_a_path_that_was_an_address_is_one(served: Path, cache: Path) -> None:
    """What settings make of it, whose type is Path."""
    manifest = remote.read_manifest(Path(f"file://{served}"))
    assert manifest.directory.parent == cache
    assert sorted(numbers(opened(manifest, split="val"))) == list(range(COUNT, COUNT + 7))
    assert not remote.is_remote("shards/gallery") and not remote.is_remote(Path("C:/shards"))


@pytest.mark.parametrize("engine", ["cpu", "dali-cpu"])
def test_the_cache_stays_within_its_bounds(
    served: Path, cache: Path, reads: Counter[str], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "dali-cpu":
        pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    tars = sorted(served.glob("train-*.tar"))
    limit = 2.5 * max(path.stat().st_size for path in tars)
    monkeypatch.setenv("ARTTL_CACHE_GIB", str(limit / 2**30))
    loader = opened(f"file://{served}", engine=engine)
    largest = 0
    for _epoch in range(2):
        seen = []
        for batch in loader:
            seen += batch.rows[batch.valid].tolist()
            largest = max(largest, sum(size_of(folder) for folder in cache.iterdir()))
        assert sorted(seen) == loader.rows.tolist()
    assert 0 < largest <= limit
    assert sum(reads[path.name] for path in tars) > len(tars)  # or the bound was none


def test_threads_that_fetch_at_once_stay_within_the_bounds_together(
    served: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars = sorted(served.glob("train-*.tar"))
    limit = 2.5 * max(path.stat().st_size for path in tars)
    monkeypatch.setenv("ARTTL_CACHE_GIB", str(limit / 2**30))
    manifest = remote.read_manifest(f"file://{served}")
    shards = remote.RemoteShards.of(manifest)
    assert shards is not None and len(tars) >= 4
    download = remote._download
    sizes: list[int] = []

    def slow_download(address: str, to: Path, stop: threading.Event, most: int) -> str:
        digest = download(address, to, stop, most)
        time.sleep(0.05)  # the other threads make room meanwhile
        return digest

    monkeypatch.setattr(remote, "_download", slow_download)

    def fetch(name: str) -> None:
        shards.ensure(name)
        sizes.append(size_of(manifest.directory))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fetch, [path.name for path in tars] * 3))
    assert 0 < max(sizes) <= limit


def test_a_shard_larger_than_the_cache_is_one_sentence(
    served: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTTL_CACHE_GIB", "1e-5")
    with pytest.raises(ArttlError, match=r"does not fit in a cache of .*: raise \$ARTTL_CACHE_GIB"):
        list(opened(f"file://{served}"))
    monkeypatch.setenv("ARTTL_CACHE_GIB", "much")
    with pytest.raises(ArttlError, match=r"\$ARTTL_CACHE_GIB is 'much'"):
        opened(f"file://{served}")


def test_another_digest_is_fetched_again_and_then_named(
    served: Path, cache: Path, reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PAUSE", 0.0)
    tar = served / "train-00002.tar"
    data = bytearray(tar.read_bytes())
    data[4000] ^= 1
    tar.write_bytes(data)
    with pytest.raises(
        ArttlError, match=r"train-00002\.tar could not be fetched in 5 attempts .*another digest"
    ):
        list(opened(f"file://{served}"))
    assert reads["train-00002.tar"] >= 5
    assert {path.suffix for path in cache.glob("*/train-00002.tar*")} <= {
        ".lock"
    }  # neither the tar nor a part


def test_a_damaged_cache_is_mended(served: Path, cache: Path, reads: Counter[str]) -> None:
    expected = numbers(opened(f"file://{served}"))
    (tar,) = cache.glob("*/train-00001.tar")
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    assert numbers(opened(f"file://{served}")) == expected
    assert reads["train-00001.tar"] == 2


def test_another_packing_at_the_address_is_another_folder(served: Path, cache: Path) -> None:
    list(opened(f"file://{served}", split="val"))
    dataset = json.loads((served / "dataset.json").read_text())
    (served / "dataset.json").write_text(json.dumps({**dataset, "digest": "0" * 64}))
    list(opened(f"file://{served}", split="val"))
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 2


def test_what_is_not_there_is_one_sentence(tmp_path: Path, cache: Path) -> None:
    for address, message in (
        (f"file://{tmp_path}/nowhere", "no finished shards at file://"),
        ("gopher://example.org/x", "no finished shards at gopher://"),
    ):
        with pytest.raises(ArttlError) as caught:
            opened(address)
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_nothing_runs_on_when_reading_is_given_up(
    served: Path, cache: Path, left_behind: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tars = [path.stat().st_size for path in served.glob("train-*.tar")]
    assert sum(tars) > 3 * max(tars)
    # Room for less than all, so that fetching waits for reading.
    monkeypatch.setenv("ARTTL_CACHE_GIB", str(2.5 * max(tars) / 2**30))
    batches = iter(opened(f"file://{served}"))
    next(batches)
    assert "arttl-fetch" in left_behind()
    del batches
    assert left_behind() == []


class _Server(ThreadingHTTPServer):
    """Serves a folder, and cuts off the next `cuts` answers that carry a tar, in the middle."""

    cuts = 0
    cut_off = 0
    daemon_threads = True


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.directory) / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        first, last = 0, len(data) - 1
        requested = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if requested[0]:
            first, last = int(requested[0]), min(last, int(requested[2] or last))
        part = data[first : last + 1]
        self.send_response(206 if requested[0] else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        if requested[0]:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        server = self.server
        assert isinstance(server, _Server)
        if path.suffix == ".tar" and server.cuts and len(part) > 1000:
            server.cuts -= 1
            server.cut_off += 1
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(part)

    def do_HEAD(self) -> None:
        path = Path(self.directory) / self.path.lstrip("/")
        self.send_response(200 if path.is_file() else 404)
        self.send_header("Content-Length", str(path.stat().st_size if path.is_file() else 0))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(served: Path) -> Iterator[_Server]:
    pytest.importorskip("aiohttp", reason="fsspec reads HTTP with aiohttp")
    fsspec.get_filesystem_class("http").clear_instance_cache()
    with _Server(("127.0.0.1", 0), partial(_Handler, directory=str(served))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_connection_cut_in_mid_shard_never_makes_a_short_epoch(
    server: _Server, cache: Path, monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    monkeypatch.setattr(remote, "_PAUSE", 0.0)
    server.cuts = 4
    seen: list[int] = []
    for rank in range(world_size):
        loader = opened(
            f"http://127.0.0.1:{server.server_address[1]}", rank=rank, world_size=world_size, shuffle=True
        )
        seen += numbers(loader)
    assert sorted(seen) == list(range(COUNT))
    assert server.cut_off == 4 and server.cuts == 0


def test_a_server_that_always_breaks_off_is_named(
    server: _Server, cache: Path, monkeypatch: pytest.MonkeyPatch, left_behind: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(remote, "_PAUSE", 0.0)
    server.cuts = 10**6
    with pytest.raises(ArttlError) as caught:
        list(opened(f"http://127.0.0.1:{server.server_address[1]}"))
    assert "could not be fetched in 5 attempts" in str(caught.value) and "\n" not in str(caught.value)
    assert left_behind() == []


def test_the_cache_deletes_only_what_it_fetched(
    served: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pointed at a folder of one's own shards, or at one with links out of it, it leaves them alone."""
    own = cache / "mine"
    shutil.copytree(served, own)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "train-00000.tar").write_bytes(b"x" * 1000)
    (outside / "source.json").write_text("{}")
    (cache / ("0" * 24)).symlink_to(outside)
    size = size_of(served) / 2
    monkeypatch.setenv("ARTTL_CACHE_GIB", str(size / 2**30))
    assert numbers(opened(f"file://{served}")) == numbers(opened(served))
    assert {path.name for path in own.iterdir()} == {path.name for path in served.iterdir()}
    assert (outside / "train-00000.tar").stat().st_size == 1000


def test_a_link_in_the_cache_is_not_followed(served: Path, cache: Path, tmp_path: Path) -> None:
    manifest = remote.read_manifest(f"file://{served}")
    name = next(served.glob("*.tar")).name
    elsewhere = tmp_path / "elsewhere.tar"
    shutil.copy(served / name, elsewhere)
    (manifest.directory / name).symlink_to(elsewhere)
    shards = remote.RemoteShards.of(manifest)
    assert shards is not None
    shards.ensure(name)
    assert not (manifest.directory / name).is_symlink()
    assert (manifest.directory / name).read_bytes() == elsewhere.read_bytes()


def test_no_more_is_read_than_was_announced(
    served: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that sends for ever does not fill the disk."""
    monkeypatch.setattr(remote, "_PAUSE", 0.0)
    manifest = remote.read_manifest(f"file://{served}")
    name = next(served.glob("*.tar")).name
    size = (served / name).stat().st_size
    with (served / name).open("ab") as file:
        file.truncate(size + 100 * 2**20)
    to = cache / "received"
    remote._download(f"file://{served / name}", to, threading.Event(), size)
    assert to.stat().st_size == size + 1
    shards = remote.RemoteShards.of(manifest)
    assert shards is not None
    with pytest.raises(ArttlError, match="another digest"):
        shards.ensure(name)


def test_credentials_are_neither_saved_nor_shown(
    served: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real_open = fsspec.open

    def opened_without(address: str, *arguments: object, **options: object) -> object:
        asked.append(address)
        if "gone" in address:
            raise OSError(f"401 for {address}")
        return real_open(
            address.replace("https://me:secret@museum.example", "file://"), *arguments, **options
        )

    monkeypatch.setattr(fsspec, "open", opened_without)
    manifest = remote.read_manifest(f"https://me:secret@museum.example{served}")
    shards = remote.RemoteShards.of(manifest)
    assert shards is not None
    shards.ensure(next(served.glob("*.tar")).name)
    assert all("me:secret@" in address for address in asked)
    assert not any(b"secret" in path.read_bytes() for path in cache.rglob("*") if path.is_file())
    monkeypatch.setattr(remote, "_PAUSE", 0.0)
    with pytest.raises(ArttlError) as refused:
        remote.read_manifest("https://me:secret@museum.example/gone")
    assert "secret" not in str(refused.value) and "https://museum.example/gone" in str(refused.value)
