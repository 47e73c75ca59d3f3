from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arttl import class_maps, visual_backprop
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.explain import command
from arttl.explain.command import VisualizeSettings, visualize
from arttl.explain.overlay import contour, overlay
from arttl.explain.views import views_of_files, views_of_shards
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel, load_fused, load_model
from arttl.models.stages import PooledStages, stage_widths
from arttl.pictures.decoding import read_picture
from arttl.saliency.attribution import attribute
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskSet, Vocabulary

BLANK = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def pictures(tmp_path) -> tuple[Path, Path]:
    """Two files of one name in two folders, one of them a PNG with alpha."""
    random = np.random.default_rng(0)
    paths = (tmp_path / "a" / "vase.jpg", tmp_path / "b" / "vase.png")
    for path, channels in zip(paths, (3, 4), strict=True):
        path.parent.mkdir()
        Image.fromarray(random.integers(256, size=(90, 120, channels), dtype=np.uint8)).save(path)
    return paths


def test_overlays_of_files_do_not_overwrite_each_other(model, pictures, tmp_path) -> None:
    out = tmp_path / "maps"
    argv = ["--model", str(model), "--images", *map(str, pictures), "--out", str(out)]
    argv += ["--method", "visual-backprop"]
    assert run_command("visualize", argv) == 0
    assert sorted(path.name for path in out.iterdir()) == ["panel.png", "vase-2.png", "vase.png"]


def test_names_that_differ_in_case_alone_do_not_meet_where_file_systems_do_not_tell_them_apart(
    pictures,
) -> None:
    capital = pictures[0].with_name("Vase.jpg")
    capital.write_bytes(pictures[0].read_bytes())
    names = [view.name for view in views_of_files([pictures[0], capital], [Preprocess(size=64)])]
    assert names == ["vase", "Vase-2"]


def test_names_that_meet_do_not_overwrite_each_other(pictures, tmp_path) -> None:
    tasks = TaskSet(
        [
            Task(name, "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))
            for name in ("material", "of-material")
        ]
    )
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "model")
    images = (pictures[0].with_name("vase.jpg"), pictures[0].with_name("vase-of.jpg"))
    images[1].write_bytes(images[0].read_bytes())
    settings = VisualizeSettings(model=tmp_path / "model", images=images, out=tmp_path / "maps")
    written = visualize(settings)
    assert len(set(written)) == len(written) == 2 * 2 + 1
    assert "vase-of-material-2.png" in {path.name for path in written}


def test_the_overlay_is_the_models_own_map(model, pictures, tmp_path) -> None:
    import arttl

    settings = VisualizeSettings(model=model, images=pictures[:1], method="visual-backprop", out=tmp_path)
    visualize(settings)
    loaded = arttl.load_model(model)
    tensor = loaded.preprocess.apply(read_picture(pictures[0]))
    heat = visual_backprop(loaded, tensor[None])[0].numpy()
    expected = overlay(loaded.preprocess.denormalise(tensor[None])[0], heat)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "vase.png")), expected)


@pytest.fixture
def fused(tmp_path) -> Path:
    torch.manual_seed(0)
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
    sizes = {"test_resnet": 64, "test_efficientnet": 96}
    networks = [Backbone(name) for name in sizes]
    stages = [
        PooledStages(one, stage_widths(one, size)) for one, size in zip(networks, sizes.values(), strict=True)
    ]
    model = FusedModel(stages, [Preprocess(size=size) for size in sizes.values()], tasks, {"type": "gates"})
    for head in model.heads:
        torch.nn.init.normal_(head.weight)
    model.save(tmp_path / "fused")
    return tmp_path / "fused"


