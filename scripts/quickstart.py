"""From a fresh clone to a result: make .venv, install arttl into it, and run the main job or the tests.

    python3 scripts/quickstart.py demo     train the joint model on the embedded collection
    python3 scripts/quickstart.py test     lint, type-check and test, the kernels with sanitisers too

Needs Python 3.10 or newer and a C++ compiler, nothing else. A second call uses what the first installed, and
installs anew where pyproject.toml or the C++ sources have changed.
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
    "test": ["dev", "weights", "rijks", "remote", "dask", "explain"],
}


def say(text: str) -> None:
    """Print one line of what is being done."""
    print(f"==> {text}", flush=True)


def run(*command: str | Path) -> None:
    """Run a command in the repository, printed first; end with its status if it fails."""
    parts = [str(part) for part in command]
    say(shlex.join(parts))
    status = subprocess.run(parts, cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)


def install(extras: list[str]) -> None:
    """Make the environment and install the package with `extras`, unless that has been done for these sources."""
    sources = [ROOT / "pyproject.toml", ROOT / "CMakeLists.txt", *sorted((ROOT / "csrc").iterdir())]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources if path.is_file())).hexdigest()
    stamp = ENVIRONMENT / f".installed-{'-'.join(extras)}"
    if stamp.is_file() and stamp.read_text() == digest:
        say(f"arttl is installed in {ENVIRONMENT.name} already")
        return
    if not (SCRIPTS / "python").exists() and not (SCRIPTS / "python.exe").exists():
        say(f"Making a virtual environment in {ENVIRONMENT.name}")
        venv.create(ENVIRONMENT, with_pip=True)
    say(
        "Installing arttl, PyTorch and the rest (several GB, a few minutes the first time) and compiling the kernels"
    )
    python = SCRIPTS / "python"
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    run(python, "-m", "pip", "install", "--quiet", "--editable", f".[{','.join(extras)}]")
    stamp.write_text(digest)


def main() -> None:
    """Parse the one argument and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=("demo", "test"))
    job = parser.parse_args().job
    if sys.version_info < (3, 10):
        sys.exit(f"error: arttl needs Python 3.10 or newer, and this is {platform.python_version()}")
    extras = EXTRAS[job]
    if platform.system() == "Linux" and platform.machine() == "x86_64" and job == "test":
        extras = [*extras, "dali"]
    install(extras)
    if job == "demo":
        say("Training the joint model (material, type, artist) on a collection that arttl draws itself")
        # All that the launcher would otherwise warn of having guessed.
        launch = ("--num_processes=1", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no")
        run(SCRIPTS / "accelerate", "launch", *launch, "scripts/train_multitask.py")
        return
    sources = sorted(str(path) for path in (ROOT / "csrc").rglob("*.*"))
    run(SCRIPTS / "ruff", "check", ".")
    run(SCRIPTS / "ruff", "format", "--check", ".")
    run(SCRIPTS / "clang-format", "--dry-run", "--Werror", *sources)
    run(SCRIPTS / "mypy")
    run(SCRIPTS / "lint-imports")
    if platform.system() == "Linux" and shutil.which("g++"):
        run(SCRIPTS / "python", "scripts/test_sanitised.py")
    # Counting lines takes a third more time, and is done where tests are short.
    run(SCRIPTS / "coverage", "run", "-m", "pytest", "-m", "not slow")
    run(SCRIPTS / "coverage", "report")
    run(SCRIPTS / "python", "-m", "pytest", "-m", "slow")


if __name__ == "__main__":
    main()
