from __future__ import annotations

import subprocess
import sys

import pytest

import arttl


@pytest.mark.parametrize("name", arttl.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(arttl, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'open_loaders'"):
        _ = arttl.open_loaders


def test_importing_arttl_loads_none_of_the_heavy_parts() -> None:
    heavy = "{'torch', 'timm', 'nvidia.dali', 'arttl._kernels', 'simplejpeg'}"
    code = f"import sys, arttl; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_packing_loads_no_torch() -> None:
    code = "import sys, arttl.packing.command, arttl.sources.registry; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
