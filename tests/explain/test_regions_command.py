"""`arttl explain regions`: the table that `arttl convert --targets` reads, and what is left out of it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arttl.cli import run_command
from arttl.explain.regions import region_on, strongest_box
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, load_model
from arttl.pictures.decoding import read_picture
from arttl.saliency import visual_backprop
from arttl.saliency.attribution import attribute
from arttl.tasks import Task, TaskSet, Vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, pictures of which one is turned by EXIF, and its suggestions for them."""
    folder = tmp_path_factory.mktemp("regions")
    torch.manual_seed(0)
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,))),
            Task("material", "multi-label", Vocabulary(("c", "d"), (1, 1), (0,))),
        ]
    )
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(folder / "model")
    (folder / "photos" / "more").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, (width, height) in {"a": (120, 80), "b": (90, 130), "more/c": (70, 70), "d": (60, 40)}.items():
        cells = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "b" else 1
        picture.save(folder / "photos" / f"{name}.jpg", quality=95, exif=exif)
    (folder / "photos" / "e.jpg").write_bytes(b"no picture")
    argv = f"--model {folder}/model --images {folder}/photos --out {folder}/suggestions.jsonl --batch-size 2"
    assert run_command("predict", argv.split()) == 0
    (folder / "targets.csv").write_text(
        "picture,target,width,height\n"
        "a.jpg,https://iiif.example/a,1200,800\n"
        "b.jpg,https://iiif.example/b,,\n"
        "more/c.jpg,https://iiif.example/c,700,900\n"
        "e.jpg,https://iiif.example/e,,\n"
    )
    return folder


def regions(folder: Path, *more: str) -> int:
    argv = f"--model {folder}/model --predictions {folder}/suggestions.jsonl --targets {folder}/targets.csv"
    return run_command("explain", ["regions", *argv.split(), "--images", f"{folder}/photos", *more])


def expected(folder: Path, name: str, size: tuple[int, int], task: str = "") -> str:
    """The region by the model's own map, as a selector has it."""
    model = load_model(folder / "model")
    rgb = read_picture(folder / "photos" / name)
    image = model.preprocess.apply(rgb)[None]
    heat = (attribute(model, image, "gradients", task) if task else visual_backprop(model, image))[0].numpy()
    box = strongest_box(heat, 0.5)
    assert box is not None
    region = region_on(size, rgb.shape[1::-1], model.preprocess, heat.shape, box)
    return f"xywh={region.x},{region.y},{region.width},{region.height}"


@pytest.mark.parametrize("method", ["visual-backprop", "gradients"])
def test_annotations_have_the_regions_of_the_maps(folder: Path, tmp_path: Path, capsys, method: str) -> None:
    if method == "gradients":
        pytest.importorskip("captum")
    out = tmp_path / "regions.csv"
    assert regions(folder, "--out", str(out), "--method", method) == 0
    said = capsys.readouterr().out
    assert "4 regions of 2 pictures" in said
    assert "1 picture without a target" in said and "1 picture whose target has other proportions" in said
    assert "1 picture could not be read when they were predicted" in said
    argv = f"--predictions {folder}/suggestions.jsonl --to web-annotation --targets {out} --out {tmp_path}/a.json"
    assert run_command("convert", [*argv.split(), "--statuses", "suggested", "unsure", "outside"]) == 0
    items = json.loads((tmp_path / "a.json").read_text())["first"]["items"]
    by_target: dict[tuple[str, str], set[str]] = {}
    for item in items:
        target = item["target"]
        source = target if isinstance(target, str) else target["source"]
        value = "" if isinstance(target, str) else target["selector"]["value"]
        by_target.setdefault((source, item["label"]), set()).add(value)
    # 90 x 130 in the file is 130 x 90 once it is upright, and without a size regions are in its pixels.
    for name, size in (("a", (1200, 800)), ("b", (130, 90))):
        for task in ("type", "material"):
            of_task = task if method == "gradients" else ""
            region = expected(folder, f"{name}.jpg", size, of_task)
            assert by_target[f"https://iiif.example/{name}", task] == {region}
    assert by_target["https://iiif.example/c", "type"] == {""}  # all of it


