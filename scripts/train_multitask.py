"""Train a network on one task or several; the same as `arttl train`. Run it with `accelerate launch`."""

import sys

from arttl.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("train", prog="train_multitask.py"))
