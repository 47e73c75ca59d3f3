"""Export as a program of `torch.export`, read back and compared with the model before it gets its name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import torch

from arttl.export.comparison import Outputs, Pictures, compare
from arttl.export.description import as_texts, describe
from arttl.export.network import ExportedNetwork
from arttl.files import whole_file


def export_torch(network: ExportedNetwork, path: Path, pictures: Pictures) -> float:
    """Write a network as a `.pt2` file.

    Args:
        network: to export.
        path: the file; replaced if it exists.
        pictures: that the program as read back and the model are compared on.

    Returns:
        The largest difference.

    Raises:
        ArttlError: if the network has no graph, the results differ, or the file cannot be written.
    """
    program = network.program()
    program._example_inputs = None  # torch would keep them in the file, pickled
    data = io.BytesIO()
    torch.export.save(program, data, extra_files=as_texts(describe(network)))
    with whole_file(path) as temporary:
        temporary.write_bytes(data.getbuffer())
        with temporary.open("rb") as file:  # torch refuses other names than .pt2
            module = torch.export.load(file).module()

        @torch.inference_mode()
        def run(squares: Sequence[torch.Tensor]) -> Outputs:
            return {name: tensor.numpy() for name, tensor in module(*squares).items()}

        return compare(network.model, pictures, run, "program")
