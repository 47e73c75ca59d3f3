"""The machine, its versions, and what the card can do at most."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError

import torch

from arttl.cpu import usable_cores
from card.run import ROOT, Missing, Run


def measure(run: Run) -> None:
    """Report all of it, what cannot fail first."""
    run.report("arttl", _commit())
    run.report("Python", platform.python_version())
    run.report("torch", f"{torch.__version__}, CUDA {torch.version.cuda}")
    for package in ("timm", "nvidia-dali-cuda130", "nvidia-dali-cuda120"):
        if version := _version(package):
            run.report(package, version)
    lacking = [name for name in _dependencies() if not _version(name)]
    run.report("packages that arttl needs and are not installed", ", ".join(lacking) or "none")
    run.report("cores", usable_cores())
    run.report("memory", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, "GiB")
    try:
        from card.devices import SMI, Emulated, queued
    except ModuleNotFoundError as error:
        raise Missing(f"packages that arttl needs: {', '.join(lacking)} (see CONTRIBUTING.md)") from error
    device = run.device()
    state, load = (device.smi(arguments) for arguments in SMI)
    run.report("card", device.name)
    run.report("driver, highest clocks, power limit", state.splitlines()[0])
    run.report("JPEG decoder of the card (NVJPG)", nvjpg_of(load))
    if not isinstance(device, Emulated):
        run.report("architecture", "sm_{}{}".format(*torch.cuda.get_device_capability()))
        run.report("multiprocessors", device.properties.multi_processor_count)
        run.report("memory of the card", device.properties.total_memory / 2**30, "GiB")
        run.report("second-level cache", device.cache / 2**20, "MiB")
    sizes = run.sizes
    source = torch.zeros(sizes.copied_bytes, dtype=torch.uint8, device=device.device)
    target = torch.empty_like(source)
    took = queued(run, device, lambda: target.copy_(source))
    run.report("copy bandwidth", 2 * sizes.copied_bytes / took / 1e9, "TB/s")
    matrix = torch.randn(sizes.matrix, sizes.matrix, device=device.device).bfloat16()
    took = queued(run, device, lambda: matrix @ matrix)
    run.report("matrix products in bfloat16", 2 * sizes.matrix**3 / took / 1e9, "TFLOP/s")


def nvjpg_of(dmon: str) -> str:
    """Whether `nvidia-smi dmon -s u` has a load of the JPEG decoder.

    Args:
        dmon: two header lines, the first with the columns' names, then one line per card, `-` where there is no value.
    """
    header, *lines = (line for line in dmon.splitlines() if line.strip() and "Idx" not in line)
    names = header.lstrip("# ").split()
    if "jpg" not in names or not lines:
        return "not seen: nvidia-smi has no column for it"
    value = lines[0].split()[names.index("jpg")]
    return "not seen: nvidia-smi has no value for it" if value == "-" else "seen"


def _commit() -> str:
    """The commit of this checkout, and whether files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + (", with changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "commit unknown"


def _dependencies() -> list[str]:
    """The names of the packages that arttl depends on."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert listed is not None
    return re.findall(r'"([A-Za-z0-9_.-]+)', listed[1])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except PackageNotFoundError:
        return ""
