"""Draw what a model looks at; the same as `arttl visualize`."""

import sys

from arttl.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("visualize", prog="visualize.py"))
