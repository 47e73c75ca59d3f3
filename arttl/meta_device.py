"""Networks without memory, for what their shapes alone tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_INITIALISING = frozenset(
    [
        *(nn.init.normal_, nn.init.uniform_, nn.init.constant_, nn.init.kaiming_uniform_),
        *(
            getattr(torch.Tensor, name)
            for name in ("normal_", "uniform_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_")
        ),
    ]
)


@contextmanager
def without_memory() -> Iterator[None]:
    """Within it modules are built on the meta device: tensors have shapes, and no values."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves initial values out; to leave them out by itself PyTorch imports `torch._dynamo`, which takes a second."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        if function in _INITIALISING:
            tensor = arguments[0] if arguments else (keywords or {}).get("tensor")
            if tensor is not None and tensor.is_meta:
                return tensor
        return function(*arguments, **(keywords or {}))
