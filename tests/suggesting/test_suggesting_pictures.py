"""The pictures that suggestions name: never beyond their folder, upright, and with their original size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.pictures.decoding import BadPicture
from arttl.suggesting.pictures import FolderPictures, open_pictures


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """300 x 200 pixels in its file and 200 x 300 upright, with a red band that is then at the top."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, :60] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # its left side is the top once it is turned by 90 degrees clockwise
    (tmp_path / "photos" / "more").mkdir(parents=True)
    path = tmp_path / "photos" / "more" / "a b.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_upright_and_with_the_original_size(tmp_path: Path, photograph: Path, packed: bool) -> None:
    if packed:
        keys = "abcdefgh"
        artworks = [Artwork(key, f"A.{key}", photograph, {"type": ("vase",)}) for key in keys]
        pack(artworks, PackSettings(out=tmp_path / "shards", tasks=("type",), workers=1, max_side=60))
    pictures = (
        open_pictures(None, tmp_path / "shards") if packed else open_pictures(tmp_path / "photos", None)
    )
    picture = pictures.read("a" if packed else "more/a b.jpg")
    assert (picture.width, picture.height) == (200, 300)
    assert picture.rgb.size == ((40, 60) if packed else (200, 300))
    top, bottom = (np.asarray(picture.rgb)[row, picture.rgb.width // 2] for row in (2, -3))
    assert top[0] > 200 and bottom.max() < 40
    small = pictures.read("a" if packed else "more/a b.jpg", cover=50)
    assert (small.width, small.height) == (200, 300) and max(small.rgb.size) >= 50


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/hostname", "more/../../secret.jpg", "C:\\x.jpg", "", "no.jpg"]
)
def test_names_that_are_no_picture_of_the_folder(tmp_path: Path, photograph: Path, name: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(photograph.read_bytes())
    with pytest.raises(BadPicture, match="missing"):
        FolderPictures(tmp_path / "photos").read(name)


def test_one_of_the_two_is_named(tmp_path: Path) -> None:
    for images, shards in ((None, None), (tmp_path, tmp_path)):
        with pytest.raises(ArttlError, match="--images or with --shards, one of them"):
            open_pictures(images, shards)
