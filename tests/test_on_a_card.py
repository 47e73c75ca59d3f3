"""`scripts/on_a_card.sh`: every part with tiny sizes on the CPU, parts that fail on purpose, and the table."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from emulated_card import needs_compiler

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "benchmarks" / "gpu.md"
PLANTED = {"hangs": "out of time", "crashes": "crashed", "fails": "failed", "lacks": "missing"}
LOADER = {"loader-tests", "loader-rates", "epochs", "training"}  # whose last figures need DALI


def on_a_card(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "on_a_card.sh", "--out", out, *arguments],
        env={**os.environ, "PYTHON": sys.executable, "TMPDIR": str(out.parent)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The results of a whole run, and how it ended."""
    out = tmp_path_factory.mktemp("card") / "out"
    before = PAGE.read_bytes() if PAGE.is_file() else None
    done = on_a_card(out, "--emulate")
    assert (PAGE.read_bytes() if PAGE.is_file() else None) == before
    return out, done


@pytest.mark.slow
@needs_compiler
def test_every_part_runs_and_those_that_are_to_fail_fail(emulated):
    out, done = emulated
    log = (out / "log.txt").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    document = json.loads((out / "on_a_card.json").read_text())
    assert document["emulated"] is True
    statuses = {part["part"]: part["status"] for part in document["parts"]}
    assert {name: statuses.pop(name) for name in PLANTED} == PLANTED
    without_dali = {name for name, status in statuses.items() if status == "missing"}
    assert without_dali in (set(), LOADER), statuses
    assert set(statuses.values()) <= {"done", "missing"}, log
    assert len(statuses) == 13
    remarks = {part["part"]: part["remark"] for part in document["parts"]}
    assert remarks["crashes"] == "ended with SIGSEGV"
    assert "arttl_package_that_is_not_there" in remarks["lacks"]
    assert sorted(path.name for path in out.iterdir()) == ["log.txt", "on_a_card.json", "on_a_card.md"]
    assert not list(out.parent.glob("arttl-card-*"))


@pytest.mark.slow
@needs_compiler
def test_figures_of_an_emulated_run(emulated):
    document = json.loads((emulated[0] / "on_a_card.json").read_text())
    assert all(figure["emulated"] is True for part in document["parts"] for figure in part["figures"])
    figures = {
        part["part"]: {figure["name"]: figure["value"] for figure in part["figures"]}
        for part in document["parts"]
    }
    assert figures["hangs"] == {"before the end of its time": 1}  # what came before the end of its time stays
    assert figures["kernel-tests"]["tests passed"] >= 2 and figures["kernel-tests"]["tests failed"] == 0
    assert figures["sanitizer"]["memcheck: planted fault"] == "found"
    for case in ("bfloat16, batch 2", "float32, batch 1"):
        for name in ("forward", "forward and map, one CUDA graph", "channel means", "backprojection"):
            assert figures["maps"][f"{case}: {name}"] > 0
    assert len(figures["kernels-by-tap"]) == 5 * 2 * 2
    assert figures["packing"]["pictures"] == 24
    assert figures["loader-rates"]["2 threads: cpu engine"] > 0
    assert figures["compiled"]["float32, batch 1: forward and map"] > 0


@pytest.mark.slow
@needs_compiler
def test_every_heading_and_table_of_an_emulated_run_says_so(emulated):
    lines = (emulated[0] / "on_a_card.md").read_text().splitlines()
    headings = [line for line in lines if line.startswith("#")]
    tables = [above for above, line in pairwise(lines) if re.fullmatch(r"[|-]+", line)]
    assert len(headings) > 13 and len(tables) > 13
    assert all("EMULATED" in line for line in (*headings, *tables))


@needs_compiler
def test_parts_without_time_are_not_run(tmp_path):
    done = on_a_card(tmp_path / "out", "--emulate", "--seconds", "0", "--parts", "maps")
    assert done.returncode == 1
    document = json.loads((tmp_path / "out" / "on_a_card.json").read_text())
    assert [(part["part"], part["status"]) for part in document["parts"]] == [
        ("facts", "not run"),
        ("build", "not run"),
        ("maps", "not run"),
    ]


