"""Measure a saved model on a split; the same as `arttl evaluate`."""

import sys

from arttl.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("evaluate", prog="evaluate.py"))
