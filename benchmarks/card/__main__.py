"""Everything that only a card can tell about arttl, in under eight minutes of one H200.

    scripts/on_a_card.sh --out FOLDER                # on a machine with a card
    scripts/on_a_card.sh --out FOLDER --emulate      # without one: every part with tiny sizes on the CPU

Needs Python with torch and the packages that arttl depends on, CMake, pybind11 and the CUDA toolkit; no network, and no
installed arttl. What is missing (DALI, compute-sanitizer) is said, and its parts are left out.

FOLDER gets `on_a_card.json`, rewritten after each part, `on_a_card.md` and `log.txt`. The section in `on_a_card.md` is
appended to benchmarks/gpu.md as well, unless it is emulated.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import arttl
from arttl.errors import ArttlError
from arttl.files import make_folder, write_json, write_text
from card.parts import PARTS, PLANTED, Part
from card.run import ROOT, Run
from card.running import Outcome, Processes
from card.table import section

SECONDS = 470
ALWAYS = ("facts", "build")
LEAST = 5  # seconds that it makes sense to begin a part with
SLOWER = 3  # times that an emulated part may take
PAGE = ROOT / "benchmarks" / "gpu.md"
TITLE = "# The GPU code on cards\n"


def measure(parts: Sequence[Part], out: Path, emulated: bool, seconds: float) -> list[Outcome]:
    """Run the parts, one after another, and write what is known after each.

    Args:
        parts: in this order.
        out: folder for the files.
        emulated: whether the CPU stands for a card.
        seconds: for all together; parts that no time is left for are not run.
    """
    begin, date = time.monotonic(), time.strftime("%Y-%m-%d %H:%M")
    log = out / "log.txt"
    write_text(log, "")
    processes, outcomes = Processes(log), []
    with tempfile.TemporaryDirectory(prefix="arttl-card-") as scratch:
        for part in parts:
            left = begin + seconds - time.monotonic()
            if left < LEAST:
                outcome = Outcome(
                    part.name, part.title, "not run", f"the {seconds:g} s were over", 0, part.seconds, ()
                )
            else:
                print(f"{part.title} ...", flush=True)
                outcome = processes.run(
                    part, Run(Path(scratch), part.name, emulated), min(part.seconds, left)
                )
            outcomes.append(outcome)
            if part.name == "facts" and outcome.status == "missing":
                raise ArttlError(f"nothing to measure here without {outcome.remark}")
            remark = f": {outcome.remark}" if outcome.remark else ""
            print(f"  {outcome.status}, {outcome.seconds:.0f} s{remark}", flush=True)
            document = {
                "emulated": emulated,
                "date": date,
                "seconds": round(time.monotonic() - begin, 1),
                "parts": [each.to_dict(emulated) for each in outcomes],
            }
            write_json(out / "on_a_card.json", document)
            write_text(out / "on_a_card.md", section(outcomes, date, emulated) + "\n")
    return outcomes


def append_section(page: Path, text: str) -> None:
    """Add a section at the end of a page, which is made if it does not exist."""
    before = page.read_text(encoding="utf-8") if page.is_file() else TITLE
    write_text(page, f"{before}\n{text}")


def main() -> int:
    """Measure; 1 if a part ended otherwise than it should (without what it needs, it is only left out)."""
    parser = argparse.ArgumentParser(
        prog="on_a_card.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = {part.name: part for part in (*PARTS, *PLANTED)}
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the results")
    parser.add_argument("--emulate", action="store_true", help="without a card; no figure means anything")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=[name for name in known if name not in ALWAYS],
        metavar="NAME",
        help=f"of {', '.join(name for name in known if name not in ALWAYS)}; all by default",
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for all parts together (default {SECONDS})"
    )
    options = parser.parse_args()
    if ROOT not in Path(arttl.__file__).resolve().parents:
        sys.exit(
            f"error: Python imports arttl from {Path(arttl.__file__).parent}, not from {ROOT}: uninstall it there"
        )
    arttl.share_cores()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which ends the running part too
    parts = [*PARTS]
    if options.emulate:  # the emulation is slow to compile, and CI does other work beside
        parts = [*(replace(part, seconds=SLOWER * part.seconds) for part in PARTS), *PLANTED]
    if options.parts:
        if planted := set(options.parts) - {part.name for part in parts}:
            parser.error(f"--parts {min(planted)} fails on purpose: it needs --emulate")
        parts = [part for part in parts if part.name in (*ALWAYS, *options.parts)]
    out = options.out.resolve()
    os.chdir(ROOT)
    try:
        make_folder(out)
        outcomes = measure(parts, out, options.emulate, options.seconds)
        text = (out / "on_a_card.md").read_text(encoding="utf-8")
        if not options.emulate:
            append_section(PAGE, text)
    except ArttlError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"stopped: {out} has what was measured before")
    print(f"\n{text}\n{out / 'on_a_card.json'}")
    expected = {part.name: (part.status, "missing") for part in parts}
    return int(any(outcome.status not in expected[outcome.part] for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
