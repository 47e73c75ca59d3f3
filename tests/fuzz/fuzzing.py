"""Runs a reading function on damaged files, in a process of its own, and keeps what ended badly.

A reading function may end well, or with an `ArttlError` of one sentence. Anything else is a failure: another exception,
a crash, more than `MOST_SECONDS` of processor time, or more than `MOST_BYTES` above what the process had before.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutations import mutated

from arttl.errors import ArttlError

MOST_SECONDS = 5.0
MOST_BYTES = 500 * 2**20
_MOST_CLOCK = 4
_MOST_SILENCE = 60.0  # seconds that an input may take by the clock: waiting takes no processor time
_BACKSTOP = 3 << 30  # bytes of address space more than the process has: a fault shall not fill the machine
_LONGEST_SENTENCE = 2000  # characters
_NUMBER, _STARTED, _PROCESSOR, _SLOWEST, _HIGHEST, _REFUSED, _CHILDREN = range(7)


@dataclass(frozen=True)
class Parser:
    """What is fuzzed.

    Attributes:
        make: writes folders of valid files into a folder; one file of one of them is changed at a time.
        read: each takes such a folder and another one for what it writes.
        changed: the suffixes of the files to change; all by default.
    """

    make: Callable[[Path], None]
    read: tuple[Callable[[Path, Path], object], ...]
    changed: tuple[str, ...] = ("",)


class Fuzzing:
    """A parser that is run on changed files.

    Attributes:
        state: shared with the process that reads: numbers by `_NUMBER` and the others.
    """

    def __init__(self, name: str, parser: Parser, seed: int, work: Path, out: Path) -> None:
        """Make the valid files.

        Args:
            name: of the parser.
            parser: what is run.
            seed: of the changes.
            work: a folder of its own.
            out: for failures, a folder each: the files, and `failure.txt`; one per place in the code.
        """
        self.name, self.parser, self.seed, self.work, self.out = name, parser, seed, work, out
        self._context = multiprocessing.get_context("fork")
        self.state = self._context.RawArray("d", 7)
        (work / "seeds").mkdir(parents=True)
        making = self._context.Process(target=parser.make, args=(work / "seeds",))
        making.start()
        making.join()
        assert making.exitcode == 0, f"no files for {name}"
        # Folder to its files that may be changed.
        self._seeds = {path.name: _files(path, parser.changed) for path in sorted((work / "seeds").iterdir())}

    def run(self, seconds: float) -> int:
        """Read changed files for so many seconds, and print what came of it; the number of failures.

        Seconds are of the processor, so that other programs make no difference; a parser that mostly waits ends after
        `_MOST_CLOCK` times as many by the clock.
        """
        state, before, begin = self.state, self._kept(), time.monotonic()

        def goes_on() -> bool:
            return state[_PROCESSOR] < seconds and time.monotonic() < begin + _MOST_CLOCK * seconds

        while goes_on():
            state[_STARTED] = time.monotonic()
            worker = self._context.Process(target=self._work, args=(goes_on,))
            worker.start()
            while worker.is_alive():
                worker.join(0.2)
                if worker.is_alive() and time.monotonic() - state[_STARTED] > _MOST_SILENCE:
                    os.kill(worker.pid or 0, signal.SIGABRT)  # with a traceback
            if worker.exitcode:
                log = (self.work / "fault.txt").read_text(errors="replace")
                self._keep(f"ended by signal {-worker.exitcode}\n{log}")
                state[_NUMBER] += 1
        failures = self._kept() - before
        print(
            f"{self.name}: {state[_NUMBER]:,.0f} inputs in {time.monotonic() - begin:.0f} s"
            f" ({state[_PROCESSOR]:.0f} s of the processor), {state[_REFUSED]:,.0f} refused, {failures} failures,"
            f" slowest {state[_SLOWEST]:.2f} s, highest {state[_HIGHEST] / 2**20:.0f} MiB more, seed {self.seed}",
            flush=True,
        )
        return failures

    def _work(self, goes_on: Callable[[], bool]) -> None:
        """Read one input after the other, in a process of its own."""
        state, fault = self.state, (self.work / "fault.txt").open("w")
        with Path(os.devnull).open("r+b") as nowhere:
            for descriptor in (0, 1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        faulthandler.enable(fault)
        faulthandler.register(signal.SIGPROF, fault, all_threads=False, chain=True)
        copies, scratch = (self.work / f"{kind}-{os.getpid()}" for kind in ("copies", "scratch"))
        scratch.mkdir()
        shutil.copytree(self.work / "seeds", copies)
        for folder in self._seeds:  # the imports, and whether what is valid ends well
            for read in self.parser.read:
                _is_refused(read, copies / folder, scratch)
        limit = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + _BACKSTOP, limit))
        while goes_on():
            folder, file, data = self._input()
            (copies / folder / file).write_bytes(data)
            state[_STARTED] = time.monotonic()
            problems = [self._problem(read, copies / folder, scratch) for read in self.parser.read]
            for problem in filter(None, problems):
                self._keep(problem)
            state[_REFUSED] += all(problem is None for problem in problems)
            (copies / folder / file).write_bytes(self._seeds[folder][file])
            state[_NUMBER] += 1
        os._exit(0)

    def _input(self) -> tuple[str, str, bytes]:
        """A folder, the file of it that is changed, and its contents."""
        draw = random.Random(f"{self.seed} {self.name} {int(self.state[_NUMBER])}")
        folder = draw.choice(list(self._seeds))
        files = self._seeds[folder]
        suffix = draw.choice(sorted({Path(file).suffix for file in files}))
        file = draw.choice([file for file in files if file.endswith(suffix)])
        alike = [
            data for each in self._seeds.values() for name, data in each.items() if name.endswith(suffix)
        ]
        return folder, file, mutated(files[file], file, alike, draw)

    def _problem(self, read: Callable[[Path, Path], object], folder: Path, scratch: Path) -> str | None:
        """What is wrong with the reading of a folder; empty where it is read, None where it is refused."""
        state, problem = self.state, ""
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is now that of this moment
        before, processor = _status("VmRSS"), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        try:
            refused = _is_refused(read, folder, scratch)
        except BaseException:
            refused, problem = False, traceback.format_exc()
        signal.setitimer(signal.ITIMER_PROF, 0)
        memory, seconds = _status("VmHWM") - before, time.process_time() - processor
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        if not problem and (memory > MOST_BYTES or children > max(MOST_BYTES, state[_CHILDREN])):
            problem = f"memory: {memory:,} bytes more, {children:,} in another process, in {folder.name}"
        state[_PROCESSOR] += seconds
        for index, value in ((_HIGHEST, memory), (_SLOWEST, seconds), (_CHILDREN, children)):
            state[index] = max(state[index], value)
        return None if refused and not problem else problem

    def _keep(self, problem: str) -> None:
        """Copy the files of a failure, if there is none from the same place in the code yet."""
        frames = re.findall(r'File ".*?(arttl/[\w/]+\.py)", line (\d+)', problem)
        crashed, lines = problem.startswith("ended"), problem.strip().splitlines()
        frame = "-".join(frames[0 if crashed else -1]) if frames else lines[0][:40]
        what = lines[0] if crashed else lines[-1].partition(":")[0]
        place = re.sub(r"[^a-zA-Z0-9]+", "-", f"{what[-30:]} {frame}")
        kept = self.out / f"{self.name} {place}"
        if not kept.exists():
            folder, file, data = self._input()
            shutil.copytree(self.work / "seeds" / folder, kept / folder)
            (kept / folder / file).write_bytes(data)
            text = f"{file} changed, seed {self.seed}, input {self.state[_NUMBER]:.0f}\n\n{problem}"
            (kept / "failure.txt").write_text(text, errors="backslashreplace")

    def _kept(self) -> int:
        return len(list(self.out.glob(f"{self.name} *")))


def _is_refused(read: Callable[[Path, Path], object], folder: Path, scratch: Path) -> bool:
    """Whether it refuses the folder, in a sentence."""
    if any(scratch.iterdir()):
        shutil.rmtree(scratch)
        scratch.mkdir()
    try:
        read(folder, scratch)
    except ArttlError as error:
        message, cause = str(error), error.__context__
        while cause is not None:  # refused for lack of memory is not refused before the work
            if isinstance(cause, MemoryError) or "allocate memory" in str(cause):
                raise AssertionError(f"memory was asked for: {message}") from error
            cause = cause.__context__
        if not message or "\n" in message or len(message) > _LONGEST_SENTENCE:
            raise AssertionError(f"not a sentence: {message[:3000]!r}") from error
        message.encode()  # no half characters
        return True
    return False


def _files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name.endswith(suffixes)
    }


def _status(name: str) -> int:
    """Bytes by /proc/self/status."""
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
