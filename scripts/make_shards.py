"""Pack a collection's photographs and labels into shards; the same as `arttl shards`."""

import sys

from arttl.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("shards", prog="make_shards.py"))
