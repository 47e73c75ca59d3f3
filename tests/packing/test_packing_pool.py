from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from folder_contents import contents

from arttl.artworks import Artwork
from arttl.catalogue.jobs import Job
from arttl.errors import ArttlError
from arttl.packing import pool
from arttl.packing.pack import pack
from arttl.packing.pool import default_workers, in_order, samples_in_order
from arttl.packing.samples import Limits
from arttl.packing.settings import PackSettings
from arttl.shards.sample import Sample

_ROOT = Path(__file__).resolve().parents[2]
_LIMITS = Limits(max_side=512, max_pixels=10**8)


def _jobs(artworks: list[Artwork]) -> list[Job]:
    return [Job(artwork, artwork.image.name) for artwork in artworks]


@pytest.mark.parametrize(("max_side", "chunk"), [(0, 4), (512, 16)])
def test_order_and_a_bounded_number_ahead(
    make_artworks: Callable[..., list[Artwork]], max_side: int, chunk: int
) -> None:
    jobs = _jobs(make_artworks(180))
    taken = []

    def watched() -> Iterator[Job]:
        for job in jobs:
            taken.append(job)
            yield job

    keys = []
    for outcome in samples_in_order(watched(), Limits(max_side=max_side, max_pixels=10**8), 2):
        assert isinstance(outcome, Sample)
        keys.append(outcome.record.key)
        assert len(taken) - len(keys) <= (2 * 3 + 2) * chunk
    assert keys == [job.artwork.key for job in jobs]


def test_a_dead_process_is_named_with_its_picture(make_artworks: Callable[..., list[Artwork]]) -> None:
    jobs = _jobs(make_artworks(12))
    for count in (1, 2, 3):  # with the last one included
        with pytest.raises(ArttlError, match=r"^a process died at 7\.jpg; .* --resume"):
            list(in_order(_end_at_the_eighth, jobs, count + 1, chunk_size=5))


def _end_at_the_eighth(job: Job) -> str:
    if job.file == "7.jpg":
        os.kill(os.getpid(), signal.SIGKILL)
    return job.file


def test_what_work_raises_comes_with_its_own_traceback(make_artworks: Callable[..., list[Artwork]]) -> None:
    with pytest.raises(ValueError, match="not 1") as raised:
        list(in_order(_refuse, _jobs(make_artworks(3)), 2, chunk_size=1))
    assert "in _refuse" in str(raised.value.__cause__)


def _refuse(job: Job) -> None:
    if job.file == "1.jpg":
        raise ValueError("not 1")


_WAITING = """
import itertools, sys, time
from pathlib import Path

from arttl.artworks import Artwork
from arttl.packing.pool import samples_in_order
from arttl.catalogue.jobs import Job
from arttl.packing.samples import Limits

if __name__ == "__main__":
    job = Job(Artwork("a", "a", Path("none.jpg"), {}), "none.jpg")
    for _ in samples_in_order(itertools.repeat(job), Limits(512, 1000), 2):
        time.sleep(0.5)  # the processes run out of work and wait
        print("waiting", flush=True)
        time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux' list of processes")
def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(_WAITING)
    mark = f"PACKING_TEST={script}"
    environment = {**os.environ, "PACKING_TEST": str(script), "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"waiting\n"
        assert len(_processes(mark)) >= 3  # the parent and two workers at least
        parent.kill()
    deadline = time.monotonic() + 20
    while found := _processes(mark):
        assert time.monotonic() < deadline, f"processes {found} outlive their parent"
        time.sleep(0.05)


def _processes(mark: str) -> list[int]:
    """The processes that were started with a word in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended, or is another user's
    return found


def test_a_small_collection_needs_no_processes() -> None:
    assert default_workers(1000) == 1
    assert default_workers(1001) >= 1


def test_packing_imports_no_torch() -> None:
    code = (
        "import arttl.packing.command, sys; sys.exit('torch' in sys.modules or 'nvidia.dali' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)


def test_workers_import_no_pyarrow() -> None:
    """Each of many processes would pay for it in memory."""
    code = "import arttl.packing.pool, sys; sys.exit('pyarrow' in sys.modules or 'rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A Dask cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
@pytest.mark.parametrize("near_duplicates", ["report", "together"])
def test_the_same_bytes_over_a_dask_cluster(
    near_duplicates: str, tmp_path: Path, make_artworks: Callable[..., list[Artwork]], scheduler: str
) -> None:
    artworks = make_artworks(50)
    artworks[9].image.write_bytes(b"")
    artworks[10].image.write_bytes(artworks[11].image.read_bytes())
    for name, changes in (("1", {"workers": 1}), ("2", {"workers": 2}), ("dask", {"scheduler": scheduler})):
        settings = PackSettings(
            out=tmp_path / name,
            images=tmp_path / "images",
            shard_size=8,
            split="stratified",
            near_duplicates=near_duplicates,  # type: ignore[arg-type]
            **changes,  # type: ignore[arg-type]
        )
        assert len(pack(artworks, settings)) == 48
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "dask")


def test_a_scheduler_that_is_not_there(
    make_artworks: Callable[..., list[Artwork]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    monkeypatch.setattr(pool, "_SCHEDULER_TIMEOUT", 1.0)
    with socket.socket() as taken:  # bound and not listening: nobody can answer there
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        for wrong in (address, "nonsense://x"):
            with pytest.raises(
                ArttlError, match=f"--scheduler {wrong}: there is no Dask scheduler at this address"
            ):
                list(samples_in_order(_jobs(make_artworks(3)), _LIMITS, 1, wrong))


@pytest.mark.slow
def test_a_failing_dask_worker_is_named(make_artworks: Callable[..., list[Artwork]], scheduler: str) -> None:
    with pytest.raises(ArttlError, match=r"a Dask worker failed \(KilledWorker\) at or soon after 0\.jpg"):
        list(in_order(_end_the_process, _jobs(make_artworks(3)), 1, scheduler))


@pytest.mark.slow
def test_the_last_dask_worker_dies(make_artworks: Callable[..., list[Artwork]]) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        results = in_order(_wait, _jobs(make_artworks(3)), 1, cluster.scheduler_address, chunk_size=1)
        threading.Timer(1.0, lambda: cluster.scale(0)).start()
        started = time.monotonic()
        with pytest.raises(ArttlError, match=r"all Dask workers are gone at or soon after 0\.jpg"):
            next(results)
        assert time.monotonic() - started < 20


def _wait(job: Job) -> None:
    time.sleep(600)


def _end_the_process(job: Job) -> None:
    os._exit(1)
