"""What a report holds, read from its HTML: nothing lost, nothing active, counts that are those of the table."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_cases import HOSTILE, Reader, claims, picture

from arttl.cli import run_command
from arttl.pages import MOST_CARDS
from arttl.reports.settings import ReportSettings
from arttl.reports.thumbnails import MOST_BYTES, thumbnail
from arttl.settings import settings_of


def test_every_suggestion_is_a_card(read_report: Reader, records) -> None:
    assert [card.attributes["data-number"] for card in read_report.cards] == [
        record["object_number"] for record in records
    ]
    for card, record in zip(read_report.cards, records, strict=True):
        expected = []
        for task in ("type", "material"):
            of_task = record[task]
            probability = min(
                each["probability"] for each in of_task["ranked"] if each["label"] in of_task["labels"]
            )
            expected.append(
                (task, of_task["status"], of_task["labels"], pytest.approx(probability, abs=1e-6))
            )
            assert f"{100 * probability:.1f}%" in card.text
            if of_task["catalogued"]:
                assert f"Catalogue: {', '.join(of_task['catalogued'])}" in card.text
            for each in of_task["ranked"]:
                assert f"{each['label']} {100 * each['probability']:.1f}%" in card.text
        assert claims(card) == expected


def test_thumbnails_are_small_and_maps_lie_over_them(read_report: Reader) -> None:
    for card in read_report.cards:
        shown, over = (picture(image) for image in card.all("img"))
        assert shown[0] <= MOST_BYTES and max(shown[1].size) <= 176
        size = tuple(int(card.all("img")[0].attributes[name] or 0) for name in ("width", "height"))
        assert shown[1].size == size
        assert over[1].mode == "RGBA" and over[0] < 2500
        ratios = [image.width / image.height for image in (shown[1], over[1])]
        assert ratios[0] == pytest.approx(ratios[1], rel=0.05)


@pytest.mark.parametrize("kind", ["noise", "flat", "long"])
def test_a_thumbnail_of_any_picture_is_small(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    picture = {
        "noise": Image.fromarray(noise).resize((176, 176), Image.Resampling.NEAREST),
        "flat": Image.new("RGB", (3000, 2000), "red"),
        "long": Image.new("RGB", (3000, 2)),
    }[kind]
    data, size = thumbnail(picture)
    assert len(data) <= MOST_BYTES and max(size) == 176 and min(size) >= 1


def test_counts_are_those_of_the_table(read_report: Reader, records, trained: Path) -> None:
    heading, *rows = read_report.table("")
    for row in rows:
        of_task = [record[row[0]] for record in records]
        statuses = Counter(each["status"] for each in of_task)
        agree = [
            bool(set(each["labels"]) & set(each["catalogued"])) for each in of_task if each["catalogued"]
        ]
        expected = {
            **{name: statuses[name] for name in heading[1:-2]},
            "agrees with the catalogue": sum(agree),
            "differs from the catalogue": len(agree) - sum(agree),
        }
        assert dict(zip(heading[1:], map(int, row[1:]), strict=True)) == expected

    heading, *rows = read_report.table("type")
    suggested = Counter(record["type"]["labels"][0] for record in records)
    with (trained / "run" / "classes.csv").open(newline="") as file:
        tested = {row["class"]: row for row in csv.DictReader(file) if row["task"] == "type"}
    assert {row[0] for row in rows} == {*suggested, *tested}
    statuses = [name for name in heading if name in ("suggested", "unsure", "outside")]
    for row in rows:
        cells = dict(zip(heading, row, strict=True))
        assert sum(int(cells[name]) for name in statuses) == suggested[row[0]]
        assert cells["training"] == tested[row[0]]["train"]
        recall = tested[row[0]]["recall"]
        assert cells["recall %"] == (f"{100 * float(recall):.1f}" if recall else "–")


def test_what_is_promised_and_how_the_model_was_made(read_report: Reader, trained: Path) -> None:
    text = read_report.root.text
    assert "are right at least 90% of the time, with 90% confidence" in text
    assert "test_resnet" in text and "all of the network was trained, from random weights" in text
    weights = (trained / "run" / "best" / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() in text
    figures = json.loads((trained / "run" / "test.json").read_text())["tasks"]["type"]
    (accuracy,) = [row for row in read_report.table("On the test split") if row[:2] == ["type", "accuracy"]]
    assert accuracy[2] == f"{100 * figures['accuracy']:.1f}"


def test_suggestions_of_another_precision_are_refused(trained: Path, tmp_path: Path, capsys) -> None:
    argv = f"--model {trained}/run --predictions {trained}/suggestions.jsonl --precision 0.99 --out {tmp_path}/r.html"
    assert run_command("report", argv.split()) == 2
    assert "--precision 0.99: the suggestions were not given for it" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_hostile_texts_are_texts(hostile: Path) -> None:
    reader = Reader(hostile)
    for element in reader.every:
        assert element.tag not in ("iframe", "object", "embed", "base", "link", "b" * 2)
        for name, value in element.attributes.items():
            assert not name.startswith("on") and name != "style"
            if name in ("src", "href"):
                assert (value or "").startswith(("#", "data:image/webp;base64,"))
    assert len([element for element in reader.every if element.tag == "script"]) == 1
    for index, card in enumerate(reader.cards):
        text = HOSTILE[index % len(HOSTILE)]
        assert card.attributes["data-number"] == text
        assert " ".join(text.split()) in card.all("h3")[0].text
        if index < 8:
            assert claims(card) == [(text, "suggested", [text, f"{text} 2"], 0.8)]
        else:
            assert not card.all("img")  # ../../../etc/passwd
    assert "49" not in reader.cards[4].text


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_the_policy_allows_what_is_in_the_page_alone(name: str, request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue(name).read_text(encoding="utf-8")
    policy = Reader(request.getfixturevalue(name)).root.all("meta", http_equiv="Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in (policy[0].attributes["content"] or "").split("; "))
    for rule, tag in (("style-src", "style"), ("script-src", "script")):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"


def test_texts_that_turn_or_colour_others_and_long_ones(tmp_path: Path) -> None:
    suggestion = {"labels": ["\u202ex\x1b[31m"], "status": "unsure", "ranked": []}
    record = {"object_number": "A" * 900, "picture": "a.jpg", "type": suggestion}
    (tmp_path / "s.jsonl").write_text(json.dumps(record) + "\n")
    argv = f"--predictions {tmp_path}/s.jsonl --out {tmp_path}/r.html"
    assert run_command("report", argv.split()) == 0
    (card,) = Reader(tmp_path / "r.html").cards
    assert claims(card)[0][2] == ["\\u202ex\\x1b[31m"]
    assert card.all("h3")[0].text == "A" * 199 + "…"


def test_pictures_that_are_missing_are_counted(tmp_path: Path, capsys) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (80, 60), "red").save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "secret.jpg").write_bytes((tmp_path / "photos" / "a.jpg").read_bytes())
    suggestion = {"labels": ["x"], "status": "unsure", "ranked": [{"label": "x", "probability": 0.5}]}
    names = ("a.jpg", "../secret.jpg", "b.jpg", "c.jpg", "")
    lines = [
        json.dumps({"object_number": str(n), "picture": name, "type": suggestion})
        for n, name in enumerate(names)
    ]
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    argv = f"--predictions {tmp_path}/s.jsonl --images {tmp_path}/photos --out {tmp_path}/r.html"
    assert run_command("report", argv.split()) == 0
    said = capsys.readouterr().out
    assert "2 cards without one: missing: no such file" in said
    assert "1 card without one: missing: no file of the folder has such a name" in said
    assert "1 card without one: no name of a picture" in said
    assert [len(card.all("img")) for card in Reader(tmp_path / "r.html").cards] == [1, 0, 0, 0, 0]


def many(tmp_path: Path, count: int) -> Path:
    suggestion = {"labels": ["x"], "status": "unsure", "ranked": [{"label": "x", "probability": 0.5}]}
    lines = (
        json.dumps({"object_number": f"A.{n}", "picture": f"{n}.jpg", "type": suggestion})
        for n in range(count)
    )
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    return tmp_path / "s.jsonl"


def test_more_than_one_file_takes(tmp_path: Path, capsys) -> None:
    path = many(tmp_path, MOST_CARDS + 1)
    assert run_command("report", ["--predictions", str(path), "--out", f"{tmp_path}/r.html"]) == 2
    assert "3,001 pictures, and one file takes up to 3,000: pass --paged" in capsys.readouterr().err
    assert run_command("report", ["--predictions", str(path), "--out", f"{tmp_path}/pages", "--paged"]) == 0
    names = sorted(file.name for file in (tmp_path / "pages").iterdir())
    assert names == ["index.html", *(f"page-000{number}.html" for number in range(1, 5)), "search.html"]
    names.remove("search.html")
    index = Reader(tmp_path / "pages" / "index.html")
    links = [link.attributes["href"] for link in index.root.all("ol", class_="pages")[0].all("a")]
    assert links == names[1:] and not index.cards
    assert index.table("") == [["task", "unsure"], ["type", "3,001"]]
    numbers = []
    for position, name in enumerate(names[1:]):
        page = Reader(tmp_path / "pages" / name)
        numbers += [card.attributes["data-number"] for card in page.cards]
        beside = {link.attributes["href"] for link in page.root.all("nav")[0].all("a")} - {
            "index.html",
            "search.html",
        }
        assert beside == {names[1:][n] for n in (position - 1, position + 1) if 0 <= n < 4}
    assert numbers == [f"A.{number}" for number in range(3001)]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--out r.html", "with --predictions or with --audit, one of them"),
        ("--predictions s.jsonl --audit a --out r.html", "with --predictions or with --audit, one of them"),
        ("--predictions s.jsonl --out r.htm", "must be a file that ends in .html"),
        (
            "--predictions s.jsonl --paged --out r.html",
            "must be a folder, without the suffix .html, with --paged",
        ),
        ("--predictions s.jsonl --out taken.html", "taken.html exists already"),
        ("--predictions s.jsonl --out no/r.html", "there is no folder no"),
        ("--predictions s.jsonl --paged --overwrite --out photos", "is not the folder of a report"),
        ("--predictions s.csv --out r.html", "must end in .parquet or .jsonl"),
        ("--audit photos --out r.html", "has no audit.parquet"),
        ("--predictions s.jsonl --images photos --shards s --out r.html", "not both"),
        ("--predictions s.jsonl --model photos --out r.html", "photos"),
    ],
)
def test_mistakes_are_sentences(tmp_path: Path, monkeypatch, capsys, flags: str, sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    many(tmp_path, 2)
    Path("taken.html").write_text("x")
    Path("photos").mkdir()
    Path("photos/a.txt").write_text("x")
    assert run_command("report", flags.split()) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert Path("photos/a.txt").exists() and Path("taken.html").read_text() == "x"


def test_a_report_is_replaced_when_asked(tmp_path: Path) -> None:
    path = many(tmp_path, 2)
    argv = ["--predictions", str(path), "--out", f"{tmp_path}/pages", "--paged"]
    assert run_command("report", argv) == 0
    assert run_command("report", argv) == 2
    assert run_command("report", [*argv, "--overwrite"]) == 0


def test_the_same_from_python(tmp_path: Path) -> None:
    path = many(tmp_path, 2)
    from arttl.reports.command import run

    run(ReportSettings(predictions=path, out=tmp_path / "r.html"))
    assert len(Reader(tmp_path / "r.html").cards) == 2
    assert MOST_CARDS == 3000


def test_the_page_of_the_documentation_names_every_flag() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    for setting in settings_of(ReportSettings).values():
        flag = setting.flag.replace("--maps", "--no-maps")
        assert re.search(rf"{flag}\b", page), flag
