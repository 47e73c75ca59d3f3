"""From a fresh clone to a result: make .venv, install arttl into it, and run the main job or the tests.

    python3 scripts/quickstart.py demo          train the joint model on a small generated collection
    python3 scripts/quickstart.py test          all checks: see CONTRIBUTING.md
    python3 scripts/quickstart.py test lint docs    these parts of them alone
    python3 scripts/quickstart.py install       the environment of the tests, and nothing more

Needs Python 3.10 or newer and a C++ compiler, nothing else. A second call uses what the first installed, and
reinstalls if pyproject.toml or the C++ sources have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
EXTRAS = {
    "demo": ["weights"],
    "test": [
        "dev",
        "docs",
        "weights",
        "rijks",
        "heif",
        "remote",
        "dask",
        "explain",
        "adapt",
        "export",
        "review",
    ],
}


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"==> {text}", flush=True)


def run(*command: str | Path, **variables: str) -> None:
    """Run a command in the repository, printed first; end with its status if it fails.

    Args:
        command: with its arguments.
        variables: of the environment, for those that it does not set already.
    """
    parts = [str(part) for part in command]
    say(shlex.join(parts))
    status = subprocess.run(parts, cwd=ROOT, env={**variables, **os.environ}, check=False).returncode
    if status:
        sys.exit(status)


def install(extras: list[str]) -> None:
    """Make the environment and install the package with `extras`, unless that is done for these sources already."""
    sources = [ROOT / "pyproject.toml", ROOT / "CMakeLists.txt", *sorted((ROOT / "csrc").iterdir())]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources if path.is_file())).hexdigest()
    stamp = ENVIRONMENT / f".installed-{'-'.join(extras)}"
    if stamp.is_file() and stamp.read_text() == digest:
        say(f"arttl is already installed in {ENVIRONMENT.name}")
        return
    if not (SCRIPTS / "python").exists() and not (SCRIPTS / "python.exe").exists():
        say(f"Making a virtual environment in {ENVIRONMENT.name}")
        venv.create(ENVIRONMENT, with_pip=True)
    say(
        "Installing arttl, PyTorch and other packages (several GB, a few minutes the first time), compiling the kernels"
    )
    python = SCRIPTS / "python"
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    # Python compiles what is imported, a small part of the packages' 20,000 files: that saves most of a minute.
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", "--editable", f".[{','.join(extras)}]")
    stamp.write_text(digest)


def lint() -> None:
    """The style of Python and C++, the types, and which package imports which."""
    sources = sorted(str(path) for path in (ROOT / "csrc").rglob("*.*"))
    sources += sorted(str(path) for path in (ROOT / "tests" / "cuda_emulation").glob("*.[ch]*"))
    run(SCRIPTS / "ruff", "check", ".")
    run(SCRIPTS / "ruff", "format", "--check", ".")
    run(SCRIPTS / "clang-format", "--dry-run", "--Werror", *sources)
    run(SCRIPTS / "mypy")
    run(SCRIPTS / "lint-imports")


def sanitised() -> None:
    """The CPU kernels under sanitisers, where GCC has them."""
    if platform.system() == "Linux" and shutil.which("g++"):
        run(SCRIPTS / "python", "scripts/test_sanitised.py")


def pytest(*arguments: str, parallel: bool = True) -> None:
    """Run tests; those of one file share what they prepare.

    Beside other tests a process computes with one thread, unless a test asks for more: threads of several processes
    that wait for each other's cores made some tests ten times as long.
    """
    tests = (SCRIPTS / "python", "-m", "pytest")
    if not parallel:
        run(*tests, *arguments)
        return
    workers = ("--numprocesses", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile")
    run(*tests, *workers, *arguments, OMP_NUM_THREADS="1")


PARTS: dict[str, Callable[[], None]] = {
    "lint": lint,
    "sanitised": sanitised,
    "short": lambda: pytest("-m", "not slow"),
    # In the order of tests/conftest.py.
    "slow": lambda: pytest("-m", "slow and not alone", "--no-loadscope-reorder"),
    "alone": lambda: pytest("-m", "alone", parallel=False),
    "wheel": lambda: run(SCRIPTS / "python", "scripts/test_wheel.py"),
}
# The tests of what README.md and the pages show.
OF_PAGES = [
    f"tests/test_{name}.py"
    for name in (
        *("site", "links", "documented_commands", "documented_python", "readme_commands"),
        *("guide_museum", "tutorials", "migration", "claims_pages"),
    )
]
# Some of the tests above by themselves, for machines that have nothing else to do.
SELECTIONS: dict[str, Callable[[], None]] = {
    "coverage": lambda: pytest("--cov", "-m", "not slow"),
    "browser": lambda: pytest("-m", "browser"),
    "docs": lambda: pytest(*OF_PAGES, parallel=False),
    "emulation": lambda: pytest("tests/gpu/test_gpu_kernels.py", "tests/cuda_emulation"),
}


def demo() -> None:
    """Train the joint model on a small generated collection."""
    say("Training the joint model (material, type, artist) on a small generated collection")
    # Without these the launcher warns about the defaults it chose.
    launch = ("--num_processes=1", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no")
    run(SCRIPTS / "accelerate", "launch", *launch, "scripts/train_multitask.py")


def main() -> None:
    """Parse the arguments and run the job."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=("demo", "test", "install"))
    parser.add_argument("parts", nargs="*", help=f"of test: {', '.join([*PARTS, *SELECTIONS])}")
    arguments = parser.parse_args()
    every = PARTS | SELECTIONS
    if arguments.parts and arguments.job != "test":
        parser.error(f"{arguments.job} has no parts")
    if unknown := [part for part in arguments.parts if part not in every]:
        parser.error(f"there is no part {unknown[0]!r}; there are: {', '.join(every)}")
    if sys.version_info < (3, 10):
        sys.exit(f"error: arttl needs Python 3.10 or newer, but this is {platform.python_version()}")
    extras = EXTRAS["demo" if arguments.job == "demo" else "test"]
    if platform.system() == "Linux" and platform.machine() == "x86_64" and arguments.job != "demo":
        extras = [*extras, "dali"]
    install(extras)
    if arguments.job == "demo":
        demo()
    if arguments.job == "test":
        for part in arguments.parts or PARTS:
            begun = time.monotonic()
            every[part]()
            say(f"{part}: {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
