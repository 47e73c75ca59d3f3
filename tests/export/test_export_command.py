"""`arttl export` from the command line: what it prints, and one sentence for each mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from export_cases import need_onnx

from arttl.cli import run_command
from arttl.models import load_model


def export(*argv: object) -> int:
    return run_command("export", [str(word) for word in argv])


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed to standard error: one line, no traceback."""
    shown = capsys.readouterr().err.strip()
    assert shown.startswith("error: ") and "\n" not in shown
    return shown


@pytest.fixture
def pictures(tmp_path: Path, soft_picture) -> Path:
    """Two pictures of different shapes, one that is cut off, and a text."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    soft_picture(90, 60, seed=1).save(folder / "a.png")
    soft_picture(300, 400, seed=2).save(folder / "more" / "b.jpg", quality=95)
    data = (folder / "more" / "b.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_onnx_says_what_the_file_holds(run: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    need_onnx()
    assert export("--model", run, "--to", "onnx", "--out", tmp_path / "m.onnx", "--pictures", pictures) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert lines["input"].startswith(
        "image_: [batch, 3, 32, 32] float32, RGB between 0 and 1 (decode | resize"
    )
    assert lines["output"].endswith("artist: [batch, 2] float32, probabilities, not calibrated")
    assert lines["opset"].isdecimal()
    assert lines["compared"].startswith(
        f"2 pictures of {pictures}, 1 more cannot be read: largest difference "
    )
    assert lines["file"] == str(tmp_path / "m.onnx") and "docs/export.md" in lines["next"]


def test_a_program_replaces_an_earlier_one(run: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "m.pt2").write_text("an earlier one")
    assert export("--model", run, "--to", "torch", "--out", tmp_path / "m.pt2") == 0
    assert (tmp_path / "m.pt2").stat().st_size > 10_000
    shown = capsys.readouterr().out
    assert "year made: [batch] float32, the number in its own unit\n" in shown
    assert "compared   8 drawn pictures: largest difference" in shown


@pytest.mark.parametrize("whole", [True, False])
def test_a_folder_for_the_hub(whole: bool, run: Path, tmp_path: Path, capsys) -> None:
    if not whole:
        (run / "test.json").unlink()
    assert export("--model", run, "--to", "huggingface", "--out", tmp_path / "new" / "hub") == 0
    shown = capsys.readouterr().out
    assert ("without figures: the run that made the model is not at hand" in shown) is not whole
    assert f"hf upload OWNER/NAME {tmp_path / 'new' / 'hub'}" in shown
    assert load_model(tmp_path / "new" / "hub").tasks == load_model(run).tasks
    assert export("--model", tmp_path / "new" / "hub", "--to", "huggingface", "--out", tmp_path / "copy") == 0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--to onnx --out m.pt2", "--out m.pt2 has another suffix than --to onnx, which writes .onnx"),
        ("--to torch --out m", "--out m has another suffix than --to torch, which writes .pt2"),
        ("--to torch --out nowhere/m.pt2", "there is no folder nowhere; make it first"),
        ("--to huggingface --out photos", "--out photos exists already: name a folder to be made"),
        ("--to torch --out m.pt2 --pictures nowhere", "--pictures nowhere is not a folder"),
        ("--to torch --out m.pt2 --pictures model", "--pictures model holds no pictures"),
        ("--to torch --out m.pt2 --pictures broken", "holds no picture that can be read: cut.jpg is damaged"),
        ("--to torch --out m.pt2 --model photos", "photos holds no model: expected model.json"),
        ("--to torch --out m.pt2 --model hf://here", "hf://here is not the address of a model"),
    ],
)
def test_mistakes(argv: str, words: str, model, pictures: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").mkdir()
    (pictures / "cut.jpg").rename(tmp_path / "broken" / "cut.jpg")
    before = sorted(tmp_path.rglob("*"))
    given = argv.split()
    assert export(*([] if "--model" in given else ["--model", "model"]), *given) == 2
    assert words in sentence(capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_without_a_package(package: str, model, tmp_path: Path, monkeypatch, capsys) -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, sys)
    monkeypatch.setitem(sys.modules, package, None)
    assert export("--model", tmp_path / "model", "--to", "onnx", "--out", tmp_path / "m.onnx") == 2
    assert f'--to onnx needs the package {package}: pip install "arttl[export]"' in sentence(capsys)
