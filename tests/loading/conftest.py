"""Small collections whose pictures say which sample they are."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from loading_pictures import COUNT, jpeg, painted, textured, write_shards
from PIL import Image

from arttl.artworks import Artwork
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest


@pytest.fixture(scope="session")
def painted_collection(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """`COUNT` labelled training pictures in shards of ten, seven of val, and one without a label.

    The key of each is `n` and the number that is painted into it. `type` is the number modulo three;
    `subject` is known for every second picture, and has two labels for every fourth.
    """
    folder = tmp_path_factory.mktemp("painted")
    artworks = []
    for number in range(COUNT + 8):
        image = folder / f"{number}.jpg"
        painted(number, 90 + number % 7, 60 + 3 * (number % 11)).save(image, quality=95)
        labels = {"type": ("print", "drawing", "painting")[number % 3 : number % 3 + 1]}
        if number % 2 == 0:
            labels["subject"] = ("ship", "horse") if number % 4 == 0 else ("horse",)
        if number == COUNT + 7:
            labels = {"source": ("nobody asks for this",)}
        split = "val" if COUNT <= number < COUNT + 7 else "train"
        artworks.append(Artwork(f"n{number}", f"n.{number}", image, labels, split=split))
    settings = PackSettings(
        out=folder / "shards",
        tasks=("type", "subject", "source"),
        split="column=split",
        shard_size=10,
        workers=1,
    )
    return pack(artworks, settings)


@pytest.fixture(scope="session")
def odd_collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, list[Image.Image]]:
    """Baseline, progressive, grey, 4:4:4, restart-marked, tiny and large JPEGs, with Pillow's decodes."""
    shapes = [
        (300, 401),
        (402, 300),
        (333, 256),
        (256, 256),
        (300, 280),
        (40, 31),
        (1201, 1003),
        (2311, 1999),
    ]
    options: list[dict[str, object]] = [
        {},
        {"progressive": True},
        {},
        {"subsampling": 0},
        {"restart_marker_rows": 1},
        {},
        {"progressive": True},
        {},
    ]
    jpegs = []
    for number, ((height, width), option) in enumerate(zip(shapes, options, strict=True)):
        picture = textured(number, height, width)
        jpegs.append(jpeg(picture.convert("L") if number == 2 else picture, **option))
    manifest = write_shards(tmp_path_factory.mktemp("odd") / "shards", jpegs, shapes)
    return manifest, [Image.open(io.BytesIO(data)).convert("RGB") for data in jpegs]


@pytest.fixture(params=["cpu", "dali-cpu"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that needs no card."""
    if request.param == "dali-cpu":
        pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    return str(request.param)


@pytest.fixture
def left_behind() -> Callable[[], list[str]]:
    """What loaders have left: reading and decoding threads of either engine, by name."""

    def listed() -> list[str]:
        threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("arttl-")]
        native = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
        return threads + [name for name in native if name.startswith("[DALI]")]

    return listed
