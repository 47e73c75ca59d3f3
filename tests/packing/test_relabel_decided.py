"""Shards with the labels that persons have decided, against the decisions one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from arttl.cli import run_command
from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile
from arttl.packing.relabel import RelabelSettings, relabel
from arttl.shards.manifest import Manifest


def decision(number: str, verdict: str, *labels: str, task: str = "material") -> Decision:
    suggested = labels if verdict == "accepted" else ("plaster",)
    return Decision(task, number, "", "k", (), suggested, 0.9, verdict, labels, "R")  # type: ignore[arg-type]


def numbers_of(manifest: Manifest, split: str) -> list[str]:
    """Object numbers of a split whose objects have a material."""
    rows = zip(manifest.object_numbers, manifest.splits, manifest.labels("material"), strict=True)
    return [number for number, of_row, labels in rows if of_row == split and labels]


def test_what_was_decided_becomes_the_label(small_shards: Path, tmp_path: Path) -> None:
    old = Manifest.read(small_shards)
    accepted, corrected, rejected, skipped, *_ = numbers_of(old, "train")
    in_test = numbers_of(old, "test")[0]
    with DecisionFile(tmp_path / "d.sqlite") as file:
        decisions = [
            decision(accepted, "accepted", "plaster"),
            decision(corrected, "corrected", "ivory", "gold"),
            decision(rejected, "rejected"),
            decision(skipped, "skipped"),
            decision(in_test, "accepted", "plaster"),
            decision("elsewhere", "accepted", "plaster"),
            decision(accepted, "accepted", "carved", task="technique"),
        ]
        file.save([(each, 0) for each in decisions])
    settings = RelabelSettings(
        folder=small_shards, decisions=tmp_path / "d.sqlite", out=tmp_path / "new", workers=1
    )
    new, sentences = relabel(settings)
    assert (new.keys, new.splits, new.object_numbers) == (old.keys, old.splits, old.object_numbers)
    assert new.task_names == (*old.task_names, "technique")
    expected = dict(zip(old.object_numbers, old.labels("material"), strict=True))
    expected |= {accepted: ("plaster",), corrected: ("ivory", "gold")}
    assert dict(zip(new.object_numbers, new.labels("material"), strict=True)) == expected
    assert [labels for labels in new.labels("technique") if labels] == [("carved",)]
    for task in ("type", "artist"):
        assert new.labels(task) == old.labels(task)
    stored = [manifest.table.column("stored_sha256").to_pylist() for manifest in (old, new)]
    assert stored[0] == stored[1]
    text = " ".join(sentences)
    assert "3 labels of photographs changed" in text
    assert "1 stays, since only a suggestion was rejected" in text
    assert "1 stays in the test split" in text
    assert "1 is about objects that the shards lack, such as 'elsewhere'" in text


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--decisions d.sqlite --metadata m.csv", "--decisions gives the labels of the shards themselves"),
        ("--reviewer R", "--reviewer is for --decisions"),
        ("--decisions none.sqlite", "none.sqlite is not a file; arttl review makes one"),
        ("--decisions d.sqlite", "no decision of d.sqlite is about an object of"),
    ],
)
def test_one_sentence_for_what_cannot_be(
    small_shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with DecisionFile(Path("d.sqlite")) as file:
        file.save([(decision("elsewhere", "skipped"), 0)])
    assert run_command("shards", ["relabel", str(small_shards), "--out", "new", *line.split()]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("new").exists()
