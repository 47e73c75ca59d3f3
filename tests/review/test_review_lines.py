"""Suggestions in JSON lines are reviewed as those in Parquet are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_cases import LABELS, draw_photographs, made_records, serving, write_records

from arttl.errors import ArttlError
from arttl.review.collection import Collection
from arttl.review.details import RecordFile

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def test_lines_are_read_as_the_table_is(tmp_path: Path) -> None:
    records = made_records(3000)
    records[0] = {**records[6], "object_number": "A.0"}  # no picture, and so no task
    write_records(tmp_path / "s.parquet", records)
    write_lines(tmp_path / "s.jsonl", records)
    table, lines = (Collection(tmp_path / name, None) for name in ("s.parquet", "s.jsonl"))
    assert table.source == tmp_path / "s.parquet" and lines.source not in (None, tmp_path / "s.jsonl")
    assert [*table.texts] == [*lines.texts] and table.problems == lines.problems > 400
    assert all(table.texts[name].equals(lines.texts[name]) for name in table.texts)
    for task in LABELS:
        one, other = table.tasks[task], lines.tasks[task]
        assert one.labels.names == other.labels.names
        np.testing.assert_array_equal(one.status, other.status)
        np.testing.assert_array_equal(one.probability, other.probability)
        assert not one.suggested.differs_from(other.suggested).any()
        assert not one.catalogued.differs_from(other.catalogued).any()
    assert table.source is not None and lines.source is not None
    of_table, of_lines = (
        RecordFile(Path(each), source)
        for each, source in zip("ab", (table.source, lines.source), strict=True)
    )
    for row in (1, 6, 2047, 2048, 2999):
        assert of_table.suggestion(row) == of_lines.suggestion(row)


def test_the_app_opens_lines_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = made_records(40)
    draw_photographs(tmp_path / "photos", records)
    write_lines(tmp_path / "s.jsonl", records)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    named = ("--predictions", tmp_path / "s.jsonl", "--images", tmp_path / "photos")
    with serving(*named, "--decisions", tmp_path / "d.sqlite") as server:
        rows = server.queue(task="material", queue="all")
        assert rows == [row for row in range(40) if row % 7 != 6]
        details = server.get(f"api/objects/{rows[-1]}")
        ranked = records[rows[-1]]["material"]["ranked"]
        assert details["tasks"]["material"]["ranked"] == [
            [each["label"], each["probability"]] for each in ranked
        ]
        server.kill()
        assert [*(tmp_path / "temporary").iterdir()] == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"material": ', "line 4 of .* is not JSON"),
        ("[]", "line 4 of .* must be an object"),
        ('{"object_number": 7}', "line 4 of .* is not as arttl predict writes it"),
        (
            '{"material": {"labels": "wood", "status": "unsure"}}',
            "line 4 of .*'labels' must be a list, not a text",
        ),
        (
            '{"year": {"labels": ["1900"], "status": "unsure"}}',
            "line 4 of .* has the task 'year', which lines before",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    path = write_lines(tmp_path / "s.jsonl", made_records(9))
    lines = path.read_text().splitlines()
    lines[3] = line
    path.write_text("\n".join(lines))
    with pytest.raises(ArttlError, match=sentence):
        Collection(path, None)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"s.csv must end in .parquet or .jsonl; arttl predict writes both"):
        Collection(tmp_path / "s.csv", None)
    with pytest.raises(
        ArttlError, match="has no line with labels and a status; give a file of arttl predict"
    ):
        Collection(write_lines(tmp_path / "s.jsonl", [{"object_number": "A"}]), None)
    write_records(tmp_path / "s.parquet", made_records(9))
    with pytest.raises(ArttlError, match=r"--agreeing .*x\.jsonl is not a file"):
        Collection(tmp_path / "s.parquet", None, [tmp_path / "x.jsonl"])
