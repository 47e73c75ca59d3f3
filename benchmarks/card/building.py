"""The compiled module, built for the card's architecture only and in the run's folder: the checkout stays as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import torch

from card.devices import find_tool, use_kernels
from card.run import ROOT, Run, tests_on_path


def measure(run: Run) -> None:
    """Build, and load the result."""
    begin = time.perf_counter()
    if run.emulated:
        tests_on_path()
        import emulated_card

        emulated_card.build()
    else:
        build(run, "{}{}".format(*torch.cuda.get_device_capability()))
        use_kernels(run)
    run.report("build of the compiled module", time.perf_counter() - begin, "s")


def build(run: Run, architecture: str) -> None:
    """Compile `csrc/` with the CUDA kernels for one architecture.

    Args:
        run: gets `Run.kernels`.
        architecture: such as 90.

    Raises:
        Missing: for a tool or package that is not there.
    """
    import pybind11

    cmake = find_tool("cmake")
    folder = run.scratch / "build"
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CUDA_ARCHITECTURES": f"{architecture}-real",
        "CMAKE_CUDA_COMPILER": find_tool("nvcc"),
        "Python_EXECUTABLE": sys.executable,
        "pybind11_DIR": pybind11.get_cmake_dir(),
    }
    flags = [f"-D{name}={value}" for name, value in options.items()]
    subprocess.run([cmake, "-S", ROOT, "-B", folder, *generator, *flags], check=True)
    subprocess.run([cmake, "--build", folder, "--parallel"], check=True)
    (module,) = folder.glob("_kernels*.so")
    shutil.copyfile(module, run.kernels.with_suffix(".part"))
    run.kernels.with_suffix(".part").replace(run.kernels)
