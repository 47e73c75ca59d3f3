"""The texts of `arttl visualize`: titles of columns, notes below maps, names of sheets, and refusals of --compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arttl.cli import run_command
from arttl.explain import command
from arttl.explain.command import VisualizeSettings, visualize
from arttl.explain.pictures import class_sheets
from arttl.explain.views import views_of_files
from arttl.inference.labels import LabelWithProbability, Prediction
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, load_model
from arttl.pictures.decoding import read_picture
from arttl.tasks import Task, TaskSet, Vocabulary

BLANK = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def pictures(tmp_path) -> tuple[Path]:
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(256, size=(90, 120, 3), dtype=np.uint8)).save(tmp_path / "vase.jpg")
    return (tmp_path / "vase.jpg",)


def test_a_predicted_label_is_not_set_against_itself(model, pictures, tmp_path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.append(rows) or BLANK)
    loaded = load_model(model)
    tensor = loaded.preprocess.apply(read_picture(pictures[0]))[None]
    predicted = "ab"[int(loaded(tensor)["type"].argmax())]
    for against in "ab":
        visualize(
            VisualizeSettings(
                model=model, images=pictures[:1], tasks=("type",), against=against, out=tmp_path / "maps"
            )
        )
        ((row,),) = shown
        shown.clear()
        assert ("is itself the label to compare with" in row.notes[0]) == (against == predicted)


def test_titles_name_both_of_two_long_labels(pictures, tmp_path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.append(titles) or BLANK)
    first, second = "pen and brown ink on " + "paper, " * 40, "oil on " + "canvas, " * 40
    tasks = TaskSet([Task("type", "single-label", Vocabulary((first, second), (1, 1), (0,)))])
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "model")
    settings = VisualizeSettings(
        model=tmp_path / "model", images=pictures[:1], label=first, against=second, out=tmp_path / "maps"
    )
    visualize(settings.replace(tasks=("type",)))
    ((title, _),) = shown
    assert len(title) < 130 and "for pen and brown ink" in title and "... rather than oil on canvas" in title


def test_what_a_compared_network_cannot_predict_is_named_with_its_flag(
    model, pictures, tmp_path, capsys
) -> None:
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "other")
    torch.save(load_model(model).backbone.network.state_dict(), tmp_path / "weights.pth")
    given = ["--model", str(model), "--images", str(pictures[0]), "--out", str(tmp_path / "maps")]

    def refusal(*argv: str) -> str:
        assert run_command("visualize", [*given, *argv]) == 2
        return " ".join(capsys.readouterr().err.split())

    sentence = refusal("--compare", str(tmp_path / "weights.pth"), "--method", "class-map")
    assert (
        "weights.pth: weights without heads predict no label that --method class-map could explain"
        in sentence
    )
    sentence = refusal("--compare", str(tmp_path / "other"), "--method", "class-map")
    assert "other, task material: the model" in sentence and "--tasks" not in sentence
    assert "--tasks matter" in refusal("--method", "class-map", "--tasks", "matter")


def test_maps_of_a_transformer_are_called_what_they_are(pictures, tmp_path, monkeypatch, capsys) -> None:
    torch.manual_seed(0)
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
    for name, pooling in (("patches", "patch-mean"), ("token", "class-token")):
        MultiTaskModel(Backbone("test_vit", pooling), tasks, Preprocess(size=64)).save(tmp_path / name)
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.append(titles) or BLANK)

    def titles_of(name: str, *argv: str) -> list[str]:
        given = [
            "--model",
            str(tmp_path / name),
            "--images",
            str(pictures[0]),
            "--out",
            str(tmp_path / "maps"),
        ]
        assert run_command("visualize", [*given, *argv]) == 0
        return shown.pop()

    assert titles_of("patches") == ["Untrained: type, attention-gradients"]
    assert titles_of("patches", "--method", "class-map") == ["Untrained: type, class-map of tokens"]
    assert titles_of("patches", "--tasks", "type", "--against", "b") == [
        "Untrained: type, for the predicted label rather than b, class-map of tokens"
    ]
    assert titles_of("patches", "--method", "visual-backprop") == [
        "Untrained: means of tokens, after VisualBackProp"
    ]
    assert titles_of("token") == ["Untrained: type, attention-gradients"]
    assert titles_of("token", "--tasks", "type", "--label", "a") == [
        "Untrained: type, for a, attention-gradients"
    ]
    capsys.readouterr()
    argv = ["--model", str(tmp_path / "token"), "--images", str(pictures[0]), "--out", str(tmp_path / "maps")]
    assert run_command("visualize", [*argv, "--tasks", "type", "--against", "b"]) == 2
    assert "test_vit predicts from its class token" in " ".join(capsys.readouterr().err.split())


def test_sheets_are_named_by_letters_of_any_script_and_differ_in_more_than_case(pictures, tmp_path) -> None:
    labels = ("日本", "中国", "가", "a/b", "A/B", "épreuve à l'huile")
    views = views_of_files(pictures[:1] * len(labels), [Preprocess(size=64)])
    predictions = [{"type": Prediction((LabelWithProbability(label, 1.0),), ())} for label in labels]
    sheets = class_sheets("type", views, predictions, [BLANK] * len(labels), ["label"])
    assert sorted(sheets) == sorted(
        f"sheet-{name}" for name in ("A_B", "a_b-2", "epreuve_a_l_huile", "中国", "日本", "가")
    )


def test_a_map_of_zeros_of_any_method_is_noted(model, pictures, tmp_path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.append(rows) or BLANK)
    monkeypatch.setattr(command, "maps_of", lambda network, images, *rest, **options: 0 * images[:, 0])
    visualize(VisualizeSettings(model=model, images=pictures[:1], method="grad-cam", out=tmp_path / "maps"))
    ((row,),) = shown
    assert all(note.endswith("\nthe map is zero everywhere") for note in row.notes)
    shown.clear()
    visualize(VisualizeSettings(model=model, images=pictures[:1], method="class-map", out=tmp_path / "maps"))
    ((row,),) = shown
    nothing = "\nno part of the picture by itself speaks for it"
    assert all(note.endswith(nothing) for note in row.notes)
