"""The public names of a package, imported when they are first used: imports are most of what a command waits for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package, which imports a name from its module.

    Args:
        package: its name.
        home: public name to the module that has it.
    """

    def imported(name: str) -> Any:
        if name in home:
            return getattr(importlib.import_module(home[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return imported
