"""The house: which package imports which, and how large files and packages are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "arttl"
MOST_LINES_OF_A_PACKAGE = 3300
MOST_LINES_OF_A_FILE = 400


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("arttl", exclude_type_checking_imports=True, cache_dir=None)


def test_each_package_imports_only_those_below_it() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


def test_no_module_imports_itself_by_way_of_others(imports: grimp.ImportGraph) -> None:
    circles = sorted(
        (module, imported)
        for module in imports.modules
        for imported in imports.find_modules_directly_imported_by(module)
        if imports.chain_exists(importer=imported, imported=module)
    )
    assert circles == []


def test_nothing_inside_imports_the_package_itself(imports: grimp.ImportGraph) -> None:
    assert imports.find_modules_that_directly_import("arttl") == set()


def test_the_table_of_packages_names_each_after_all_that_it_imports(imports: grimp.ImportGraph) -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `arttl/")]
    row_of = {
        name.removeprefix("arttl/").rstrip("/").removesuffix(".py"): index
        for index, row in enumerate(rows)
        for name in re.findall("`([^`]+)`", row)
    }
    pairs = {
        (module.split(".")[1], imported.split(".")[1])
        for module in imports.modules
        for imported in imports.find_modules_directly_imported_by(module)
        if "." in module and "." in imported
    }
    assert {name for pair in pairs for name in pair} <= row_of.keys()
    assert [(name, below) for name, below in sorted(pairs) if row_of[below] > row_of[name]] == []


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")), ids=str
)
def test_no_package_outgrows_its_name(package: str) -> None:
    lines = {path: len(path.read_text().splitlines()) for path in (PACKAGE / package).rglob("*.py")}
    assert sum(lines.values()) <= MOST_LINES_OF_A_PACKAGE


def test_every_file_has_one_job_that_fits_in_its_lines() -> None:
    folders = (PACKAGE, *(REPOSITORY / name for name in ("benchmarks", "scripts", "tests")))
    files = [path for folder in folders for path in folder.rglob("*.py")]
    files += (REPOSITORY / "csrc").rglob("*.*")
    assert len(files) > 700
    long = {
        str(path): lines
        for path in files
        if (lines := len(path.read_text().splitlines())) > MOST_LINES_OF_A_FILE
    }
    assert long == {}
