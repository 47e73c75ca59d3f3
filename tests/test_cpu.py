from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from arttl.cpu import prepare_cpu
if sys.argv[1] == "prepared":
    prepare_cpu(1)
for step in range(30):
    if step == 20:  # aligned pieces need some rounds to find their places on the heap
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2 << 20), torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no mallopt")
def test_memory_of_one_step_serves_the_next() -> None:
    """The kernel maps the pages of large tensors in the first steps, and not in the ten that follow."""
    found = {}
    for state in ("prepared", "as it is"):
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, state], capture_output=True, text=True, check=True
        )
        found[state] = [int(word) for word in done.stdout.split()]
    assert found["prepared"][0] < 100 and found["prepared"][1] == 1
    assert found["as it is"][0] > 300  # page faults, of 2 MiB at most
