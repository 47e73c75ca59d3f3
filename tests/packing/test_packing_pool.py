from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing import pool
from arttl.packing.pool import default_workers, samples_in_order
from arttl.packing.samples import Job, Limits, Sample

_LIMITS = Limits(max_side=512, max_pixels=10**8)


def _jobs(artworks: list[Artwork]) -> list[Job]:
    return [Job(artwork, artwork.image.name) for artwork in artworks]


def test_order_and_a_bounded_number_ahead(make_artworks: Callable[..., list[Artwork]]) -> None:
    jobs = _jobs(make_artworks(60))
    taken = []

    def watched() -> Iterator[Job]:
        for job in jobs:
            taken.append(job)
            yield job

    keys = []
    for outcome in samples_in_order(watched(), _LIMITS, 2):
        assert isinstance(outcome, Sample)
        keys.append(outcome.key)
        assert len(taken) - len(keys) <= 2 * 12 + 8
    assert keys == [job.artwork.key for job in jobs]


def test_a_dead_process_is_named(
    make_artworks: Callable[..., list[Artwork]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_start_worker", os.abort)
    with pytest.raises(ArttlError, match=r"died, at or soon after 0\.jpg; .* --resume"):
        list(samples_in_order(_jobs(make_artworks(3)), _LIMITS, 2))


def test_a_small_collection_needs_no_processes() -> None:
    assert default_workers(1000) == 1
    assert default_workers(1001) >= 1


def test_packing_imports_no_torch() -> None:
    code = (
        "import arttl.packing.command, sys; sys.exit('torch' in sys.modules or 'nvidia.dali' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_workers_import_no_pyarrow() -> None:
    """Each of many processes would pay for it in memory."""
    code = "import arttl.packing.pool, sys; sys.exit('pyarrow' in sys.modules or 'rich' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
