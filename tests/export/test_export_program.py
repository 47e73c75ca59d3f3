"""A program of `torch.export` gives the same as the model, in a process that has neither arttl nor timm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from export_cases import OLD_TORCH, assert_close, by_hand, drawn, squares_of

from arttl.errors import ArttlError
from arttl.export.network import ExportedNetwork
from arttl.export.torch_program import export_torch
from arttl.models import FusedModel, MultiTaskModel

_READER = """
import sys
for name in ("arttl", "timm"):
    sys.modules[name] = None
import numpy as np, torch
file, squares, out = sys.argv[1:]
extra = {"outputs": ""}
program = torch.export.load(file, extra_files=extra).module()
squares = [torch.from_numpy(values) for values in np.load(squares).values()]
with torch.inference_mode():
    outputs = program(*squares)
    alone = program(*[square[:1] for square in squares])
for name, values in alone.items():
    assert torch.allclose(values, outputs[name][:1], atol=1e-5), name
np.savez(out, outputs=extra["outputs"], **{f"task {name}": values.numpy() for name, values in outputs.items()})
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "fused"])
def test_it_needs_torch_alone(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model: MultiTaskModel | FusedModel = request.getfixturevalue(kind)
    network = ExportedNetwork(model)
    assert export_torch(network, tmp_path / "m.pt2", drawn(network)) < 1e-5
    squares = squares_of(network, 3)
    np.savez(tmp_path / "squares.npz", *[square.numpy() for square in squares])
    files = ("m.pt2", "squares.npz", "outputs.npz")
    subprocess.run([sys.executable, "-c", _READER, *(str(tmp_path / name) for name in files)], check=True)
    with np.load(tmp_path / "outputs.npz") as saved:
        outputs = {name.removeprefix("task "): saved[name] for name in saved.files if name != "outputs"}
        described = json.loads(str(saved["outputs"]))
    assert_close(outputs, by_hand(model, squares))
    assert [each["name"] for each in described] == list(outputs)


def test_no_path_of_this_machine_is_in_it(model: MultiTaskModel, tmp_path: Path) -> None:
    network = ExportedNetwork(model)
    export_torch(network, tmp_path / "m.pt2", drawn(network))
    data = (tmp_path / "m.pt2").read_bytes()
    for words in (b"site-packages", b".py", b"/home/", str(Path(__file__).parents[2]).encode()):
        assert words not in data
    export_torch(network, tmp_path / "again.pt2", drawn(network))
    assert data == (tmp_path / "again.pt2").read_bytes()


@pytest.mark.skipif(OLD_TORCH, reason="torch 2.6 pickles the weights")
def test_nothing_in_it_is_pickled(model: MultiTaskModel, tmp_path: Path) -> None:
    network = ExportedNetwork(model)
    export_torch(network, tmp_path / "m.pt2", drawn(network))
    archive = torch._C.PyTorchFileReader(str(tmp_path / "m.pt2"))
    for name in archive.get_all_records():
        if name.endswith(("weights_config.json", "constants_config.json")):
            tensors = json.loads(archive.get_record(name))["config"].values()
            assert not any(tensor["use_pickle"] for tensor in tensors)
        assert not archive.get_record(name).startswith((b"PK", b"\x80")), name


def test_a_program_that_differs_is_not_written(model: MultiTaskModel, tmp_path: Path) -> None:
    network = ExportedNetwork(model)
    network._temperatures = {}
    with pytest.raises(ArttlError, match="the program is not written, since its 'type/größe' differs"):
        export_torch(network, tmp_path / "m.pt2", drawn(network))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_network_without_a_graph(model: MultiTaskModel, tmp_path: Path, monkeypatch) -> None:
    """One that computes with the number of pictures."""
    network = ExportedNetwork(model)
    whole = model.backbone.forward
    monkeypatch.setattr(
        model.backbone, "forward", lambda images: whole(images) * (2 if len(images) > 2 else 1)
    )
    with pytest.raises(ArttlError, match="makes no graph of test_resnet for batches of any size"):
        export_torch(network, tmp_path / "m.pt2", drawn(network))
