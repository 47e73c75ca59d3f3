"""From a fresh clone to a result: make .venv, install arttl into it, and run the main job or the tests.

    python3 scripts/quickstart.py demo     train the joint model on a small generated collection
    python3 scripts/quickstart.py test     lint, type-check and test, the kernels under sanitisers too

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
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
EXTRAS = {
    "demo": ["weights"],
    "test": ["dev", "weights", "rijks", "heif", "remote", "dask", "explain", "adapt", "export", "review"],
}


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"==> {text}", flush=True)


def run(*command: str | Path) -> None:
    """Run a command in the repository, printed first; end with its status if it fails."""
    parts = [str(part) for part in command]
    say(shlex.join(parts))
    status = subprocess.run(parts, cwd=ROOT, check=False).returncode
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
    run(python, "-m", "pip", "install", "--quiet", "--editable", f".[{','.join(extras)}]")
    stamp.write_text(digest)


def main() -> None:
    """Parse the argument and run the job."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=("demo", "test"))
    job = parser.parse_args().job
    if sys.version_info < (3, 10):
        sys.exit(f"error: arttl needs Python 3.10 or newer, but this is {platform.python_version()}")
    extras = EXTRAS[job]
    if platform.system() == "Linux" and platform.machine() == "x86_64" and job == "test":
        extras = [*extras, "dali"]
    install(extras)
    if job == "demo":
        say("Training the joint model (material, type, artist) on a small generated collection")
        # Without these the launcher warns about the defaults it chose.
        launch = ("--num_processes=1", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no")
        run(SCRIPTS / "accelerate", "launch", *launch, "scripts/train_multitask.py")
        return
    sources = sorted(str(path) for path in (ROOT / "csrc").rglob("*.*"))
    sources += sorted(str(path) for path in (ROOT / "tests" / "cuda_emulation").glob("*.[ch]*"))
    run(SCRIPTS / "ruff", "check", ".")
    run(SCRIPTS / "ruff", "format", "--check", ".")
    run(SCRIPTS / "clang-format", "--dry-run", "--Werror", *sources)
    run(SCRIPTS / "mypy")
    run(SCRIPTS / "lint-imports")
    if platform.system() == "Linux" and shutil.which("g++"):
        run(SCRIPTS / "python", "scripts/test_sanitised.py")
    # The tests of one file share what they prepare.
    parallel = ("--numprocesses", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile")
    # Coverage makes tests up to a third slower, so it is measured in the short ones only.
    run(SCRIPTS / "python", "-m", "pytest", *parallel, "--cov", "-m", "not slow")
    run(SCRIPTS / "python", "-m", "pytest", *parallel, "-m", "slow and not alone")
    run(SCRIPTS / "python", "-m", "pytest", "-m", "alone")


if __name__ == "__main__":
    main()
