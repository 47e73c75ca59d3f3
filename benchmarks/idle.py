r"""How much of its cores a command leaves idle, also on a machine that other programs use.

    python benchmarks/idle.py --cores 2 -- arttl reproduce --source shards/mine ...

Several times a second the kernel is asked how long each thread of the command and its children has run, and how long it
has waited for a core (`/proc/PID/task/TID/schedstat`, Linux). Their sum over the time between is how many cores the
command would have used if they had been free: below the number of cores some would have been idle. How long it would
have taken with the cores to itself is the processor time over that demand, at most the number of cores. Threads that
wait for one another count as idle, and other programs make them wait longer: beside these the idle share is too large.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

_PAUSE = 0.2  # seconds
_BAR = 50  # characters
_ROWS = 24


def threads_of(pid: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Process and thread to nanoseconds run and waited, of a process and its descendants."""
    found = {}
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        for task in Path(f"/proc/{process}/task").glob("*"):
            try:
                run, waited, _ = map(int, (task / "schedstat").read_text().split())
                waiting += map(int, (task / "children").read_text().split())
            except OSError:  # it has ended meanwhile
                continue
            found[process, int(task.name)] = (run, waited)
    return found


def main() -> int:
    """Run the command and print its profile."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", type=int, default=2, help="cores that the command may use")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    process = subprocess.Popen(given.command, stdout=subprocess.DEVNULL)
    before, begun = threads_of(process.pid), time.perf_counter()
    intervals: list[tuple[float, float]] = []  # processor seconds, cores demanded
    last = begun
    while process.poll() is None:
        time.sleep(_PAUSE)
        after, now = threads_of(process.pid), time.perf_counter()
        changes = [
            (run - before.get(thread, (0, 0))[0], waited - before.get(thread, (0, 0))[1])
            for thread, (run, waited) in after.items()
        ]
        used, waited = (sum(column) / 1e9 for column in zip(*changes, strict=True)) if changes else (0.0, 0.0)
        intervals.append((used, (used + waited) / (now - last)))
        before, last = after, now
    alone = [
        (used / max(min(demand, given.cores), 0.05) if used else 0.0, demand) for used, demand in intervals
    ]
    total = sum(seconds for seconds, _ in alone)
    processor = sum(used for used, _ in intervals)
    print(
        f"{last - begun:.0f} s here, {processor:.0f} s of processor time; alone about {total:.0f} s, of which"
    )
    busy = (
        sum(seconds * min(demand, given.cores) for seconds, demand in alone) / max(total, 1e-9) / given.cores
    )
    print(f"{100 * (1 - busy):.0f}% of {given.cores} cores would be idle")
    edges = [(low, low + 0.25) for low in (step / 4 for step in range(4 * given.cores))]
    for low, high in edges:
        share = sum(
            seconds for seconds, demand in alone if low <= min(demand, given.cores - 1e-9) < high
        ) / max(total, 1e-9)
        print(f"{low:4.2f} to {high:4.2f} cores {100 * share:5.1f}% {'#' * round(_BAR * share)}")
    print("over time:")
    size = -(-len(alone) // _ROWS)
    for start in range(0, len(alone), size):
        part = alone[start : start + size]
        seconds = sum(each for each, _ in part)
        mean = sum(each * min(demand, given.cores) for each, demand in part) / max(seconds, 1e-9)
        print(f"{mean:4.2f} {'#' * round(_BAR * mean / given.cores)}")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
