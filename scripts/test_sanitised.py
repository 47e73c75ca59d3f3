"""Test the CPU kernels with the address and undefined-behaviour sanitisers: any finding ends the run.

    python scripts/test_sanitised.py
    python scripts/test_sanitised.py --seeds 50

Compiles `csrc/` once more, into build/sanitised, and runs the tests of the kernels with that module in place of the
installed one. Shapes, layouts and geometry are drawn by hypothesis from a seed; on demand the tests are run with the
first N seeds. Needs GCC. Leak detection is off: Python and torch deliberately keep memory until the process ends.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "build" / "sanitised" / f"_kernels{sysconfig.get_config_var('EXT_SUFFIX')}"
TESTS = (
    "tests/saliency/test_saliency_ops.py",
    "tests/saliency/test_saliency_backproject.py",
    "tests/saliency/test_saliency_operators.py",
    "tests/pictures/test_pictures_jpeg_parts.py",
    "tests/loading/test_loading_ops.py",
    "tests/loading/test_loading_resample.py",
    "tests/loading/test_stored_batch.py",
    "tests/pictures/test_pictures_resizing.py",
    "tests/pictures/test_pictures_reducing.py",
    "tests/pictures/test_pictures_tiff_reduced.py",
    "tests/pictures/test_pictures_png_rows.py",
)


def build() -> None:
    """Compile the module with the sanitisers."""
    import pybind11

    sources = [ROOT / "csrc" / "bindings.cpp", *sorted((ROOT / "csrc" / "cpu").glob("*.cpp"))]
    includes = [ROOT / "csrc", pybind11.get_include(), sysconfig.get_path("include")]
    MODULE.parent.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = ["g++", "-std=c++17", "-O1", "-g", "-fopenmp", "-fPIC"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fvisibility=hidden"]
    command += [f"-I{folder}" for folder in includes]

    def compiled(source: Path) -> Path:
        target = MODULE.with_name(f"{source.stem}.o")
        subprocess.run([*command, "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = list(threads.map(compiled, sources))
    subprocess.run([*command, "-shared", *objects, "-o", MODULE], check=True)


def test(seeds: int) -> int:
    """Run the tests with so many seeds, in a process that loads the sanitisers first, as they require."""
    libraries = [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    return subprocess.run(
        [sys.executable, __file__, "--run", "--seeds", str(seeds)], cwd=ROOT, env=environment, check=False
    ).returncode


def run(seeds: int) -> int:
    """Put the sanitised module in place of the installed one and run pytest, until a seed fails."""
    import pytest

    import arttl

    arttl.share_cores()  # the module loads OpenMP
    spec = importlib.util.spec_from_file_location("arttl._kernels", MODULE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["arttl._kernels"] = module
    # The sanitisers write to the process's standard error, which pytest would otherwise capture.
    options = ["-q", "-x", "-p", "no:cacheprovider", "--capture=sys"]
    for seed in range(seeds):
        if failed := int(pytest.main([*options, f"--hypothesis-seed={seed}", *TESTS])):
            return failed
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        sys.exit(run(given.seeds))
    build()
    sys.exit(test(given.seeds))
