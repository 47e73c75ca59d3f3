from __future__ import annotations

import torch

from arttl.loading.batch_memory import BatchMemory


def test_a_block_comes_back_only_when_every_view_of_it_is_gone() -> None:
    memory = BatchMemory((4, 8, 8, 3), torch.float32, pinned=False)
    first = memory.take()
    address = first.data_ptr()
    view = first.permute(0, 3, 1, 2)[2:]
    del first
    second = memory.take()
    assert second.data_ptr() != address
    view.fill_(1)
    second.fill_(0)
    assert (view == 1).all()
    del view
    assert memory.take().data_ptr() == address


def test_it_grows_to_what_is_held_and_no_further() -> None:
    memory = BatchMemory((2, 3), torch.bfloat16, pinned=False)
    held = [memory.take() for _ in range(5)]
    addresses = {tensor.data_ptr() for tensor in held}
    assert len(addresses) == 5
    assert all(tensor.shape == (2, 3) and tensor.dtype == torch.bfloat16 for tensor in held)
    del held
    for _ in range(20):
        assert memory.take().data_ptr() in addresses


def test_tensors_outlive_the_memory_they_came_from() -> None:
    memory = BatchMemory((1000,), torch.float32, pinned=False)
    kept = memory.take().fill_(7)
    del memory
    others = [torch.zeros(1000) for _ in range(50)]
    assert (kept == 7).all() and len(others) == 50
