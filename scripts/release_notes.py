"""Print the section of CHANGELOG.md for a release, as Markdown.

    python3 scripts/release_notes.py v0.1.0

The tag must name the version in arttl/version.py, and the section must have its date: `## 0.1.0 (2026-12-01)`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def notes(tag: str, version_file: str, changelog: str) -> str:
    """The text of a version's section.

    Args:
        tag: of the release, such as `v0.1.0`.
        version_file: the text of arttl/version.py.
        changelog: the text of CHANGELOG.md.

    Raises:
        ValueError: if the tag is not the version's, or the version has no section with a date and a text.
    """
    found = re.search(r'__version__ = "([^"]+)"', version_file)
    version = found[1] if found else ""
    if tag != f"v{version}":
        raise ValueError(f"the tag {tag} is not that of the version {version} in arttl/version.py")
    heading, _, rest = changelog.partition(f"\n## {version} ")[2].partition("\n")
    if not re.fullmatch(r"\(\d{4}-\d\d-\d\d\)", heading):
        raise ValueError(f"CHANGELOG.md has no heading such as '## {version} (2026-12-01)'")
    text = re.split(r"(?m)^## ", rest)[0].strip()
    if not text:
        raise ValueError(f"CHANGELOG.md says nothing of {version}")
    return text + "\n"


def main() -> None:
    """Print the notes of the tag that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python3 scripts/release_notes.py TAG")
    version_file, changelog = ((ROOT / name).read_text() for name in ("arttl/version.py", "CHANGELOG.md"))
    try:
        print(notes(sys.argv[1], version_file, changelog), end="")
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
