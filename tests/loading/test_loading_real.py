"""Real collections through both engines, on simulated ranks and in real processes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing
from PIL import Image

from arttl.artworks import Artwork, sample_key
from arttl.loading import Augment, Preprocess, open_loader
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest

pytestmark = [pytest.mark.real, pytest.mark.slow]

SMALL = Preprocess(size=64, crop_pct=1.0)


@pytest.fixture(scope="module", params=["gallery", "paintings"])
def collection(
    request: pytest.FixtureRequest, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Manifest:
    folder = real_data / request.param
    task = {"gallery": "type", "paintings": "artist"}[request.param]
    with (folder / "objects.csv").open(encoding="utf-8", newline="") as file:
        artworks = [
            Artwork(
                sample_key(row["object_number"]),
                row["object_number"],
                folder / "images" / row["file"],
                {task: (row[task],)} if row[task] else {},
            )
            for row in csv.DictReader(file)
        ]
    out = tmp_path_factory.mktemp(request.param) / "shards"
    return pack(artworks, PackSettings(out=out, tasks=(task,), shard_size=100, workers=1))


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_every_key_of_a_real_collection_comes_once(
    collection: Manifest, engine: str, world_size: int
) -> None:
    options = {"preprocess": SMALL, "batch_size": 32, "engine": engine, "threads": 2, "device": "cpu"}
    expected = Counter(collection.keys[row] for row in collection.rows("train"))
    orders = []
    for epoch in (0, 1):
        seen: list[str] = []
        for rank in range(world_size):
            loader = open_loader(
                collection, tasks=collection.task_names, rank=rank, world_size=world_size, **options
            )
            loader.set_epoch(epoch)
            for batch in loader:
                seen += [collection.keys[row] for row in batch.rows[batch.valid].tolist()]
        labelled = Counter(seen)
        assert set(labelled.values()) == {1}
        known = {collection.keys[row] for row, labels in enumerate(_labels(collection)) if labels}
        assert labelled == Counter(key for key in expected if key in known)
        orders.append(seen)
    assert orders[0] != orders[1]


def _labels(manifest: Manifest) -> list[tuple[str, ...] | None]:
    return manifest.labels(manifest.task_names[0])


def _process(rank: int, world_size: int, shards: str, engine: str, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    manifest = Manifest.read(shards)
    loader = open_loader(
        manifest,
        tasks=manifest.task_names,
        preprocess=SMALL,
        batch_size=32,
        engine=engine,  # type: ignore[arg-type]
        threads=1,
        device="cpu",
    )
    seen = []
    for batch in loader:
        torch.distributed.all_reduce(
            batch.valid.sum()
        )  # hangs if the ranks have different numbers of batches
        seen += [manifest.keys[row] for row in batch.rows[batch.valid].tolist()]
    (Path(folder) / f"{rank}.json").write_text(json.dumps(seen))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("processes", [2, 3])
def test_real_processes_take_their_ranks_from_the_process_group(
    collection: Manifest, engine: str, processes: int, tmp_path: Path
) -> None:
    torch.multiprocessing.spawn(
        _process, args=(processes, str(collection.directory), engine, str(tmp_path)), nprocs=processes
    )
    seen = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(processes)]
    known = [collection.keys[row] for row in collection.rows("train") if _labels(collection)[row]]
    assert Counter(key for keys in seen for key in keys) == Counter(known)
    assert max(map(len, seen)) - min(map(len, seen)) <= 32


def test_scans_look_alike_from_both_engines_and_from_pillow(real_data: Path, tmp_path: Path) -> None:
    """Stored at full size, so that the CPU engine decodes them at a reduced scale; one is progressive."""
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    images = sorted((real_data / "scans").glob("*.jpg"))
    artworks = [
        Artwork(image.stem, image.name, image, {"type": (("a", "b")[number % 2],)}, split="train")
        for number, image in enumerate(images)
    ]
    manifest = pack(
        artworks,
        PackSettings(
            out=tmp_path / "shards",
            tasks=("type",),
            split="column=split",
            max_side=0,
            shard_size=4,
            workers=1,
        ),
    )
    for spec in (Preprocess(), Preprocess(augment=Augment(scale=(0.2, 1)))):
        both = [
            open_loader(
                manifest, preprocess=spec, batch_size=4, engine=engine, threads=2, device="cpu", shuffle=False
            )
            for engine in ("cpu", "dali-cpu")
        ]
        for ours, theirs in zip(*both, strict=True):
            squares = [spec.denormalise(batch.images).astype(int) for batch in (ours, theirs)]
            assert np.abs(squares[0] - squares[1]).mean(axis=(1, 2, 3)).max() < 1.0
            if spec.augment:
                continue
            for square, row in zip(squares[0], ours.rows.tolist(), strict=True):
                picture = Image.open(real_data / "scans" / manifest.object_numbers[row]).convert("RGB")
                sides = [256 * side // min(picture.size) for side in picture.size]
                left, top = (round((side - 224) / 2) for side in sides)
                expected = picture.resize(sides, Image.Resampling.BICUBIC)
                expected = expected.crop((left, top, left + 224, top + 224))
                assert np.abs(square - np.asarray(expected).astype(int)).mean() < 1.0
