"""What the compiler makes of the CUDA kernels, without a card: `python benchmarks/sass.py [--sources CSRC]`.

Compiles each kernel for three architectures, disassembles it, and prints a table in Markdown:

- registers, stack and spills, as ptxas reports them;
- of the channel means, loads in flight: the most global loads of a thread that are issued before an instruction reads
  what one of them loads;
- and instructions per 512 bytes, which a warp reads by one load of 16 bytes. For maps that are channels-last those of
  the whole kernel, for pixels whose channels are one pack per lane: as much work around the loop as there can be. For
  planar maps those of the loop over channels. The slow divisions for numbers near the limits of float32, out of line,
  are not on the path and not counted.

Needs nvcc (12.8 or newer), and nvdisasm from the toolkit or from the package `triton`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "csrc"
ARCHITECTURES = (80, 90, 100)

INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
LABEL = re.compile(r"^(\.L_\w+):")


@dataclass(frozen=True)
class Instruction:
    """One line of the disassembly: its index, whether it depends on a predicate, operation and operands."""

    index: int
    is_conditional: bool
    operation: str
    operands: str

    def registers(self, first: int) -> set[int]:
        """The registers named by the operands, from the `first` operand on, of wide loads all."""
        names = re.findall(r"\bR(\d+)", ",".join(self.operands.split(",")[first:]))
        return {int(name) for name in names}

    @property
    def loaded(self) -> set[int]:
        """The registers that a global load writes."""
        target = re.match(r"R(\d+)", self.operands)
        if not self.operation.startswith("LDG") or target is None:
            return set()
        return set(range(int(target[1]), int(target[1]) + max(1, self.bytes // 4)))

    @property
    def bytes(self) -> int:
        """How many a global load reads for each lane."""
        widths = {"128": 16, "64": 8, "U16": 2}
        return next((widths[part] for part in self.operation.split(".") if part in widths), 4)


@dataclass(frozen=True)
class Kernel:
    """The disassembly of a kernel up to its end, and where its labels are."""

    name: str
    code: list[Instruction]
    labels: dict[str, int]

    @property
    def loops(self) -> list[tuple[int, int]]:
        """First and last instruction of each loop."""
        jumps = ((i.index, self.target(i)) for i in self.code if i.operation == "BRA")
        return [(target, index) for index, target in jumps if target is not None and target <= index]

    def target(self, branch: Instruction) -> int | None:
        """Where a branch leads, or None if that is out of line."""
        label = re.search(r"\.L_\w+", branch.operands)
        return None if label is None else self.labels.get(label[0])

    @property
    def path(self) -> list[Instruction]:
        """From the start to the end, without what only a slow division needs."""
        path, index = [], 0
        while index < len(self.code):
            step = self.code[index]
            path.append(step)
            index += 1
            target = self.target(step) if step.operation == "BRA" else None
            if target is not None and target > index:
                between = self.code[index:target]
                if any(i.operation.startswith("CALL") for i in between) and len(between) < 8:
                    index = target
        return path

    @property
    def loads_in_flight(self) -> int:
        """See the head of this file."""
        most, count, waiting = 0, 0, set[int]()
        for step in self.code:
            if step.registers(0 if not step.loaded else 1) & waiting or step.operation == "BRA":
                count, waiting = 0, set()
            if step.loaded:
                count, waiting = count + 1, waiting | step.loaded
                most = max(most, count)
        return most

    @property
    def loop_of_loads(self) -> list[Instruction]:
        """The smallest loop with global loads."""
        loops = [self.code[begin : end + 1] for begin, end in self.loops]
        return min((loop for loop in loops if any(i.loaded for i in loop)), key=len)


def disassembler() -> str:
    """Where nvdisasm is."""
    if path := shutil.which("nvdisasm"):
        return path
    triton = importlib.util.find_spec("triton")
    path = Path(triton.origin or "").parent / "backends/nvidia/bin/nvdisasm" if triton else Path()
    if not path.is_file():
        raise SystemExit(
            "nvdisasm is not installed: it is part of the CUDA toolkit and of the package triton"
        )
    return str(path)


def kernels_of(cubin: Path) -> list[Kernel]:
    """The kernels of a compiled file."""
    text = subprocess.run([disassembler(), "-c", cubin], check=True, capture_output=True, text=True).stdout
    kernels = []
    for part in re.split(r"^\.text\.", text, flags=re.MULTILINE)[1:]:
        code, labels = list[Instruction](), dict[str, int]()
        for line in part.splitlines():
            if label := LABEL.match(line):
                labels[label[1]] = len(code)
            elif found := INSTRUCTION.search(line):
                code.append(Instruction(len(code), found[2] is not None, found[3], found[4]))
                if found[3] == "EXIT" and found[2] is None:
                    break
        kernels.append(Kernel(part.partition(":")[0], code, labels))
    return kernels


def compiled(
    source: Path, sources: Path, architecture: int, folder: Path
) -> tuple[list[Kernel], dict[str, tuple[str, ...]]]:
    """The kernels of a source, and by name: registers, bytes of stack, of spilled stores and of spilled loads."""
    cubin = folder / f"{source.stem}.cubin"
    options = ["-std=c++17", "-O3", f"-I{sources}", "-cubin", f"-arch=sm_{architecture}", "-Xptxas", "-v"]
    log = subprocess.run(
        ["nvcc", *options, source, "-o", cubin], check=True, capture_output=True, text=True
    ).stderr
    found = re.findall(
        r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?"
        r"Used (\d+) registers",
        log,
        re.DOTALL,
    )
    return kernels_of(cubin), {name: (registers, *rest) for name, *rest, registers in found}


def title_of(name: str) -> str:
    """A kernel as people read it: its name and template arguments."""
    demangled = subprocess.run(["c++filt", name], check=True, capture_output=True, text=True).stdout
    demangled = re.sub(r"\(anonymous namespace\)::|arttl::|\(\w+\)(?=\d)|^void ", "", demangled)
    return re.sub(r"\(bool\)|\(.*", "", demangled).strip()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What the compiler makes of the CUDA kernels.")
    parser.add_argument("--sources", type=Path, default=SOURCES, help="the folder csrc of a checkout")
    parser.add_argument("--only", default="", help="a regular expression of the kernels to show")
    arguments = parser.parse_args()
    if shutil.which("nvcc") is None:
        raise SystemExit("nvcc is not installed: it is part of the CUDA toolkit")
    if not list(arguments.sources.glob("cuda/*.cu")):
        raise SystemExit(
            f"--sources {arguments.sources}: no cuda/*.cu there: give the folder csrc of a checkout"
        )
    print("| kernel | sm | registers | stack, spills | loads in flight | instructions per 512 bytes |")
    print("|---|---|---|---|---|---|")
    for source in sorted(arguments.sources.glob("cuda/*.cu")):
        for architecture in ARCHITECTURES:
            with tempfile.TemporaryDirectory() as folder:
                kernels, resources = compiled(source, arguments.sources, architecture, Path(folder))
            for kernel in sorted(kernels, key=lambda kernel: title_of(kernel.name)):
                title = title_of(kernel.name)
                if not re.search(arguments.only, title):
                    continue
                registers, *bytes_ = resources[kernel.name]
                count = loads = "-"
                if "mean" in title:
                    loads = str(kernel.loads_in_flight)
                    steps = kernel.path if "interleaved" in title else kernel.loop_of_loads
                    count = f"{512 * len(steps) / sum(32 * i.bytes for i in steps if i.loaded):.0f}"
                cells = [
                    f"`{title}`",
                    architecture,
                    registers,
                    ", ".join(bytes_),
                    loads,
                    count,
                ]
                print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    main()
