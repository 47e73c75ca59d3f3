"""Decisions saved over HTTP: conflicts, many clients, several servers, and what a kill leaves."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import pytest
from review_cases import (
    MATERIALS,
    RECORDS,
    Server,
    arguments,
    serving,
)

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def test_saving_conflicts_and_undoing(server: Server) -> None:
    row = MATERIALS[0]
    (first,) = server.decide("material", row, "accepted")["saved"]
    decision = first["state"]["decision"]
    assert (decision["verdict"], decision["reviewer"]) == ("accepted", "R. Viewer")
    assert decision["labels"] == RECORDS[row]["material"]["labels"]
    # Another window, which has not seen it.
    answer = server.decide("material", row, "rejected")
    assert not answer["saved"]
    (conflict,) = answer["conflicts"]
    assert conflict["state"]["decision"] == decision
    version = conflict["state"]["version"]
    (second,) = server.decide("material", row, "corrected", "ivory", version=version)["saved"]
    assert row not in server.queue(task="material", queue="all")
    assert row in server.queue(task="material", queue="all", show="corrected")
    status, answer = server.post("api/undo", {"ids": [second["state"]["decision"]["id"], decision["id"]]})
    assert (status, answer["conflicts"]) == (200, []) and len(answer["undone"]) == 2
    assert row in server.queue(task="material", queue="all")
    details = server.get(f"api/objects/{row}")
    assert [each["undoes"] for each in details["tasks"]["material"]["history"]] == [
        None,
        None,
        second["state"]["decision"]["id"],
        decision["id"],
    ]
    assert details["tasks"]["technique"]["history"] == []


def test_what_is_chosen_as_suggested_is_accepted(server: Server) -> None:
    row = MATERIALS[1]
    (saved,) = server.decide("material", row, "corrected", *RECORDS[row]["material"]["labels"])["saved"]
    assert saved["state"]["decision"]["verdict"] == "accepted"


def test_a_new_label_has_to_be_confirmed(server: Server) -> None:
    row = MATERIALS[2]
    choice = {"row": row, "version": 0, "verdict": "corrected", "labels": ["  unobtainium "]}
    status, answer = server.post("api/decisions", {"task": "material", "decisions": [choice]})
    assert status == 409 and "'unobtainium' is a new material: confirm it" in answer["error"]
    (saved,) = server.decide("material", row, "corrected", "  unobtainium ", new_labels=True)["saved"]
    assert saved["state"]["decision"]["labels"] == ["unobtainium"]
    assert "unobtainium" in server.get("api/labels", task="material")["labels"]


def test_a_request_is_saved_whole_or_not_at_all(server: Server) -> None:
    rows = MATERIALS[4:7]
    choices = [{"row": row, "version": 0, "verdict": "skipped"} for row in rows]
    choices.append({"row": 10**6, "version": 0, "verdict": "skipped"})
    status, _ = server.post("api/decisions", {"task": "material", "decisions": choices})
    assert status == 404
    assert {*rows} <= {*server.queue(task="material", queue="all")}
    status, answer = server.post("api/decisions", {"task": "material", "decisions": choices[:3]})
    assert status == 200 and [each["row"] for each in answer["saved"]] == rows
    unreadable = next(row for row, record in enumerate(RECORDS) if record["problem"])
    status, answer = server.post(
        "api/decisions",
        {"task": "material", "decisions": [{"row": unreadable, "version": 0, "verdict": "skipped"}]},
    )
    assert status == 409 and "nothing is suggested" in answer["error"]


def test_many_clients_lose_nothing(server: Server) -> None:
    """Of eight clients that decide about the same objects at once each object gets one decision, and nobody two."""
    rows = MATERIALS[10:22]

    def client(_: int) -> list[int]:
        return [
            each["state"]["decision"]["id"]
            for row in rows
            for each in server.decide("technique", row, "skipped")["saved"]
        ]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        saved = [number for numbers in pool.map(client, range(8)) for number in numbers]
    assert len(saved) == len({*saved}) == len(rows)
    assert {*server.queue(task="technique", queue="all", show="skipped")} == {*rows}


def test_a_kill_loses_nothing_that_was_answered(given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="all")
        for row in rows[:25]:
            server.decide("material", row, "accepted")
        server.kill()
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        assert server.queue(task="material", queue="all", show="accepted") == rows[:25]
        (state,) = server.get("api/rows", task="material", rows=rows[0])
        assert state["state"]["decision"]["verdict"] == "accepted"


def test_two_servers_on_one_file(given: Path, tmp_path: Path) -> None:
    with (
        serving(*arguments(given, tmp_path / "d.sqlite")) as first,
        serving(*arguments(given, tmp_path / "d.sqlite")) as second,
    ):
        assert first.path != second.path  # tokens are of one run
        row = MATERIALS[0]
        first.decide("material", row, "rejected")
        assert second.decide("material", row, "accepted")["saved"] == []
        assert row in second.queue(task="material", queue="all", show="rejected")