@needs_compiler
def test_parts_that_fail_on_purpose_are_refused_on_a_card(tmp_path):
    done = on_a_card(tmp_path / "out", "--parts", "maps", "hangs")
    assert done.returncode == 2
    assert done.stderr.endswith("error: --parts hangs fails on purpose: it needs --emulate\n")


@needs_compiler
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    done = on_a_card(tmp_path / "file", "--emulate")
    assert done.returncode == 1
    assert re.fullmatch(r"error: \S+/file cannot be written: File exists\n", done.stderr)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package of the script."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import card
    import card.__main__
    import card.facts
    import card.running
    import card.table

    return card


def test_a_table_has_what_was_expected_beside_what_was_measured(card):
    figure = card.run.Figure

    def outcome(part: str, *figures: Any, status: str = "done", remark: str = "") -> Any:
        return card.running.Outcome(part, part.title(), status, remark, 12.3, 60, figures)

    text = card.table.section(
        [
            outcome("facts", figure("card", "NVIDIA H200"), figure("copy bandwidth", 4.31, "TB/s")),
            outcome(
                "maps",
                figure("bfloat16, batch 64: channel means", 207.4, "us"),
                figure("bfloat16, batch 64: backprojection", 61.2, "us"),
                figure("float32, batch 64: channel means", 301.0, "us"),
                status="failed",
                remark="a | b",
            ),
        ],
        "2026-01-02",
        emulated=False,
    )
    lines = text.splitlines()
    assert lines[0] == "## NVIDIA H200, 2026-01-02"
    assert "EMULATED" not in text
    assert "| Maps | **failed** | 12 | 60 | a \\| b |" in lines
    assert "| copy bandwidth | 4.31 TB/s (4.2 to 4.4) |" in lines
    assert "| | bfloat16, batch 64 | float32, batch 64 |" in lines
    assert "| channel means, us | 207 (200 to 215) | 301 (376 to 480: **below**) |" in lines
    assert "| backprojection, us | 61.2 (25 to 45: **above**) |  |" in lines


def test_sections_are_appended_to_a_page(card, tmp_path):
    page = tmp_path / "gpu.md"
    for text in ("## One\n\nfirst\n", "## Two\n\nsecond\n"):
        card.__main__.append_section(page, text)
    assert page.read_text() == "# The GPU code on cards\n\n## One\n\nfirst\n\n## Two\n\nsecond\n"


@needs_compiler
def test_a_run_that_is_stopped_says_where_its_results_are(tmp_path):
    errors = tmp_path / "errors"
    with errors.open("w") as file:  # no pipe, which processes that are still ending would keep open
        process = subprocess.Popen(
            [ROOT / "scripts" / "on_a_card.sh", "--out", tmp_path / "out", "--emulate", "--parts", "hangs"],
            env={**os.environ, "PYTHON": sys.executable, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        assert process.stdout is not None and "The machine" in process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=60) == 1
    assert re.fullmatch(r"stopped: \S+/out has what was measured before\n", errors.read_text())
    assert not list(tmp_path.glob("arttl-card-*"))


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ("sm    mem    enc    dec    jpg    ofa", "0      0      0      0      0      0", "seen"),
        (
            "sm    mem    enc    dec    jpg    ofa",
            "0      0      0      0      -      -",
            "not seen: no value",
        ),
        ("sm    mem    enc    dec", "0      0      0      0", "not seen: no column"),
    ],
)
def test_the_jpeg_decoder_is_seen_in_the_load_that_nvidia_smi_prints(card, columns, values, expected):
    percents = "  ".join(["%"] * len(columns.split()))
    text = f"# gpu     {columns}\n# Idx      {percents}\n    0      {values}\n"
    found = card.facts.nvjpg_of(text).replace("nvidia-smi has ", "").replace(" for it", "")
    assert found == expected
