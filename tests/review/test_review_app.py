"""Chromium drives the review app: keyboard alone is enough, what is shown as saved is saved, no text is run."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, Page, need_axe
from review_cases import LABELS, Server, draw_photographs, made_records, serving, write_records

from arttl.decisions.file import DecisionFile

pytestmark = [pytest.mark.slow, pytest.mark.browser]

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")

RECORDS = made_records(400, seed=2)

READY = "document.documentElement.dataset.ready && document.querySelector('#object h2') && true"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    write_records(folder / "suggestions.parquet", RECORDS)
    draw_photographs(folder / "photos", RECORDS)
    return folder


def arguments(given: Path, decisions: Path, *more: str | Path) -> list[str | Path]:
    named = ["--predictions", given / "suggestions.parquet", "--images", given / "photos"]
    return [*named, "--decisions", decisions, "--reviewer", "R. Viewer", *more]


def opened(browser: Browser, server: Server, **size: int) -> Page:
    page = browser.page(**size)
    page.goto(server.address)
    page.wait_for(READY)
    return page


def text(page: Page, name: str) -> str:
    return str(page.evaluate(f"document.getElementById({name!r}).textContent"))


def shown(page: Page) -> str:
    """The object of the panel."""
    return str(page.evaluate("document.querySelector('#object h2')?.textContent ?? ''"))


def choose(page: Page, name: str, value: str) -> None:
    """Choose from a list, as a person does, and wait for the queue."""
    code = f"{{const s = document.getElementById({name!r}); s.value = {value!r}; s.dispatchEvent(new Event('change'))}}"
    before = text(page, "position")
    page.evaluate(code)
    page.wait_for(f"document.getElementById('position').textContent !== {before!r} || true")
    page.wait_for(f"document.getElementById({name!r}).value === {value!r}")


def total(page: Page) -> int:
    return int(text(page, "position").split(" of ")[1].replace(",", ""))


def saved(path: Path) -> dict[str, str]:
    """Object number, or picture, and task to the verdict and labels in force, by the file itself."""
    with DecisionFile(path, is_read_only=True) as file:
        return {
            f"{subject.object_number or subject.picture} {subject.task}": " ".join(
                [row.decision.verdict, "; ".join(row.decision.labels)]
            ).strip()
            for subject, state in file.states()
            if (row := state.row)
        }


def name_of(row: int) -> str:
    return str(RECORDS[row]["object_number"] or RECORDS[row]["picture"])


def test_decide_by_keyboard_kill_and_go_on(browser: Browser, given: Path, tmp_path: Path) -> None:
    """Accept, correct, reject, skip and undo; kill the server; what was shown as saved is there when it runs again."""
    decisions = tmp_path / "d.sqlite"
    expected: dict[str, str] = {}
    with serving(*arguments(given, decisions)) as server:
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
    with serving(*arguments(given, decisions)) as server:
        page = opened(browser, server)
        assert total(page) == len(rows) - 3
        choose(page, "show", "decided")
        page.wait_for("document.getElementById('position').textContent === '1 of 3'")
        page.wait_for("document.querySelectorAll('.mark:not([hidden])').length === 3")


def test_keys_that_come_fast_wait_their_turn(browser: Browser, given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="differs")[:8]
        page = opened(browser, server)
        page.type("axaxaxax")
        page.wait_for("document.getElementById('position').textContent.startsWith('9 of')")
        verdicts = [saved(tmp_path / "d.sqlite")[f"{name_of(row)} material"].split()[0] for row in rows]
        assert verdicts == ["accepted", "rejected"] * 4
        assert text(page, "failed") == ""


def test_number_keys_that_come_fast_are_of_their_own_object(
    browser: Browser, given: Path, tmp_path: Path
) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="differs")[:6]
        page = opened(browser, server)
        page.type("222222")
        page.wait_for("document.getElementById('position').textContent.startsWith('7 of')")
        found = [saved(tmp_path / "d.sqlite")[f"{name_of(row)} material"] for row in rows]
        assert found == [f"corrected {RECORDS[row]['material']['ranked'][1]['label']}" for row in rows]


def test_nobody_decides_in_view_of_another_object(browser: Browser, given: Path, tmp_path: Path) -> None:
    """What is read slowly, or not at all, leaves the panel empty; a failure takes away what was said before it."""
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
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


def test_type_ahead_finds_labels_and_confirms_new_ones(browser: Browser, given: Path, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(
        "task,label,uri,scheme,broader,alternative_labels,language\n"
        "material,ivory,http://vocab.getty.edu/aat/300011857,AAT,,Elfenbein | ivoire | støvtand,en\n"
    )
    words = arguments(given, tmp_path / "d.sqlite", "--vocabulary", tmp_path / "v.csv")
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


def test_several_labels_are_chosen_one_by_one(browser: Browser, given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
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


def test_many_at_once_and_undone_at_once(browser: Browser, given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
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


def test_search_and_filters(browser: Browser, given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        choose(page, "queue", "all")
        everything = len(server.queue(task="material", queue="all"))
        page.wait_for(f"document.getElementById('position').textContent === '1 of {everything}'")
        page.press("f")
        page.type("a.11")
        found = len(server.queue(task="material", queue="all", search="a.11"))
        page.wait_for(f"document.getElementById('position').textContent === '1 of {found}'")
        page.press("Escape")  # empties the search, and shows everything again
        page.wait_for(f"document.getElementById('position').textContent === '1 of {everything}'")
        assert page.evaluate("document.getElementById('search').value") == ""
        page.press("f")
        page.type("nothing is called so")
        page.wait_for("document.getElementById('nothing').textContent.includes('empty the search (f)')")
        page.press("Escape")
        page.evaluate("document.getElementById('of').value = 'technique'")
        page.press("l")
        page.type("gilded")
        page.press("Enter")
        found = len(server.queue(task="material", queue="all", label="gilded", of="technique"))
        page.wait_for(f"document.getElementById('position').textContent === '1 of {found}'")
        assert 0 < found < everything and text(page, "label") == "gilded"


def test_the_list_is_known_whole(browser: Browser, given: Path, tmp_path: Path) -> None:
    """Home, End, go to N and the scroll bar reach every object at once, while few elements exist."""
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="all")
        page = opened(browser, server)
        choose(page, "queue", "all")
        page.wait_for(f"document.getElementById('position').textContent === '1 of {len(rows)}'")
        for key, index in (("End", len(rows) - 1), ("Home", 0), ("ArrowRight", 1), ("ArrowLeft", 0)):
            page.press(key)
            page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[index])!r}")
        page.press("g")
        page.type("200")
        page.press("Enter")
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[199])!r}")
        current = "document.querySelector('.cell.current')"
        assert page.evaluate(f"{current}.getAttribute('aria-posinset')") == "200"
        assert page.evaluate(f"{current}.getAttribute('aria-setsize')") == str(len(rows))
        page.wait_for(f"{current}.querySelector('.number').textContent === {name_of(rows[199])!r}")
        inside = (
            f"(() => {{ const a = {current}.getBoundingClientRect();"
            " const b = document.getElementById('grid').getBoundingClientRect();"
            " return a.top >= b.top - 1 && a.bottom <= b.bottom + 1; })()"
        )
        assert page.evaluate(inside)
        page.evaluate("{const g = document.getElementById('grid'); g.scrollTop = g.scrollHeight}")
        numbers = "[...document.querySelectorAll('.cell .number')].map(each => each.textContent)"
        page.wait_for(f"{numbers}.includes({name_of(rows[-1])!r})")
        assert page.evaluate("document.querySelectorAll('.cell').length") < 80


def test_two_windows_do_not_overwrite_each_other(browser: Browser, given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
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


def test_who_settles_a_dispute_sees_both(browser: Browser, given: Path, tmp_path: Path) -> None:
    decisions = tmp_path / "d.sqlite"
    for reviewer, key in (("First", "x"), ("Second", "a")):
        with serving(*arguments(given, decisions)[:-1], reviewer, "--blind") as server:
            page = opened(browser, server)
            name = shown(page)
            page.press(key)
            page.wait_for("document.getElementById('saved').textContent.startsWith('Saved')")
    with serving(*arguments(given, decisions)) as server:
        page = opened(browser, server)
        choose(page, "show", "disputed")
        page.wait_for("document.getElementById('position').textContent === '1 of 1'")
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name!r}")
        banner = page.wait_for("document.querySelector('.side.refused')?.textContent")
        assert "rejected by First" in banner and "accepted by Second" in banner


def test_it_opens_where_there_is_something_to_decide(browser: Browser, tmp_path: Path) -> None:
    records = made_records(20, seed=3)
    for record in records:
        for task in LABELS:
            if record[task]:
                record[task] |= {"status": "unsure", "ranked": [{"label": "1800", "probability": None}]}
                record[task] |= {"labels": ["1800"], "set": None, "interval": [1526.8788702221618, 2079.73]}
    write_records(tmp_path / "suggestions.parquet", records)
    draw_photographs(tmp_path / "photos", records)
    (tmp_path / "photos" / records[0]["picture"]).write_bytes(b"<html>")
    with serving(*arguments(tmp_path, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        assert page.evaluate("document.getElementById('queue').value") == "unsure" and total(page) > 0
        note = "[...document.querySelectorAll('#object .note')].map(each => each.textContent)"
        assert "interval: 1527 to 2080" in page.evaluate(note)
        assert page.evaluate("document.querySelectorAll('#object meter').length") == 0
        page.wait_for("document.querySelector('.photo').dataset.reason?.startsWith('no picture: ')")


def test_texts_of_strangers_are_texts(browser: Browser, given: Path, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    assert hostile in LABELS["material"]
    records: list[dict[str, Any]] = made_records(12, seed=4)
    for record in records:
        for column in ("object_number", "institution"):
            record[column] = (
                f"</script><script>document.title='{column}'</script>" + record[column] + record["picture"]
            )
        if record["material"]:
            record["material"] |= {"labels": [hostile], "catalogued": ["<b>bold</b>"], "status": "suggested"}
    write_records(tmp_path / "s.parquet", records)
    words = [
        "--predictions",
        tmp_path / "s.parquet",
        "--images",
        given / "photos",
        "--decisions",
        tmp_path / "d.sqlite",
    ]
    with serving(*words, "--reviewer", "<i>R</i>") as server:
        page = opened(browser, server)
        page.wait_for("document.querySelectorAll('.cell .now').length > 2")
        assert page.evaluate("document.title") == "Review"
        assert page.evaluate(
            "document.querySelectorAll('main img').length === document.querySelectorAll('.frame img').length"
        )
        assert page.evaluate("document.querySelectorAll('main b, main script, footer i').length") == 0
        assert hostile in page.evaluate("document.querySelector('.side:nth-child(2) .value').textContent")
        page.press("/")
        page.type("onerror")
        assert page.evaluate("document.querySelectorAll('#finder-list img').length") == 0
        page.press("Enter")
        page.wait_for("document.getElementById('saved').textContent.startsWith('Saved')")
        assert page.errors == []
        origin = server.address.removesuffix(server.path)
        assert page.requests and all(address.startswith(origin) for address in page.requests)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (420, False)])
def test_a_screen_reader_can_use_it(
    browser: Browser, given: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    axe = need_axe()
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server, width=width)
        page.emulate(dark=dark)
        page.press("a")
        page.press("x")
        page.wait_for("document.querySelectorAll('.mark:not([hidden])').length === 2")
        assert page.serious_faults(axe) == []
        page.press("Enter")
        assert page.serious_faults(axe) == []
        page.press("/")
        page.type("i")
        assert page.serious_faults(axe) == []


def test_a_narrow_screen_shows_one_thing_at_a_time(browser: Browser, given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server, width=420)
        visible = "getComputedStyle(document.querySelector({})).display !== 'none'"
        for key, is_list in (("ArrowRight", True), ("Enter", False), ("Escape", True)):
            page.press(key)
            assert page.evaluate(visible.format(json.dumps(".list"))) is is_list
            assert page.evaluate(visible.format(json.dumps("#object"))) is not is_list
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