def test_the_networks_of_a_fused_model_side_by_side(fused, pictures, tmp_path, monkeypatch) -> None:
    """A column a network, each with its own map at its own size; the answer is that of all."""
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.append((rows, titles)) or BLANK)
    visualize(VisualizeSettings(model=fused, images=pictures[:1], out=tmp_path / "maps"))
    ((rows, titles),) = shown
    assert titles == ["test_resnet", "test_efficientnet"]
    loaded = load_fused(fused)
    images = [one.apply(read_picture(pictures[0]))[None] for one in loaded.preprocesses]
    for network, tensor, drawn in zip(loaded.backbones, images, rows[0].maps, strict=True):
        heat = visual_backprop(network.backbone, tensor)[0].numpy()
        size = tensor.shape[2]
        assert drawn.shape == (size, size, 3)
        assert np.array_equal(drawn, overlay(Preprocess(size=size).denormalise(tensor)[0], heat))
    with torch.inference_mode():
        probability, best = loaded(*images)["type"].softmax(1)[0].max(0)
    assert rows[0].notes == ["", f"type: {'ab'[int(best)]} {100 * float(probability):.1f}%"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--compare", "imagenet"], "leave --compare out"),
        (["--method", "gradients"], "leave --method out"),
    ],
)
def test_what_a_fused_model_cannot_show_is_said(fused, pictures, capsys, flags, said) -> None:
    assert run_command("visualize", ["--model", str(fused), "--images", str(pictures[0]), *flags]) == 2
    assert (
        f"is a fused model, whose networks are shown side by side by VisualBackProp or class maps: {said}"
        in " ".join(capsys.readouterr().err.split())
    )


def test_the_taps_of_every_network_of_a_fused_model_are_printed(fused, capsys) -> None:
    assert run_command("visualize", ["--model", str(fused), "--taps"]) == 0
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("tap")]) == 2


def test_samples_of_shards_and_two_models_side_by_side(model, small_shards, tmp_path) -> None:
    settings = VisualizeSettings(
        model=model, shards=small_shards, count=10, compare="none", out=tmp_path / "two"
    )
    written = visualize(settings)
    manifest = Manifest.read(small_shards)
    test = {manifest.keys[row] for row in manifest.rows("test")}
    assert len(written) == 11 and {path.stem for path in written[:-1]} <= test
    two = Image.open(written[-1])
    one = VisualizeSettings(
        model=model, shards=small_shards, count=10, method="visual-backprop", out=tmp_path / "one"
    )
    visualize(one)
    assert two.width > Image.open(tmp_path / "one" / "panel.png").width


@pytest.mark.parametrize("content", [b"", b"<html>not a picture</html>", b"\xff\xd8\xff\xe0broken"])
def test_a_file_that_is_no_picture_is_named(model, tmp_path, content: bytes) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(ArttlError, match=r"x\.jpg cannot be used"):
        visualize(VisualizeSettings(model=model, images=(tmp_path / "x.jpg",), out=tmp_path / "maps"))
    assert not (tmp_path / "maps").exists()


def test_only_objects_of_a_pattern(model, small_shards, tmp_path) -> None:
    manifest = Manifest.read(small_shards)
    numbers = [manifest.object_numbers[row] for row in manifest.rows("test").tolist()]
    pattern = f"*{numbers[2][-1]}"
    fitting = [number for number in numbers if number.endswith(numbers[2][-1])]
    views = views_of_shards(small_shards, "test", 3, [load_model(model).preprocess], objects=pattern)
    assert [view.catalogued.partition(";")[0] for view in views] == fitting[:3]
    with pytest.raises(ArttlError, match="--objects nothing: no object number of test"):
        visualize(VisualizeSettings(model=model, shards=small_shards, objects="nothing", out=tmp_path))


def test_files_or_shards_but_not_both(model, small_shards) -> None:
    with pytest.raises(ArttlError, match="one of the two"):
        VisualizeSettings(model=model)
    with pytest.raises(ArttlError, match="one of the two"):
        VisualizeSettings(model=model, images=(Path("a.jpg"),), shards=small_shards)


