from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from arttl import cpu
from arttl.cpu import usable_cores

FAULTS = """
import resource, sys, torch
from arttl.cpu import prepare_cpu
if sys.argv[1] == "prepared":
    prepare_cpu(1)
for step in range(30):
    if step == 20:  # aligned pieces need some rounds to find their places on the heap
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2 << 20), torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no mallopt")
def test_memory_of_one_step_serves_the_next() -> None:
    """The kernel maps the pages of large tensors in the first steps, and not in the ten that follow."""
    faults = {}
    for state in ("prepared", "as it is"):
        faults[state] = [int(word) for word in python(FAULTS, state).split()]
    assert faults["prepared"][0] < 100 and faults["prepared"][1] == 1
    assert faults["as it is"][0] > 300  # page faults, of 2 MiB at most


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with none of the variables that OpenMP waits by, but for those given."""
    ours = (*cpu.WAITING, "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    return {name: value for name, value in os.environ.items() if name not in ours} | variables


def python(code: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(**variables),
    )
    return done.stdout + done.stderr


SHOW = """
import os
print([os.environ.get(name) for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")])
"""
SET = "['20000', '1', None]\n"


def test_waiting_is_set_before_torch_without_a_word() -> None:
    assert python("import arttl; arttl.share_cores(); arttl.share_cores(); import torch" + SHOW) == SET


def test_child_processes_inherit_the_waiting() -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}], check=True)"
    assert python(f"import arttl; arttl.share_cores(); {child}") == SET


@pytest.mark.parametrize(
    ("variable", "value"), [("GOMP_SPINCOUNT", "7"), ("KMP_BLOCKTIME", "3"), ("OMP_WAIT_POLICY", "passive")]
)
def test_the_users_own_waiting_is_left_alone(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(os, "environ", environment(**{variable: value}))
    cpu.share_cores()
    assert os.environ == environment(**{variable: value}) and os.environ[variable] == value
    assert not recwarn.list  # nor is it too late for what is not done


def test_after_torch_it_is_too_late_and_says_so_once() -> None:
    code = "import torch, arttl, warnings; warnings.simplefilter('always'); arttl.share_cores(); arttl.share_cores()"
    output = python(code + SHOW)
    assert output.count("too late to share the cores: ") == 1 and output.count("RuntimeWarning") == 1
    assert "call arttl.share_cores() before the first import of torch" in output
    assert output.startswith(SET)  # for child processes


def test_without_proc_torch_itself_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise OSError

    monkeypatch.setattr(cpu.Path, "read_text", refuse)
    monkeypatch.setitem(sys.modules, "torch", cpu)
    assert cpu._loaded_openmp() == "torch"
    monkeypatch.delitem(sys.modules, "torch")
    assert cpu._loaded_openmp() is None


@pytest.mark.parametrize(
    ("path", "is_openmp"),
    [
        ("/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0", True),
        ("/site-packages/torch.libs/libgomp-a34b3233.so.1", True),
        ("/usr/lib/llvm-18/lib/libomp.so.5", True),
        ("/usr/lib/llvm-18/lib/libomp5.so", True),
        ("/opt/intel/lib/libiomp5.so", True),
        ("/usr/lib/libgomp-plugin/readme.so", False),
        ("/usr/lib/libomptarget.so", False),
        ("/usr/lib/libcompress.so", False),
    ],
)
def test_openmp_libraries_are_known_by_name(path: str, is_openmp: bool) -> None:
    assert bool(cpu._OPENMP_LIBRARY.search(f"7f0-7f1 r-xp 00000000 fe:00 12 {path}")) is is_openmp


def test_the_command_line_sets_the_waiting_before_torch() -> None:
    code = """
import sys
from arttl import cli
assert "torch" not in sys.modules
cli.run_command("evaluate", ["--model", "nowhere", "--shards", "nowhere"])
assert "torch" in sys.modules"""
    output = python(code + SHOW)
    assert SET in output and "too late" not in output


# What /proc/self/mountinfo and /proc/self/cgroup say in version 2, in version 1, and with both mounted.
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "33 32 0:30 {root} /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct"
OTHER = "34 32 0:31 / /sys/fs/cgroup/memory ro,nosuid master:12 - cgroup cgroup rw,memory"


def machine(root: Path, mounts: list[str], groups: list[str], files: dict[str, str]) -> Path:
    """A folder with the files of /proc and /sys that tell of control groups."""
    contents = {"proc/self/mountinfo": "\n".join(mounts) + "\n", "proc/self/cgroup": "\n".join(groups) + "\n"}
    for name, text in {**contents, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def v1_files(folder: str, quota: int, period: int = 100000) -> dict[str, str]:
    base = f"sys/fs/cgroup/cpu,cpuacct{folder}"
    return {f"{base}/cpu.cfs_quota_us": f"{quota}\n", f"{base}/cpu.cfs_period_us": f"{period}\n"}


@pytest.fixture
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)


@pytest.mark.parametrize(
    ("mounts", "groups", "files", "cores"),
    [
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4),
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ([V2], ["0::/"], {}, 16),  # the root group has no cpu.max
        ([V2], ["0::/a/b"], {"sys/fs/cgroup/a/b/cpu.max": "300000 50000\n"}, 6),
        (  # the limit of the group around
            [V2],
            ["0::/a/b"],
            {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "200000 100000\n"},
            2,
        ),
        (  # another group's
            [V2],
            ["0::/a/b"],
            {"sys/fs/cgroup/a/c/cpu.max": "100000 100000\n"},
            16,
        ),
        ([V2], ["0::/../elsewhere"], {"sys/fs/cgroup/cpu.max": "500000 100000\n"}, 5),
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "3200000 100000\n"}, 16),  # more than there are
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "149000 100000\n"}, 1),
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ([V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "nonsense\n"}, 16),
        ([V1.format(root="/"), OTHER], ["4:cpu,cpuacct:/a", "3:memory:/x"], v1_files("/a", 250000), 3),
        ([V1.format(root="/")], ["4:cpu,cpuacct:/a/b"], v1_files("/a/b", -1) | v1_files("/a", 700000), 7),
        ([V1.format(root="/")], ["4:cpu,cpuacct:/a"], v1_files("/a", -1), 16),
        # In a container without a namespace of its own, the mount begins at the container's group.
        ([V1.format(root="/docker/c1")], ["4:cpu,cpuacct:/docker/c1"], v1_files("", 800000), 8),
        ([V1.format(root="/docker/c1")], ["4:cpu,cpuacct:/docker/c1/x"], v1_files("/x", 200000), 2),
        ([V1.format(root="/docker/c1")], ["4:cpu,cpuacct:/"], v1_files("", 900000), 9),
        (  # both versions mounted, the controller in version 1
            [V1.format(root="/"), V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")],
            ["4:cpu,cpuacct:/a", "0::/a"],
            v1_files("/a", 600000),
            6,
        ),
        ([OTHER], ["3:memory:/a"], {"sys/fs/cgroup/memory/a/cpu.max": "100000 100000\n"}, 16),
    ],
)
def test_cores_of_control_groups(
    tmp_path: Path,
    sixteen_cores: None,
    mounts: list[str],
    groups: list[str],
    files: dict[str, str],
    cores: int,
) -> None:
    assert usable_cores(machine(tmp_path, mounts, groups, files)) == cores


