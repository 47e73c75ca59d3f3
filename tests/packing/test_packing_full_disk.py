"""A disk that fills up, for real: a small tmpfs, where mounting one is permitted."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("shard_size", [5, 1000])
def test_a_disk_that_fills_up(
    shard_size: int, tmp_path: Path, small_disk: Path, soft_picture: Callable[..., Image.Image]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    artworks = []
    for index in range(60):
        path = images / f"{index}.jpg"
        soft_picture(500, 400, seed=index).save(path, quality=95)
        artworks.append(Artwork(path.stem, path.stem, path, {"type": ("vase",)}))
    assert sum(path.stat().st_size for path in images.iterdir()) > 2**20
    settings = PackSettings(out=small_disk / "out", images=images, shard_size=shard_size, workers=1)
    with pytest.raises(
        ArttlError, match="No space left on device; mend that and continue with --resume"
    ) as stop:
        pack(artworks, settings)
    assert "\n" not in str(stop.value)
    with pytest.raises(ArttlError, match="is not a finished folder of shards"):
        Manifest.read(settings.out)
    for path in settings.out.glob("*"):  # what has its name is whole
        if path.suffix == ".tar":
            assert path.with_suffix(".idx").is_file()
            assert path.stat().st_size % 10240 == 0
    # The same on a disk with room, by resuming there, is what it would have been.
    shutil.copytree(settings.out, tmp_path / "moved")
    pack(artworks, dataclasses.replace(settings, out=tmp_path / "moved", resume=True))
    pack(artworks, dataclasses.replace(settings, out=tmp_path / "whole"))
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "moved" / path.name).read_bytes() == path.read_bytes()
