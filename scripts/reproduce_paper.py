"""Run the paper's experiment on two collections; the same as `arttl reproduce`."""

import sys

from arttl.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("reproduce", prog="reproduce_paper.py"))
