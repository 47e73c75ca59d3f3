"""A loader under Accelerate's own bookkeeping, on two real processes."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from accelerate import Accelerator
from loading_pictures import COUNT

from arttl.loading import Loader, Preprocess, open_loader
from arttl.loading.accelerated import AcceleratedLoader
from arttl.shards.manifest import Manifest


def _opened(folder: str) -> Loader:
    return open_loader(
        folder,
        preprocess=Preprocess(size=16),
        batch_size=4,
        engine="cpu",
        threads=1,
        device="cpu",
        shuffle=True,
    )


def _process(rank: int, folder: str, port: int, out: str) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        LOCAL_WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="true",
    )
    accelerator = Accelerator(gradient_accumulation_steps=4)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = AcceleratedLoader(_opened(folder))
    model, optimizer, prepared = accelerator.prepare(model, optimizer, loader)
    assert prepared is loader
    synchronised, epochs = [], []
    for _epoch in range(2):
        rows: list[int] = []
        for batch in prepared:
            with accelerator.accumulate(model):
                accelerator.backward(model(batch.images.mean(dim=(2, 3))).sum())
                optimizer.step()
                optimizer.zero_grad()
                synchronised.append(accelerator.sync_gradients)
            rows += accelerator.gather_for_metrics(batch.rows).tolist()
        epochs.append(rows)
    report = {"synchronised": synchronised, "epochs": epochs}
    (Path(out) / f"{rank}.json").write_text(json.dumps(report))
    accelerator.wait_for_everyone()  # or the last to gather may find the first one gone
    torch.distributed.destroy_process_group()


def test_gradients_are_flushed_at_the_end_and_metrics_count_each_sample_once(
    painted_collection: Manifest, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(
        _process, args=(str(painted_collection.directory), port, str(tmp_path)), nprocs=2
    )
    loader = open_loader(painted_collection, batch_size=4, rank=0, world_size=2, device="cpu")
    assert len(loader) == 6 and COUNT % 8  # the last global batch is padded
    for rank in range(2):
        report = json.loads((tmp_path / f"{rank}.json").read_text())
        assert report["synchronised"] == [False, False, False, True, False, True] * 2
        for epoch in report["epochs"]:
            assert Counter(epoch) == Counter(loader.rows.tolist())


def test_a_restored_position_still_ends_where_the_epoch_does(painted_collection: Manifest) -> None:
    loader = AcceleratedLoader(_opened(str(painted_collection.directory)))
    ends = []
    for _batch in loader:
        ends.append(loader.end_of_dataloader)
        if len(ends) == 3:
            state = loader.state_dict()
    assert ends == [False] * (len(loader) - 1) + [True] and len(loader.dataset) == COUNT
    restored = AcceleratedLoader(_opened(str(painted_collection.directory)))
    restored.load_state_dict(state)
    assert [restored.end_of_dataloader for _ in restored] == ends[3:]


def test_without_it_accelerate_does_not_see_the_end(painted_collection: Manifest) -> None:
    """Why the wrapper is there; if this fails, Accelerate has learnt to wrap foreign loaders itself."""
    loader = _opened(str(painted_collection.directory))
    assert Accelerator(cpu=True).prepare(loader) is loader
    assert not hasattr(loader, "end_of_dataloader")
    with pytest.raises(AttributeError):
        _ = loader.gradient_state  # type: ignore[attr-defined]
