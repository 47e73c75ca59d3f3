"""Chromium drives the review app: keyboard alone is enough, and what is shown as saved is saved."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from app_cases import RECORDS, choose, name_of, opened, saved, shown, text, total
from browser import Browser
from review_cases import arguments, serving

pytestmark = [pytest.mark.slow, pytest.mark.browser]

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def test_decide_by_keyboard_kill_and_go_on(browser: Browser, collection: Path, tmp_path: Path) -> None:
    """Accept, correct, reject, skip and undo; kill the server; what was shown as saved is there when it runs again."""
    decisions = tmp_path / "d.sqlite"
    expected: dict[str, str] = {}
    with serving(*arguments(collection, decisions)) as server:
        rows = server.queue(task="material", queue="differs")
        page = opened(browser, server)
        assert total(page) == len(rows)
        suggested = [RECORDS[row]["material"]["labels"][0] for row in rows]
        second = RECORDS[rows[1]]["material"]["ranked"][1]["label"]
        steps = (
            ("a", f"Saved: accepted {suggested[0]}", f"accepted {suggested[0]}"),
            ("2", f"Saved: corrected {second}", f"corrected {second}"),
            ("x", "Saved: rejected", "rejected"),
            ("s", "Saved: skipped", "skipped"),
        )
        for index, (key, sentence, verdict) in enumerate(steps):
            page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[index])!r}")
            page.press(key)
            page.wait_for(f"document.getElementById('saved').textContent === {sentence!r}")
            expected[f"{name_of(rows[index])} material"] = verdict
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[4])!r}")
        page.press("u")
        page.wait_for("document.getElementById('saved').textContent.startsWith('Undone: ')")
        del expected[f"{name_of(rows[3])} material"]
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[3])!r}")
        assert page.errors == []
        server.kill()
        page.press("a")
        page.wait_for("document.getElementById('failed').textContent.includes('the server does not respond')")
    assert saved(decisions) == expected
    with serving(*arguments(collection, decisions)) as server:
        page = opened(browser, server)
        assert total(page) == len(rows) - 3
        choose(page, "show", "decided")
        page.wait_for("document.getElementById('position').textContent === '1 of 3'")
        page.wait_for("document.querySelectorAll('.mark:not([hidden])').length === 3")


def test_keys_that_come_fast_wait_their_turn(browser: Browser, collection: Path, tmp_path: Path) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="differs")[:8]
        page = opened(browser, server)
        page.type("axaxaxax")
        page.wait_for("document.getElementById('position').textContent.startsWith('9 of')")
        verdicts = [saved(tmp_path / "d.sqlite")[f"{name_of(row)} material"].split()[0] for row in rows]
        assert verdicts == ["accepted", "rejected"] * 4
        assert text(page, "failed") == ""


def test_number_keys_that_come_fast_are_of_their_own_object(
    browser: Browser, collection: Path, tmp_path: Path
) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="differs")[:6]
        page = opened(browser, server)
        page.type("222222")
        page.wait_for("document.getElementById('position').textContent.startsWith('7 of')")
        found = [saved(tmp_path / "d.sqlite")[f"{name_of(row)} material"] for row in rows]
        assert found == [f"corrected {RECORDS[row]['material']['ranked'][1]['label']}" for row in rows]


def test_nobody_decides_in_view_of_another_object(browser: Browser, collection: Path, tmp_path: Path) -> None:
    """What is read slowly, or not at all, leaves the panel empty; a failure takes away what was said before it."""
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="differs")
        page = opened(browser, server)
        page.press("x")
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[1])!r}")
        server.process.send_signal(signal.SIGSTOP)
        page.press("End")
        page.wait_for("document.getElementById('object').textContent === '…'")
        server.process.send_signal(signal.SIGCONT)
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[-1])!r}")
        server.kill()
        page.press("Home")
        page.press("PageDown")
        page.press("PageDown")
        page.wait_for("document.getElementById('object').textContent === 'This object cannot be read now.'")
        assert "does not respond" in text(page, "failed") and text(page, "saved") == ""


def test_type_ahead_finds_labels_and_confirms_new_ones(
    browser: Browser, collection: Path, tmp_path: Path
) -> None:
    (tmp_path / "v.csv").write_text(
        "task,label,uri,scheme,broader,alternative_labels,language\n"
        "material,ivory,http://vocab.getty.edu/aat/300011857,AAT,,Elfenbein | ivoire | støvtand,en\n"
    )
    words = arguments(collection, tmp_path / "d.sqlite", "--vocabulary", tmp_path / "v.csv")
    with serving(*words) as server:
        rows = server.queue(task="material", queue="differs")
        page = opened(browser, server)
        items = "[...document.querySelectorAll('#finder-list li')].map(item => item.firstChild.textContent)"
        for typed, first in (
            ("eduard", "Éduard's bronze"),
            ("elfen", "ivory"),
            ("stovtand", "ivory"),
            ("300011857", "ivory"),
            ("paint", "oil paint"),
        ):
            page.press("/")
            page.wait_for("document.getElementById('finder').open")
            page.type(typed)
            assert page.evaluate(items)[0] == first
            page.press("Escape")
            page.wait_for("!document.getElementById('finder').open")
        page.press("/")
        page.type("elfen")
        page.press("Enter")
        page.wait_for("document.getElementById('position').textContent.startsWith('2 of')")
        page.press("/")
        page.type("unobtainium")
        assert page.evaluate(items) == ["New label “unobtainium”"]
        page.press("Enter")
        assert "Enter again adds it" in text(page, "finder-note")
        assert f"{name_of(rows[1])} material" not in saved(tmp_path / "d.sqlite")
        page.press("Enter")
        page.wait_for("document.getElementById('saved').textContent === 'Saved: corrected unobtainium'")
        first, second = (saved(tmp_path / "d.sqlite")[f"{name_of(row)} material"] for row in rows[:2])
        assert second == "corrected unobtainium"
        assert first in ("corrected ivory", "accepted ivory")


def test_several_labels_are_chosen_one_by_one(browser: Browser, collection: Path, tmp_path: Path) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        choose(page, "task", "technique")
        row = server.queue(task="technique", queue="differs")[0]
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(row)!r}")
        ranked = [each["label"] for each in RECORDS[row]["technique"]["ranked"]]
        page.wait_for(f"document.querySelector('.ranks .name').textContent === {ranked[0]!r}")
        for key in "432":
            page.press(key)
        page.press("3")  # takes it back
        assert page.evaluate("document.querySelectorAll('.ranks [aria-pressed=\"true\"]').length") == 2
        page.press("Enter")
        page.wait_for("document.getElementById('saved').textContent.startsWith('Saved')")
        assert (
            saved(tmp_path / "d.sqlite")[f"{name_of(row)} technique"] == f"corrected {ranked[3]}; {ranked[1]}"
        )


def test_many_at_once_and_undone_at_once(browser: Browser, collection: Path, tmp_path: Path) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        rows = server.queue(task="material", queue="differs")
        for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
            page.press(key)
        assert text(page, "selected") == "4 selected"
        page.press("a")
        page.wait_for("document.getElementById('saved').textContent === 'Saved: 4 accepted'")
        assert len(saved(tmp_path / "d.sqlite")) == 4
        page.press("u")
        page.wait_for("document.getElementById('saved').textContent === '4 undone.'")
        assert saved(tmp_path / "d.sqlite") == {}
        page.press("Control+a")
        assert text(page, "selected") == f"{len(rows)} selected"
        page.press("Escape")
        assert text(page, "selected") == ""
        page.press(" ")
        assert text(page, "selected") == "1 selected"


def test_two_windows_do_not_overwrite_each_other(browser: Browser, collection: Path, tmp_path: Path) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        first, second = opened(browser, server), opened(browser, server)
        name = shown(first)
        second.wait_for("document.querySelector('.cell.current .number').textContent !== '…'")
        first.press("x")
        first.wait_for("document.getElementById('saved').textContent === 'Saved: rejected'")
        second.press("a")
        second.wait_for(
            "document.getElementById('failed').textContent.includes('decided elsewhere meanwhile')"
        )
        assert saved(tmp_path / "d.sqlite")[f"{name} material"] == "rejected"
        # It shows the other's decision, and can be decided in view of it.
        second.wait_for(
            "document.querySelector('.side.refused')?.textContent.includes('rejected by R. Viewer')"
        )
        second.press("a")
        second.wait_for("document.getElementById('saved').textContent.startsWith('Saved: accepted')")
        assert saved(tmp_path / "d.sqlite")[f"{name} material"].startswith("accepted")
        # What was decided anew cannot be undone by who has decided before, and is not said to be.
        first.press("u")
        first.wait_for("document.getElementById('failed').textContent.includes('Not undone')")
        assert text(first, "saved") == "" and name in text(first, "failed")
        assert saved(tmp_path / "d.sqlite")[f"{name} material"].startswith("accepted")


def test_who_settles_a_dispute_sees_both(browser: Browser, collection: Path, tmp_path: Path) -> None:
    decisions = tmp_path / "d.sqlite"
    for reviewer, key in (("First", "x"), ("Second", "a")):
        with serving(*arguments(collection, decisions)[:-1], reviewer, "--blind") as server:
            page = opened(browser, server)
            name = shown(page)
            page.press(key)
            page.wait_for("document.getElementById('saved').textContent.startsWith('Saved')")
    with serving(*arguments(collection, decisions)) as server:
        page = opened(browser, server)
        choose(page, "show", "disputed")
        page.wait_for("document.getElementById('position').textContent === '1 of 1'")
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name!r}")
        banner = page.wait_for("document.querySelector('.side.refused')?.textContent")
        assert "rejected by First" in banner and "accepted by Second" in banner
