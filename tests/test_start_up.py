"""What a command may not load: imports are most of what a user waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from arttl.cli import COMMANDS

_NETWORKS = ("torch", "timm", "torchvision", "accelerate")
_LATER = ("scipy.stats", "matplotlib", "lxml.html", "onnx", "h5py", "starlette", "tensorboard", "distributed")
# Their settings are in modules of their own, which need no network.
_HELP_WITHOUT_TORCH = (
    *(
        "shards",
        "evaluate",
        "predict",
        "report",
        "review",
        "decisions",
        "convert",
        "reproduce",
        "explain",
        "fetch",
    ),
    "vocabulary",
)
_HELP_WITHOUT_TIMM = (*_HELP_WITHOUT_TORCH, "train", "audit", "compare")


@pytest.mark.parametrize("name", _HELP_WITHOUT_TIMM)
def test_help_loads_no_network(name: str) -> None:
    assert name in COMMANDS
    unwanted = _NETWORKS if name in _HELP_WITHOUT_TORCH else ("timm", "torchvision")
    code = (
        "import sys\n"
        "from arttl.cli import run_command\n"
        "try:\n"
        f"    run_command({name!r}, ['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        f"found = set({(*unwanted, *_LATER)!r}) & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_settings_load_no_torch_and_heads_no_timm() -> None:
    """The names of `arttl.loading` and `arttl.models` are imported when they are used."""
    code = "import sys, arttl.loading.settings, arttl.models.settings; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, arttl.models.heads; assert 'timm' not in sys.modules and 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
