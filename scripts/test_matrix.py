"""Run the tests without each extra, and on the oldest supported versions, each in an environment of its own.

    python3 scripts/test_matrix.py                      # all environments
    python3 scripts/test_matrix.py oldest dask          # the oldest versions; everything but the extra `dask`
    python3 scripts/test_matrix.py none -- -x tests/packing

On demand, not in CI: each environment takes several GB and minutes to install. They are kept in build/matrix for the
next call. What follows `--` is passed to pytest; by default all but the slow tests run. `none` has no extra at all.
`oldest` needs Python 3.10 to 3.12, for which numpy 1.26 has wheels. The extra `rijks` cannot be left out alone: the
tests themselves need its packages.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from quickstart import EXTRAS, ROOT, SCRIPTS, say

OLDEST = ROOT / "constraints" / "oldest.txt"
OPTIONAL = [extra for extra in EXTRAS["test"] if extra not in ("dev", "rijks")]


def test(left_out: str, arguments: list[str]) -> bool:
    """Install one environment and run the tests in it; return whether both succeeded.

    Args:
        left_out: an extra, `none` for no extra at all, or `oldest` for all extras and the oldest versions.
        arguments: for pytest.
    """
    folder = ROOT / "build" / "matrix" / left_out
    if not folder.exists():
        venv.create(folder, with_pip=True)
    python = folder / SCRIPTS.name / "python"
    extras = (
        [] if left_out == "none" else [extra for extra in EXTRAS["test"] if extra not in ("dev", left_out)]
    )
    constraints = ["--constraint", str(OLDEST)] if left_out == "oldest" else []
    package = f"{ROOT}[{','.join(['dev', *extras])}]"
    build = f"--config-settings=build-dir={folder / 'kernels'}"  # the compiled module fits one environment
    for steps in (
        ["-m", "pip", "install", "--quiet", *constraints, build, "--editable", package],
        ["-m", "pytest", *arguments],
    ):
        say(f"{left_out}: python {' '.join(steps)}")
        if subprocess.run([python, *steps], cwd=ROOT, check=False).returncode:
            return False
    return True


def main() -> None:
    """Run the environments that the command line names, and report which failed."""
    names, arguments = sys.argv[1:], ["-m", "not slow"]
    if "--" in names:
        names, arguments = names[: names.index("--")], names[names.index("--") + 1 :]
    known = ["oldest", "none", *OPTIONAL]
    if unknown := set(names) - set(known):
        sys.exit(
            f"error: there is no environment {', '.join(sorted(unknown))}; there are: {', '.join(known)}"
        )
    failed = [name for name in names or known if not test(name, arguments)]
    say(f"environments whose tests failed: {', '.join(map(repr, failed))}" if failed else "all passed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
