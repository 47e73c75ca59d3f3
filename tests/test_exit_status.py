"""How a command ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from arttl.errors import ArttlError
from arttl.exit_status import status_of


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def fail(error: ArttlError) -> None:
    raise error


@pytest.mark.usefixtures("group")
def test_the_process_group_ends_with_a_command_that_ends_on_every_rank(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one_rank = ArttlError("this rank is out of memory")
    one_rank.on_every_rank = False
    assert status_of(lambda: fail(one_rank)) == 2
    assert torch.distributed.is_initialized(), "the others wait in a collective, and so may leaving the group"
    assert status_of(lambda: fail(ArttlError("no such model"))) == 2
    assert not torch.distributed.is_initialized()
    assert "no such model" in capsys.readouterr().err


@pytest.mark.usefixtures("group")
def test_the_process_group_ends_with_a_command_that_succeeds() -> None:
    assert status_of(lambda: torch.distributed.barrier()) == 0
    assert not torch.distributed.is_initialized()
