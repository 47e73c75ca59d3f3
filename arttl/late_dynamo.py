"""`import timm` without `torch._dynamo`, the front end of torch.compile, which takes a second to import.

timm marks a few methods for it while it is imported, and torchvision, which timm imports, takes one function of it.
Both are put off until they are called; whoever compiles a network imports the rest then, as ever.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_UTILS = "torch._dynamo.utils"


def import_later() -> None:
    """Let the first `import timm` of this process leave `torch._dynamo` out, unless it is there already."""
    if "timm" not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds timm as others do, and has it executed in `_without_dynamo`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "timm":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        with _without_dynamo():
            self._loader.exec_module(module)


@contextmanager
def _without_dynamo() -> Iterator[None]:
    import torch

    lazily: Any = getattr(torch, "_disable_dynamo", None)
    if "torch._dynamo" in sys.modules or lazily is None:
        yield
        return
    at_once = torch.compiler.disable

    def disable(fn: Any = None, recursive: Any = True, *, reason: Any = None) -> Any:
        """As torch.compiler.disable does it, when the function is called first rather than now."""
        return lazily(fn, recursive)

    torch.compiler.disable = disable
    sys.modules[_UTILS] = stand_in = _StandIn(_UTILS)
    try:
        yield
    finally:
        torch.compiler.disable = at_once
        if sys.modules.get(_UTILS) is stand_in:
            del sys.modules[_UTILS]


class _StandIn(ModuleType):
    """In the place of `torch._dynamo.utils` while timm is imported."""

    def __getattr__(self, name: str) -> Any:
        if name == "is_compile_supported":  # what torchvision takes
            return lambda device: getattr(importlib.import_module(_UTILS), name)(device)
        if name.startswith("__"):  # `inspect` asks all modules for their files
            raise AttributeError(name)
        if sys.modules.get(_UTILS) is self:
            del sys.modules[_UTILS]
        return getattr(importlib.import_module(_UTILS), name)
