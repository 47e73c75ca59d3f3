"""Export to ONNX: one file with a named output per task, compared with the model before it gets its name."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from arttl.errors import ArttlError, one_line
from arttl.export.comparison import Outputs, Pictures, compare
from arttl.export.description import as_texts, describe
from arttl.export.network import ExportedNetwork
from arttl.files import whole_file
from arttl.version import __version__

LARGEST = 2**31 - 2**24
"""Bytes of the tensors: a file of ONNX, as Protocol Buffers, ends below 2 GiB."""
BATCH = "batch"
"""Name of the first dimension of inputs and outputs."""


def export_onnx(network: ExportedNetwork, path: Path, pictures: Pictures) -> tuple[int, float]:
    """Write a network as an ONNX file.

    Args:
        network: to export.
        path: the file; replaced if it exists.
        pictures: that ONNX Runtime and torch are compared on.

    Returns:
        The version of ONNX's operators (opset), and the largest difference.

    Raises:
        ArttlError: if packages are missing, the network is too large or cannot be written as ONNX, the results differ,
            or the file cannot be written.
    """
    check_packages()
    size = sum(tensor.nbytes for tensor in network.state_dict().values())
    if size > LARGEST:
        raise ArttlError(
            f"the model has {size / 2**30:.1f} GiB of weights, and an ONNX file holds less than 2 GiB: use --to torch"
        )
    program = network.program()
    try:
        with _quiet():
            exported = torch.onnx.export(program, (), dynamo=True, verbose=False)
            assert exported is not None
            model = exported.model_proto
            names = [each.name for each in network.inputs]
            _finish(model, names, network.model.tasks.names, as_texts(describe(network)))
    except Exception as error:  # of operators that ONNX lacks, by way of several libraries
        raise ArttlError(
            f"the network cannot be written as ONNX ({one_line(error)}): use --to torch or --to huggingface"
        ) from error
    with whole_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
        difference = compare(network.model, pictures, _runner(temporary), "ONNX file")
    return max(each.version for each in model.opset_import if not each.domain), difference


def check_packages() -> None:
    """Check that the packages of the extra `export` are installed.

    Raises:
        ArttlError: naming the one that is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ArttlError(f'--to onnx needs the package {error.name}: pip install "arttl[export]"') from error


def _runner(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(squares: Sequence[torch.Tensor]) -> Outputs:
        feeds = {
            each.name: square.contiguous().numpy()
            for each, square in zip(session.get_inputs(), squares, strict=True)
        }
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))

    return run


def _finish(model: Any, inputs: Sequence[str], outputs: Sequence[str], texts: Mapping[str, str]) -> None:
    """Give a model its names and texts, and take out what torch notes of the Python code and the paths of its files."""
    import onnx

    graph = model.graph
    renamed = {each.name: name for each, name in zip(graph.input, inputs, strict=True)}
    renamed |= {each.name: name for each, name in zip(graph.output, outputs, strict=True)}
    taken = {*renamed, *renamed.values()}
    for name in _values(graph):
        if name in renamed.values() and name not in renamed:  # a task called as something inside
            fresh = name
            while fresh in taken:
                fresh += "_"
            renamed[name] = fresh
            taken.add(fresh)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        each.name = renamed.get(each.name, each.name)
    for each in (*graph.input, *graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = BATCH
    del graph.value_info[:]  # with the old name of the batch, and computed again by every program
    for each in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del each.metadata_props[:]
        each.doc_string = ""
    graph.name = "arttl"
    model.producer_name, model.producer_version = "arttl", __version__
    onnx.helper.set_model_props(model, dict(texts))
    onnx.checker.check_model(model, full_check=True)


def _values(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield from node.output
    for tensor in graph.initializer:
        yield tensor.name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter prints, logs and warns of while it works: what matters is compared afterwards."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
