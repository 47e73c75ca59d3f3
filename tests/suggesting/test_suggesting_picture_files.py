"""Files to the network's input: as the whole picture is read and cut, at any orientation, profile and kind of JPEG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from arttl.loading.preprocess import Preprocess
from arttl.pictures.decoding import read_picture
from arttl.pictures.picture_file import PictureFile
from arttl.suggesting.picture_files import FileBatch, read_batches


def squares(paths: list[Path], *preprocesses: Preprocess) -> tuple[torch.Tensor, ...]:
    batch = FileBatch(0, {index: PictureFile(path) for index, path in enumerate(paths)})
    ((_, images, problems),) = read_batches([batch], preprocesses, 2)
    assert not problems
    return images


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_large_jpegs_are_read_at_a_reduced_scale_like_whole_ones(
    orientation: int, mode: str, tmp_path: Path, soft_picture: Callable[..., Image.Image]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    soft_picture(1203, 805, seed=orientation).convert(mode).save(path, quality=95, exif=exif)
    preprocess = Preprocess(size=96)
    (image,) = squares([path], preprocess)
    with Image.open(path) as opened:  # Pillow turns it
        upright = ImageOps.exif_transpose(opened).size
    assert read_picture(path).shape[1::-1] == upright
    whole = preprocess.apply(read_picture(path))
    difference = (image[0] - whole).abs() * torch.tensor(preprocess.std)[:, None, None] * 255
    assert difference.mean() < 0.5 and difference.max() < 6
    if orientation > 1:
        turned = preprocess.apply(np.ascontiguousarray(read_picture(path)[::-1]))
        assert (image[0] - turned).abs().mean() > 0.1


def test_a_profile_is_applied_at_the_reduced_scale(
    tmp_path: Path, soft_picture: Callable[..., Image.Image]
) -> None:
    picture = soft_picture(1600, 1200, seed=5)
    lab = ImageCms.createProfile("LAB")
    assert lab is not None
    # Red and green primaries swapped: any reader that ignores the profile is far off.
    profile = swapped_profile()
    picture.save(tmp_path / "a.jpg", quality=95, icc_profile=profile)
    picture.save(tmp_path / "plain.jpg", quality=95)
    preprocess = Preprocess(size=64)
    (with_profile,) = squares([tmp_path / "a.jpg"], preprocess)
    whole = preprocess.apply(read_picture(tmp_path / "a.jpg"))
    plain = preprocess.apply(read_picture(tmp_path / "plain.jpg"))
    assert (with_profile[0] - whole).abs().mean() < 0.02
    assert (with_profile[0] - plain).abs().mean() > 0.2


def swapped_profile() -> bytes:
    """sRGB's profile with its red and green columns exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12):
        name = bytes(data[at : at + 4])
        if name in (b"rXYZ", b"gXYZ"):
            data[at : at + 4] = b"gXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(data)


def test_several_inputs_share_one_reading(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> None:
    soft_picture(500, 400, seed=1).save(tmp_path / "a.jpg", quality=95)
    small, large = Preprocess(size=32), Preprocess(size=64)
    first, second, third = squares([tmp_path / "a.jpg"], small, large, small)
    assert first.shape == (1, 3, 32, 32) and second.shape == (1, 3, 64, 64)
    torch.testing.assert_close(first, third)
