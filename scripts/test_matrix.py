"""Run the tests with fewer extras, and on the oldest supported versions, each in an environment of its own.

    python3 scripts/test_matrix.py                      # all environments
    python3 scripts/test_matrix.py oldest dask          # the oldest versions; everything but the extra `dask`
    python3 scripts/test_matrix.py none only-heif       # no extra at all; only the extra `heif`
    python3 scripts/test_matrix.py none -- -x tests/packing

On demand, and in the workflows of .github, but not in .ci/run: each environment takes several GB and minutes to
install. They are kept in build/matrix for the next call. What follows `--` is passed to pytest; by default all but the
slow tests run. `oldest` needs Python 3.10 to 3.12, for which numpy 1.26 has wheels. The extra `rijks` cannot be left
out alone: the tests themselves need its packages.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from quickstart import EXTRAS, ROOT, SCRIPTS, say

OLDEST = ROOT / "constraints" / "oldest.txt"
ALL = [extra for extra in EXTRAS["test"] if extra not in ("dev", "docs")]
LEFT_OUT = [extra for extra in ALL if extra != "rijks"]
EXTRAS_OF = {
    "oldest": ALL,
    "none": [],
    **{name: [extra for extra in ALL if extra != name] for name in LEFT_OUT},
    **{f"only-{name}": [name] for name in [*LEFT_OUT, "dali"]},
}


def test(name: str, arguments: list[str]) -> bool:
    """Install one environment and run the tests in it; return whether both succeeded.

    Args:
        name: a key of `EXTRAS_OF`: an extra that is left out, `only-` and the one there is, `none` for no extra at
            all, or `oldest` for all extras and the oldest versions.
        arguments: for pytest.
    """
    folder = ROOT / "build" / "matrix" / name
    if not folder.exists():
        venv.create(folder, with_pip=True)
    python = folder / SCRIPTS.name / "python"
    constraints = ["--constraint", str(OLDEST)] if name == "oldest" else []
    package = f"{ROOT}[{','.join(['dev', *EXTRAS_OF[name]])}]"
    build = f"--config-settings=build-dir={folder / 'kernels'}"  # the compiled module fits one environment
    for steps in (
        ["-m", "pip", "install", "--quiet", *constraints, build, "--editable", package],
        ["-m", "pytest", *arguments],
    ):
        say(f"{name}: python {' '.join(steps)}")
        if subprocess.run([python, *steps], cwd=ROOT, check=False).returncode:
            return False
    return True


def main() -> None:
    """Run the environments that the command line names, and report which failed."""
    names, arguments = sys.argv[1:], ["-m", "not slow"]
    if "--" in names:
        names, arguments = names[: names.index("--")], names[names.index("--") + 1 :]
    if unknown := set(names) - set(EXTRAS_OF):
        sys.exit(
            f"error: there is no environment {', '.join(sorted(unknown))}; there are: {', '.join(EXTRAS_OF)}"
        )
    failed = [name for name in names or EXTRAS_OF if not test(name, arguments)]
    say(f"environments whose tests failed: {', '.join(map(repr, failed))}" if failed else "all passed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
