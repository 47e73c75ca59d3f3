"""The commands of docs/guide-museum.md, in their order, on the paintings with half of their labels hidden."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path

import documented
import pytest
from executed import run_blocks
from scipy.stats import binom

from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile

pytestmark = [pytest.mark.slow, pytest.mark.real]

GUIDE = documented.REPOSITORY / "docs" / "guide-museum.md"
TASKS = ("artist", "material")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the guide begins with."""
    rows = table(real_data / "paintings" / "objects.csv")
    for index in random.Random(1).sample(range(len(rows)), len(rows) // 2):
        rows[index] |= dict.fromkeys(TASKS, "")
    with (tmp_path / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, ["object_number", "file", "artist", "material", "year"], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(rows)
    shutil.copy(real_data / "paintings" / "synonyms.csv", tmp_path)
    (tmp_path / "photographs").symlink_to(real_data / "paintings" / "images")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in sorted((real_data / "gallery" / "images").iterdir())[::12]:
        shutil.copy(path, elsewhere)
    _, accepted = (block.text for block in documented.blocks(GUIDE) if block.language == "csv")
    (tmp_path / "accepted.csv").write_text(accepted)
    with DecisionFile(tmp_path / "decisions.sqlite") as file:  # of the browser, see tests/review
        labels = ("Paul Gauguin",)
        decision = Decision(
            "artist", "MET.436448", "", "", (), ("monet",), None, "corrected", labels, "A. Curator"
        )
        file.save([(decision, 0)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_walk(folder: Path, real_data: Path) -> None:
    run_blocks(documented.blocks(GUIDE))
    own, suggested = table(folder / "catalogue.csv"), table(folder / "suggestions.csv")
    assert [{name: row[name] for name in own[0]} for row in suggested] == own
    _check_promise(suggested, real_data)
    reviewed = table(folder / "reviewed.csv")
    assert [{name: row[name] for name in own[0]} for row in reviewed] == own
    decided = [(row["object_number"], row["artist_decided"]) for row in reviewed if row["artist_decided"]]
    assert decided == [("MET.436448", "Paul Gauguin")]
    (accepted,) = table(folder / "accepted_labels.csv")
    assert accepted["object_number"] == "MET.436448" and accepted["artist"] == "Paul Gauguin"
    records = [json.loads(line) for line in (folder / "linked_art.jsonl").read_text().splitlines()]
    assert any("Paul Gauguin" in json.dumps(record) for record in records)
    statuses = [row["artist_status"] for row in table(folder / "elsewhere.csv")]
    at_home = [row["suggested_artist_status"] for row in suggested]
    assert statuses.count("outside") / len(statuses) > 5 * at_home.count("outside") / len(at_home)


def _check_promise(suggested: list[dict[str, str]], real_data: Path) -> None:
    """As many of the suggestions for hidden objects are right as a kept promise makes likely."""
    synonyms = {row["found"]: row["wanted"] for row in table(real_data / "paintings" / "synonyms.csv")}
    right = []
    for row, truth in zip(suggested, table(real_data / "paintings" / "objects.csv"), strict=True):
        assert row["object_number"] == truth["object_number"]
        for task in TASKS:
            label = synonyms.get(truth[task], truth[task])
            if label and not row[task] and row[f"suggested_{task}_status"] == "suggested":
                right.append(row[f"suggested_{task}"] == label)
    assert len(right) > 20
    assert binom.cdf(sum(right), len(right), 0.7) > 0.005