def test_a_task_without_region_is_counted(folder: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    from arttl.explain import regions_command

    own = regions_command.maps_of

    def zero_for_type(model, images, method, *, task, classes) -> torch.Tensor:
        return (task != "type") * own(model, images, method, task=task, classes=classes)

    monkeypatch.setattr(regions_command, "maps_of", zero_for_type)
    assert regions(folder, "--method", "gradients", "--out", str(tmp_path / "regions.csv")) == 0
    shown = capsys.readouterr().out
    assert "no region  2 pictures whose map for type is the same everywhere" in shown
    assert "2 regions of 2 pictures" in shown


def test_a_task_that_the_model_lacks_is_counted(folder: Path, tmp_path: Path, capsys) -> None:
    records = [json.loads(line) for line in (folder / "suggestions.jsonl").read_text().splitlines()]
    for record in records:
        if record.get("type"):  # of one picture that cannot be read there is none
            record["subject"] = record["type"]
    more = tmp_path / "suggestions.jsonl"
    more.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    out = tmp_path / "regions.csv"
    assert regions(folder, "--predictions", str(more), "--out", str(out)) == 0
    count = sum("subject" in record for record in records)
    assert f"no region {count} pictures whose subject --model {folder}/model does not predict" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_table_keeps_what_it_was_given(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "regions.csv"
    assert regions(folder, "--out", str(out)) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    given = [(row["picture"], row["target"], row["width"], row["height"]) for row in rows if not row["task"]]
    with (folder / "targets.csv").open(newline="") as file:
        assert given == [tuple(row.values()) for row in csv.DictReader(file)]
    assert [(row["picture"], row["task"]) for row in rows if row["task"]] == [
        (name, task) for name in ("a.jpg", "b.jpg") for task in ("type", "material")
    ]
    assert {(row["width"], row["height"]) for row in rows if row["picture"] == "b.jpg" and row["task"]} == {
        ("130", "90")
    }


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            "picture,target\nzz.jpg,https://a.example/1\n",
            "no picture has a region: .*4 pictures without a target",
        ),
        (
            "picture,target,task,region_x,region_y,region_width,region_height\na.jpg,https://a.example/1,type,0,0,2,2\n",
            "has regions already; give a table without",
        ),
    ],
)
def test_tables_that_give_no_region(folder: Path, tmp_path: Path, capsys, table: str, sentence: str) -> None:
    targets = tmp_path / "targets.csv"
    targets.write_text(table)
    assert regions(folder, "--targets", str(targets), "--out", str(tmp_path / "r.csv")) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert not (tmp_path / "r.csv").exists()


def test_pictures_of_one_object_are_not_taken_for_one_another(
    small_shards: Path, tmp_path: Path, capsys
) -> None:
    """Targets by object number say nothing of which photograph; by key from shards they do."""
    torch.manual_seed(0)
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "model")
    argv = f"--model {tmp_path}/model --shards {small_shards} --split test --out {tmp_path}/s.jsonl"
    assert run_command("predict", argv.split()) == 0
    records = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    records[1]["object_number"] = records[0]["object_number"]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    common = f"regions --model {tmp_path}/model --predictions {tmp_path}/s.jsonl --shards {small_shards}"
    for named, count in (("object_number", 1), ("picture", 3)):
        rows = [record["object_number" if named == "object_number" else "key"] for record in records[:3]]
        table = dict.fromkeys(rows, "https://a.example/1")
        (tmp_path / "t.csv").write_text(f"{named},target\n" + "".join(f"{a},{b}\n" for a, b in table.items()))
        out = tmp_path / f"{named}.csv"
        assert (
            run_command("explain", [*common.split(), "--targets", f"{tmp_path}/t.csv", "--out", str(out)])
            == 0
        )
        said = capsys.readouterr().out
        assert f"{count} region{'s' * (count > 1)} of {count} picture" in said
        assert ("2 pictures of objects with several pictures" in said) == (named == "object_number")
