"""Steps on two ranks, against the same steps on one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from arttl.loading import Batch
from arttl.loading.preprocess import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.balancing import Balancing
from arttl.training.objective import Objective
from arttl.training.ranks import prepare_ranks
from arttl.training.step import TrainingStep

TASKS = TaskSet(
    [
        Task(name, "single-label", Vocabulary(("a", "b", "c"), (1, 1, 1), (0,)))
        for name in ("type", "material")
    ]
)
SIZE = 64


def steps_of(rank: int, ranks: int, *, idle: bool) -> dict[str, torch.Tensor]:
    """The weights after three steps, in the second and third of which no picture has a material."""
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True)
    model = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=SIZE)).eval()
    if idle:
        model.backbone.register_parameter("idle", torch.nn.Parameter(torch.ones(3)))
    prepare_ranks(accelerator, model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    prepared, optimizer = accelerator.prepare(model, optimizer)
    weights = Balancing(torch.ones(2, dtype=torch.float64))
    step = TrainingStep(
        model, prepared, optimizer, accelerator, Objective(TASKS, 0.0, {}, None), weights, clip_norm=1.0
    )
    for number in range(3):
        random = torch.Generator().manual_seed(number)
        images = torch.randn(8, 3, SIZE, SIZE, generator=random)[rank::ranks]
        types, materials = torch.randint(0, 3, (2, 8), generator=random)[:, rank::ranks]
        if number:
            materials = torch.full_like(materials, -1)
        targets = {"type": types, "material": materials}
        valid = torch.ones(len(images), dtype=torch.bool)
        before = model.heads.layers[1].weight.detach().clone()
        step([(Batch.of(images, targets, valid, torch.arange(len(images))),)])
        assert (model.heads.layers[1].weight.grad is None) == bool(number)
        assert torch.equal(before, model.heads.layers[1].weight) == bool(number)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("idle", [False, True])
def test_a_task_without_labels_on_any_rank(tmp_path: Path, idle: bool) -> None:
    out = tmp_path / "weights.pt"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    done = subprocess.run(
        [*launcher, __file__, str(out), str(int(idle))],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "find_unused_parameters" not in done.stderr
    AcceleratorState._reset_state(reset_partial_state=True)
    alone = steps_of(0, 1, idle=idle)
    for name, tensor in torch.load(out).items():
        torch.testing.assert_close(tensor, alone[name], rtol=1e-3, atol=1e-4, msg=name)


if __name__ == "__main__":
    own = int(os.environ["RANK"])
    state = steps_of(own, 2, idle=sys.argv[2] == "1")
    if own == 0:
        torch.save(state, sys.argv[1])
