"""Fuzz every function that reads a stranger's file, on demand.

    python tests/fuzz --seconds 60 --seed 1              # all, a minute of the processor each
    python tests/fuzz --parser lido shards --seconds 600
    python tests/fuzz --replay "build/fuzz/lido ..."      # a kept failure again, with its traceback

Failures are kept in `--out`, one folder per place in the code: the files, and `failure.txt`. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # files take ten times as long on a disk
TESTS = Path(__file__).resolve().parents[1]
# The tests' modules are named uniquely, and imported without their folders, as by pytest.
sys.path[1:1] = [
    str(TESTS),
    *(str(path) for path in TESTS.rglob("*") if path.is_dir() and "__" not in path.name),
]

import exchange_files  # noqa: E402
import files  # noqa: E402
import metadata  # noqa: E402
import picture_files  # noqa: E402
from fuzzing import Fuzzing  # noqa: E402

PARSERS = metadata.PARSERS | picture_files.PARSERS | files.PARSERS | exchange_files.PARSERS


def main() -> int:
    """Fuzz; 1 if anything failed."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--parser", nargs="+", choices=PARSERS, default=list(PARSERS), metavar="NAME")
    options.add_argument("--seconds", type=float, default=60.0, help="of the processor, per parser")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=Path("build/fuzz"), help="folder for failures")
    options.add_argument("--replay", type=Path, help="a folder in --out")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as work:
        if given.replay is not None:
            (folder,) = (path for path in given.replay.iterdir() if path.is_dir())
            for read in PARSERS[given.replay.name.partition(" ")[0]].read:
                read(folder, Path(work))
            return 0
        failures = 0
        for name in given.parser:
            fuzzing = Fuzzing(name, PARSERS[name], given.seed, Path(work, name), given.out)
            failures += fuzzing.run(given.seconds)
        return int(failures > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