def test_a_folder_in_place_of_pictures_is_refused_before_the_model_is_read(tmp_path) -> None:
    with pytest.raises(ArttlError, match=f"--images {tmp_path} is a folder: name its pictures, such as"):
        VisualizeSettings(model=tmp_path / "none", images=(tmp_path / "a.jpg", tmp_path))


def test_a_method_that_explains_tasks_makes_a_picture_a_task(model, pictures, tmp_path) -> None:
    pytest.importorskip("captum", reason="captum is not installed")
    import arttl

    settings = VisualizeSettings(
        model=model, images=pictures[:1], method="grad-cam", style="contour", out=tmp_path / "maps"
    )
    assert [path.name for path in visualize(settings)] == ["vase-type.png", "vase-material.png", "panel.png"]
    loaded = arttl.load_model(model)
    tensor = loaded.preprocess.apply(read_picture(pictures[0]))[None]
    heat = attribute(loaded, tensor, "grad-cam", "material")[0].numpy()
    expected = contour(loaded.preprocess.denormalise(tensor)[0], heat)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "maps" / "vase-material.png")), expected)


def test_the_usual_map_is_what_speaks_for_each_tasks_label(model, pictures, tmp_path) -> None:
    settings = VisualizeSettings(model=model, images=pictures[:1], out=tmp_path / "maps")
    assert [path.name for path in visualize(settings)] == ["vase-type.png", "vase-material.png", "panel.png"]
    loaded = load_model(model)
    tensor = loaded.preprocess.apply(read_picture(pictures[0]))[None]
    heat = class_maps(loaded, tensor, "material")[0].numpy()
    expected = overlay(loaded.preprocess.denormalise(tensor)[0], heat)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "maps" / "vase-material.png")), expected)


def test_one_label_rather_than_another_and_the_reverse(model, pictures, tmp_path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(
        command, "panel", lambda rows, titles, **rest: shown.append((rows, titles, rest)) or BLANK
    )
    settings = VisualizeSettings(
        model=model, images=pictures[:1], tasks=("type",), label="a", against="b", out=tmp_path / "maps"
    )
    names = [path.name for path in visualize(settings)]
    assert names == ["vase-type.png", "vase-type-reverse.png", "panel.png"]
    ((rows, titles, rest),) = shown
    assert titles == ["Untrained: type, for a rather than b", "Untrained: type, for b rather than a"]
    assert rest["legends"] == ["label"]
    loaded = load_model(model)
    tensor = loaded.preprocess.apply(read_picture(pictures[0]))[None]
    for drawn, note, (label, against) in zip(rows[0].maps, rows[0].notes, ("ab", "ba"), strict=True):
        heat = class_maps(loaded, tensor, "type", label, against)[0].numpy()
        assert np.array_equal(drawn, overlay(loaded.preprocess.denormalise(tensor)[0], heat))
        nothing = f"no part of the picture speaks for {label} rather than for {against}"
        assert heat.any() == (nothing not in note)


def test_a_network_without_class_maps_shows_its_trunk_and_says_so(pictures, tmp_path, capsys) -> None:
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64), head="mlp").save(tmp_path / "mlp")
    argv = ["--model", str(tmp_path / "mlp"), "--images", str(pictures[0]), "--out", str(tmp_path / "maps")]
    assert run_command("visualize", argv) == 0
    assert "visual-backprop, the same for every task: class maps need linear heads" in capsys.readouterr().out
    assert run_command("visualize", [*argv, "--tasks", "type"]) == 2
    assert "class maps need linear heads" in capsys.readouterr().err


def test_class_maps_of_a_fused_model(fused, pictures, tmp_path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.append((rows, titles)) or BLANK)
    visualize(VisualizeSettings(model=fused, images=pictures[:1], method="class-map", out=tmp_path / "maps"))
    ((rows, titles),) = shown
    assert titles == ["test_resnet: type, class-map", "test_efficientnet: type, class-map"]
    loaded = load_fused(fused)
    images = [one.apply(read_picture(pictures[0]))[None] for one in loaded.preprocesses]
    for drawn, preprocess, image, (heat,) in zip(
        rows[0].maps, loaded.preprocesses, images, class_maps(loaded, images, "type"), strict=True
    ):
        assert np.array_equal(drawn, overlay(preprocess.denormalise(image)[0], heat.numpy()))


