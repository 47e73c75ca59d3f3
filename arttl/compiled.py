"""The compiled module `arttl._kernels`, loaded when it is first used."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from arttl.errors import ArttlError


@functools.cache
def kernels() -> Any:
    """The compiled module.

    Raises:
        ArttlError: if it cannot be loaded.
    """
    try:
        return importlib.import_module("arttl._kernels")
    except ImportError as error:
        raise ArttlError(
            f"the compiled module arttl._kernels does not load ({error}): install a C++ compiler, then arttl with "
            "`pip install .` in its folder"
        ) from error