def test_a_launchers_processes_share_the_cores(
    tmp_path: Path, sixteen_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = machine(tmp_path, [V2], ["0::/"], {"sys/fs/cgroup/cpu.max": "700000 100000\n"})
    for processes, cores in (("1", 7), ("2", 3), ("4", 1), ("9", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert usable_cores(root) == cores


def test_without_control_groups_the_affinity_decides(tmp_path: Path, sixteen_cores: None) -> None:
    assert usable_cores(tmp_path) == 16


def test_inference_never_raises_the_number_of_threads() -> None:
    code = "import torch; from arttl.cpu import prepare_cpu_for_inference as p; p(); print(torch.get_num_threads())"
    assert python(code, OMP_NUM_THREADS="1") == "1\n"
    assert python(code, OMP_NUM_THREADS="512") == f"{usable_cores()}\n"


STEPS = """
import hashlib, sys, time, arttl
if sys.argv[1] == "shared":
    arttl.share_cores()
import torch, timm
from arttl.cpu import prepare_cpu
prepare_cpu(2)
torch.manual_seed(0)
model = timm.create_model("mobilenetv3_small_100", num_classes=8).to(memory_format=torch.channels_last)
images, targets = torch.randn(8, 3, 128, 128).to(memory_format=torch.channels_last), torch.arange(8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    loss = torch.nn.functional.cross_entropy(model(images), targets)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print(time.perf_counter() - start)
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


@contextmanager
def competitors(count: int) -> Iterator[None]:
    """Other programs that never wait."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.5)  # until they run
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.alone
def test_a_busy_machine_slows_a_training_step_by_its_share() -> None:
    """With two other programs on two cores, half the machine is fair; without the setting a step takes 5 to 50 times.

    The scheduler has bad moments of some seconds with any setting: the better of two processes counts.
    """
    if usable_cores() < 2:
        pytest.skip("one core: no threads that wait for each other")
    others = usable_cores()

    def step(waiting: str) -> float:
        return statistics.mean(map(float, python(STEPS, waiting, "42").splitlines()[2:-1]))

    quiet = step("shared")
    with competitors(others):
        busy = min(step("shared") for _ in range(2))
    assert busy <= 4 * (2 * quiet)


@pytest.mark.slow
def test_waiting_changes_no_bit() -> None:
    assert python(STEPS, "shared", "3").splitlines()[-1] == python(STEPS, "as it is", "3").splitlines()[-1]


def test_the_memory_that_is_free(tmp_path: Path) -> None:
    assert cpu.available_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 99 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n")
    assert cpu.available_memory(tmp_path) == 2 << 20
    free = cpu.available_memory()
    assert free is None or free == pytest.approx(psutil.virtual_memory().available, rel=0.2)