def test_contact_sheets_hold_the_catalogues_classes_and_are_pdf_too(model, small_shards, tmp_path) -> None:
    settings = VisualizeSettings(
        model=model, shards=small_shards, split="train", count=8, sheets="type", pdf=True, out=tmp_path
    )
    written = {path.name for path in visualize(settings)}
    manifest = Manifest.read(small_shards)
    of_type = manifest.labels("type")
    classes = {of_type[row][0] for row in manifest.rows("train")[:8] if of_type[row]}
    assert {f"sheet-{name}.{kind}" for name in classes for kind in ("png", "pdf")} <= written
    assert {"panel.pdf", "panel.png"} <= written and not list(tmp_path.glob(".*"))
    assert all((tmp_path / name).read_bytes()[:5] == b"%PDF-" for name in written if name.endswith("pdf"))
    assert not any(b"Date" in (tmp_path / name).read_bytes() for name in written if name.endswith("pdf"))


def test_the_taps_are_printed(model, tmp_path, capsys) -> None:
    assert run_command("visualize", ["--model", str(model), "--taps", "--out", str(tmp_path / "maps")]) == 0
    shown = capsys.readouterr().out
    assert "step back through" in shown and "layer4.0" in shown
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"method": "visual-backprop", "tasks": ("type",)}, "--tasks with .* the same for every task"),
        ({"method": "visual-backprop", "label": "a"}, "--label with .* the same for every task"),
        ({"mode": "sabatelli", "tasks": ("type",)}, "--tasks with --mode sabatelli"),
        ({"label": "a"}, "--label a is a label of one task: name it with --tasks, one of type, material"),
        ({"label": "x", "tasks": ("type",)}, "type has no class 'x'; it has 2: a, b"),
        ({"label": "a", "against": "a", "tasks": ("type",)}, "--label and --against are both 'a'"),
        ({"method": "gradients", "against": "a", "tasks": ("type",)}, "--against is for --method class-map"),
        ({"method": "grad-cam", "mode": "sabatelli"}, "--mode sabatelli is a mode of"),
        ({"method": "grad-cam", "tasks": ("typ",)}, r"--tasks typ: .*did you mean 'type'"),
        ({"sheets": "kind"}, "--sheets kind: .* predicts type, material"),
        (
            {"method": "gradients", "compare": "none"},
            "--compare none: weights without heads predict no label that --method gradients",
        ),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(model, pictures, tmp_path, wrong, sentence) -> None:
    with pytest.raises(ArttlError, match=sentence):
        visualize(VisualizeSettings(model=model, images=pictures, out=tmp_path / "maps", **wrong))


def test_pictures_keep_the_detail_of_large_files_and_the_view_of_the_model(model, tmp_path) -> None:
    import arttl

    ramp = np.linspace(0, 255, 600)
    picture = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :500], 128.0), axis=2).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "large.png")
    view = views_of_files([tmp_path / "large.png"], [arttl.load_model(model).preprocess])[0]
    assert view.pictures[0].shape == (256, 256, 3)  # four times the network's 64, and not the file's 437
    seen = Preprocess(size=64).denormalise(view.tensors[0][None])[0].astype(int)
    shrunk = view.pictures[0].reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert abs(shrunk - seen).max() < 3  # the ramps rise three levels per pixel
    images = (tmp_path / "large.png",)
    visualize(VisualizeSettings(model=model, images=images, method="visual-backprop", out=tmp_path / "maps"))
    assert Image.open(tmp_path / "maps" / "large.png").size == (256, 256)
