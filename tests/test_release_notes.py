"""Release notes out of the changelog, and what the workflows call."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))

import quickstart  # noqa: E402
import test_matrix  # noqa: E402
from release_notes import notes  # noqa: E402

VERSION = '"""The version."""\n\n__version__ = "0.2.0"\n'
CHANGELOG = "# Changelog\n\n## 0.2.0 (2026-12-01)\n\nBetter.\n\n- a\n\n## 0.1.0 (2026-11-01)\n\nThe first.\n"


def test_the_notes_are_the_section_of_the_version() -> None:
    assert notes("v0.2.0", VERSION, CHANGELOG) == "Better.\n\n- a\n"
    assert notes("v0.1.0", VERSION.replace("0.2", "0.1"), CHANGELOG) == "The first.\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "complaint"),
    [
        ("v0.3.0", CHANGELOG, "not that of the version 0.2.0"),
        ("0.2.0", CHANGELOG, "not that of the version 0.2.0"),
        ("v0.2.0", CHANGELOG.replace("(2026-12-01)", "(unreleased)"), "no heading"),
        ("v0.2.0", CHANGELOG.replace("0.2.0", "0.2.0.1"), "no heading"),
        ("v0.2.0", CHANGELOG.replace("Better.\n\n- a\n", ""), "says nothing"),
    ],
)
def test_a_release_that_is_not_ready_is_refused(tag: str, changelog: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        notes(tag, VERSION, changelog)


def test_the_changelog_has_a_section_for_this_version() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/release_notes.py", "v9.9.9"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("error: the tag v9.9.9 is not that of the version")
    version = re.search(r"version (\S+) in", done.stderr)
    assert version and f"\n## {version[1]} (" in (REPOSITORY / "CHANGELOG.md").read_text()


def workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text())["jobs"]


def test_the_workflows_run_every_part_and_every_environment() -> None:
    jobs = workflow("checks")
    parts = jobs["part"]["strategy"]["matrix"]["part"] + jobs["tests"]["strategy"]["matrix"]["tier"]
    assert sorted(parts) == sorted([*quickstart.PARTS, *quickstart.SELECTIONS])
    environments = jobs["environment"]["strategy"]["matrix"]["environment"]
    expected = [
        name for name in test_matrix.EXTRAS_OF if name in ("oldest", "none") or name.startswith("only-")
    ]
    assert environments == expected


def test_the_workflows_call_scripts_that_are_there() -> None:
    for name in ("checks", "wheels"):
        text = (REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text()
        called = set(re.findall(r"scripts/\w+\.(?:py|sh)", text))
        assert called and all((REPOSITORY / script).is_file() for script in called)
