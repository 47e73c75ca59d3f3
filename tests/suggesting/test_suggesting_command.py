"""`arttl predict`: the table says what the model says of each picture, and of each file that is none."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from suggested_tables import rows

from arttl.cli import run_command
from arttl.inference.predict import predict_pictures, predict_with_features
from arttl.inference.promises import FILE, Promises
from arttl.loading import open_loader, read_manifest
from arttl.models import load_model
from arttl.pictures.decoding import read_picture


@pytest.fixture
def pictures(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> Path:
    """Readable pictures of several kinds, one that is cut off, and a text."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    soft_picture(300, 200, seed=1).save(folder / "b.jpg", quality=95)
    soft_picture(90, 120, seed=2).save(folder / "a.png")
    upright = soft_picture(150, 100, seed=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "more" / "turned.jpg", quality=95, exif=exif)
    whole = (folder / "b.jpg").read_bytes()
    (folder / "=cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_row_per_picture_with_what_the_model_says(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "suggestions.csv"
    flags = ["--model", str(model), "--images", str(pictures), "--out", str(out)]
    assert run_command("predict", [*flags, "--top", "3", "--sets", "0.8", "--batch-size", "2"]) == 0
    table = rows(out)
    assert [row["picture"] for row in table] == ["'=cut.jpg", "a.png", "b.jpg", "more/turned.jpg"]
    assert table[0]["problem"].startswith("damaged: ") and table[0]["type"] == ""
    loaded = load_model(model)
    names = ["a.png", "b.jpg", "more/turned.jpg"]
    inputs = [loaded.preprocess.apply(read_picture(pictures / name)) for name in names]
    for row, expected in zip(table[1:], predict_pictures(loaded, [inputs], top=3), strict=True):
        ranked = expected["type"].ranked
        assert [row["type"], row["type_2"], row["type_3"]] == [label.label for label in ranked]
        probabilities = [row["type_probability"], row["type_2_probability"], row["type_3_probability"]]
        # A JPEG that is decoded at a reduced scale differs a little.
        np.testing.assert_allclose(
            np.array(probabilities, float), [each.probability for each in ranked], atol=0.01
        )
        assert row["material"] == "; ".join(expected["material"].names)
        assert row["type"] in row["type_set"].split("; ")
        assert row["material_status"] in ("unsure", "outside")
    printed = " ".join(capsys.readouterr().out.split())
    assert "passed over: files without the suffix of a picture (notes.txt)" in printed
    assert "type: suggestions above" in printed
    assert "material: nothing is suggested, since" in printed


def test_the_pictures_of_shards(model: Path, small_shards: Path, tmp_path: Path) -> None:
    flags = ["--model", str(model), "--shards", str(small_shards), "--split", "test", "--batch-size", "7"]
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        assert run_command("predict", [*flags, "--out", str(tmp_path / name), "--precision", "0.9"]) == 0
    manifest, loaded = read_manifest(small_shards), load_model(model)
    loader = open_loader(manifest, "test", loaded.tasks, preprocess=loaded.preprocess, shuffle=False)
    predictions, features = predict_with_features(loaded, ((batch,) for batch in loader), manifest)
    promises = Promises.load(model, loaded.tasks)
    assert promises is not None
    task = loaded.tasks["type"]
    outside = promises.is_outside(task, predictions.logits["type"], promises.distance(features))
    above = promises.threshold(task, 0.9).above
    assert above is not None
    probability = (
        torch.softmax(torch.from_numpy(predictions.logits["type"]).double(), 1).max(1).values.numpy()
    )
    expected = np.where(outside, "outside", np.where(probability > above, "suggested", "unsure")).tolist()
    table = {row["key"]: row for row in rows(tmp_path / "a.csv")}
    assert [table[key]["type_status"] for key in predictions.keys] == expected
    assert "suggested" in expected
    nested = pq.read_table(tmp_path / "a.parquet").to_pylist()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert nested == lines
    assert {row["key"]: row["type"]["labels"] for row in nested} == {
        key: [row["type"]] for key, row in table.items()
    }


def test_without_promises_nothing_is_suggested(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_model(model).save(tmp_path / "bare")
    assert not (tmp_path / "bare" / FILE).exists()
    flags = ["--model", str(tmp_path / "bare"), "--images", str(pictures), "--out", str(tmp_path / "a.csv")]
    assert run_command("predict", flags) == 0
    assert {row["type_status"] for row in rows(tmp_path / "a.csv")} == {"", "unsure"}
    assert "the model has no promises, so that nothing is suggested" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_commands_that_it_ends_with_can_be_given(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "it's a folder"
    pictures.rename(folder)
    out = folder / "suggestions.parquet"
    flags = ["--model", str(model), "--images", str(folder), "--out", str(out), "--precision", "0.5"]
    assert run_command("predict", flags) == 0
    lines = [line[11:] for line in capsys.readouterr().out.splitlines() if line[11:].startswith("arttl ")]
    commands = {words[1]: words[2:] for words in map(shlex.split, lines)}
    assert [*commands][:2] == ["review", "report"]
    assert commands["review"] == f"--predictions|{out}|--images|{folder}|--model|{model}".split("|")
    assert run_command("report", commands["report"]) == 0
    assert out.with_suffix(".html").is_file()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--out", "a.csv"], "name the pictures with --images or with --shards"),
        (["--images", ".", "--shards", ".", "--out", "a.csv"], "one of them"),
        (["--images", "none", "--out", "a.csv"], "--images none is not a folder"),
        (["--images", ".", "--out", "a.xlsx"], "--out a.xlsx must end in .csv, .parquet or .jsonl"),
        (["--images", ".", "--out", "a.csv", "--precision", "1"], "--precision must be between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_said(
    flags: list[str],
    sentence: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command("predict", ["--model", str(model), *flags]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.glob("*"))


def test_the_faster_precision_is_taken_and_said(
    model: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("arttl.inference.precision._measured", lambda *_: {"no": 1.0, "bf16": 1.5})
    flags = ["--model", str(model), "--images", str(pictures), "--mixed-precision"]
    for precision in ("auto", "bf16", "no"):
        assert run_command("predict", [*flags, precision, "--out", str(tmp_path / f"{precision}.csv")]) == 0
        said = "precision  bf16: inference in bf16 is 1.50 times as fast" in capsys.readouterr().out
        assert said == (precision == "auto")
    tables = [(tmp_path / f"{name}.csv").read_bytes() for name in ("auto", "bf16", "no")]
    assert tables[0] == tables[1] != tables[2]
