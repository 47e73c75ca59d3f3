"""The model card says what is recorded, says of the rest that it is unknown, and quotes texts as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from export_cases import TASKS, small_model

from arttl.errors import ArttlError
from arttl.export.markdown import code, plain
from arttl.export.model_card import CITATION, model_card
from arttl.export.run_record import run_of
from arttl.inference.predictions import Predictions
from arttl.inference.promises import Promises
from arttl.inference.suggestions import Suggester
from arttl.models import load_model

REPOSITORY = Path(__file__).resolve().parents[2]


def card_of(run: Path) -> str:
    model = load_model(run)
    assert model.folder is not None
    return model_card(model, Promises.load(model.folder, model.tasks), run_of(model), "mine")


def rows_of(card: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    below = card.partition(f"# {heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines is not None
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[0].splitlines()][
        2:
    ]


def test_its_figures_are_those_of_the_run(run: Path, predictions: Predictions) -> None:
    card = card_of(run)
    figures = {(task, measure): cells for task, measure, *cells in rows_of(card, "Results on the test split")}
    labelled = predictions.targets["type/größe"] >= 0
    right = predictions.logits["type/größe"].argmax(1) == predictions.targets["type/größe"]
    value, interval, majority = figures["type/größe", "accuracy"]
    assert value == f"{100 * right[labelled].mean():.1f}"
    low, high = map(float, interval.split(" to "))
    assert low < float(value) < high
    assert majority == f"{100 * (predictions.targets['type/größe'][labelled] == 0).mean():.1f}"
    assert ("type/größe", "calibration error after temperature") in figures
    assert f"type/größe on {labelled.sum()} samples" in card and "(not on 12 of other classes)" in card


def test_the_table_of_classes(run: Path, predictions: Predictions) -> None:
    rows = rows_of(card_of(run), "Classes of type/größe")
    assert [row[0] for row in rows] == ["vase", "a\\|b", "\\<i\\>\\*c\\*"]
    of_class = predictions.targets["type/größe"] == 0
    assert rows[0][2:4] == ["30", str(of_class.sum())]
    recall = (predictions.logits["type/größe"][of_class].argmax(1) == 0).mean()
    assert rows[0][5] == f"{100 * recall:.2f}"


def test_long_tables_are_cut_and_say_so(run: Path, monkeypatch) -> None:
    monkeypatch.setattr("arttl.export.model_card.MOST_CLASSES", 2)
    card = card_of(run)
    assert [row[0] for row in rows_of(card, "Classes of type/größe")] == ["vase", "a\\|b"]
    assert "The 2 of 3 classes with most training samples; `classes.csv` has all." in card


def test_its_promises_are_those_of_predict(run: Path) -> None:
    card, model = card_of(run), load_model(run)
    assert model.folder is not None and model.calibration is not None
    promises = Promises.load(model.folder, model.tasks)
    sentences = list(Suggester(TASKS, model.calibration.temperatures, promises, precision=0.9).sentences())
    assert len(sentences) == 3
    for sentence in sentences:
        assert f"- {plain(sentence)}\n" in card


def test_what_is_known_of_the_data(run: Path) -> None:
    card = card_of(run)
    assert (
        "- Collection: `paintings`. Who made its pictures and labels, and under which licence: **Unknown**"
        in card
    )
    assert (
        "- Class rule: `min-count=9`, classes of the training split with so many samples over all splits."
        in card
    )
    assert "type/größe: fewer than 20 training samples in 1 of 3 classes." in card
    assert "artist: no sample in the test split of 1 class." in card
    assert "`epochs: 3`" in card and "/home/" not in card
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["pipeline_tag"] == "image-classification" and "license" not in head


def test_without_the_run_it_says_that_figures_are_unknown(run: Path) -> None:
    model = small_model()
    model.folder = run / "best"
    assert run_of(model) is not None
    for folder in (None, run):
        model.folder = folder
        assert run_of(model) is None
    card = model_card(model, None, None, "mine")
    assert card.count("**Unknown**") == 6
    assert "the model has no promises, so that nothing is suggested" in card
    assert "| accuracy |" not in card
    assert rows_of(card, "Classes of image") == [["oil", "9"], ["wood", "4"]]


def test_settings_of_epochs_are_not_those_of_a_solved_head(run: Path) -> None:
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(f"{config}mode: off-the-shelf\nbackbone: test_resnet\n")
    assert "- settings: `mode: off-the-shelf`, `backbone: test_resnet`\n" in card_of(run)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("test.json", '{"tasks": {"artist": {"n": "many"}}}', "lacks|must be"),
        ("test.json", '{"tasks": []}', "'tasks' must be an object"),
        ("classes.csv", "task,class\nx,y\n", "classes.csv cannot be read: .*train again, or give the folder"),
        ("config.yaml", "- 1\n", "does not hold the settings of a run"),
    ],
)
def test_runs_that_cannot_be_read(run: Path, name: str, text: str, sentence: str) -> None:
    (run / name).write_text(text)
    with pytest.raises(ArttlError, match=sentence):
        card_of(run)


def test_the_citation_is_that_of_the_repository() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    (paper,) = citation["references"]
    assert all(text in CITATION for text in (citation["title"], paper["title"], paper["collection-title"]))
    authors = [f"{each['family-names']}, {each['given-names']}" for each in paper["authors"]]
    assert " and ".join(authors) in CITATION and citation["authors"][0]["name"] in CITATION


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a|b", "a\\|b"),
        ("<script>", "\\<script\\>"),
        ("two\nlines  and\ttabs", "two lines and tabs"),
        ("# *no* [heading](x)", "\\# \\*no\\* \\[heading\\](x)"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_texts_are_no_markdown(text: str, quoted: str) -> None:
    assert plain(text) == quoted


def test_code_holds_any_text() -> None:
    assert code("a/b") == "`a/b`" and code("a``b`c") == "``` a``b`c ```"


def test_numbers_alone() -> None:
    """A model without classes has neither thresholds nor tables of classes."""
    model = small_model()
    model.tasks = type(TASKS)([TASKS["year made"]])
    card = model_card(model, None, None, "x" * 300)
    assert "Predicts year made of heritage objects" in card and "12 samples, 1650 on average" in card
