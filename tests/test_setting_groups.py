from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
import yaml

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.frozen.fuse import FuseSettings
from arttl.runs import flat_settings
from arttl.settings import (
    RECIPES,
    AtLeastOne,
    Bound,
    OutputFile,
    Removed,
    Settings,
    Share,
    find_recipe,
    read_recipe,
    settings_of,
)
from arttl.training.settings import TrainSettings

# Those of the flat settings that earlier versions had: every flag and every key of a recipe stays.
FLAGS = """shards tasks multi_label number classes backbone weights mode out overwrite resume checkpoint_every
    keep_checkpoints epochs patience batch_size accumulate optimizer learning_rate head head_learning_rate layer_decay
    weight_decay schedule clip_norm ema label_smoothing logit_adjustment mixup sampling task_weights balancing
    balancing_rate teachers teacher_share teacher_temperature inverse_l2 batchnorm frozen_batchnorm input_size fit
    filter scaling augment crop_scale color_jitter mixed_precision compile engine on_bad_sample threads maps seed
    adapt pooling"""


@dataclass(frozen=True, kw_only=True)
class Kiln(Settings):
    heat: Annotated[float, Bound("below 1300", lambda value: value < 1300)] = 900.0
    """How hot."""
    colour: Annotated[str, Removed(("lead",), "use tin")] = "tin"
    """Of the glaze."""


@dataclass(frozen=True, kw_only=True)
class Pottery(Settings):
    kiln: Kiln = field(default_factory=Kiln)
    pots: AtLeastOne | None = None
    """How many."""
    shares: tuple[str, ...] = ()
    """Whose."""
    out: Path
    """Where to,
    over two lines."""

    def check(self) -> None:
        super().check()
        if self.pots == 13 and self.kiln.heat > 1000:
            raise ArttlError("--pots 13 and --heat do not go together")


def test_settings_are_flat_whatever_group_they_are_in() -> None:
    made = Pottery.of(heat=1000.0, out=Path("x"), pots=2)
    assert made == Pottery(kiln=Kiln(heat=1000.0), pots=2, out=Path("x"))
    assert made.replace(colour="ash", pots=None) == Pottery(
        kiln=Kiln(heat=1000.0, colour="ash"), out=Path("x")
    )
    assert made.flat() == {"heat": 1000.0, "colour": "tin", "pots": 2, "shares": (), "out": Path("x")}
    assert Pottery.of(**made.flat()) == made


def test_a_name_that_is_no_setting_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match=r"Pottery has no setting 'heath' \(did you mean 'heat'\?\)"):
        Pottery.of(heath=1, out=Path("x"))
    with pytest.raises(TypeError, match="Kiln has no setting 'out'"):
        Kiln().replace(out=Path("x"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"heat": 1300.0}, "--heat must be below 1300, not 1300.0"),
        ({"pots": 0}, "--pots must be at least 1, not 0"),
        ({"pots": 13, "heat": 1200.0}, "--pots 13 and --heat do not go together"),
    ],
)
def test_constraints_hold_wherever_settings_are_made(tmp_path, changes, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        Pottery.of(out=Path("x"), **changes)
    with pytest.raises(ArttlError, match=reason):
        Pottery(out=Path("x")).replace(**changes)
    recipe = tmp_path / "r.yaml"
    recipe.write_text("out: x\n" + "".join(f"{name}: {value}\n" for name, value in changes.items()))
    with pytest.raises(ArttlError, match=reason):
        read_recipe(recipe, Pottery)


def test_the_sentence_of_a_setting_is_the_string_under_it() -> None:
    settings = settings_of(Pottery)
    assert {name: setting.text for name, setting in settings.items()} == {
        "heat": "How hot.",
        "colour": "Of the glaze.",
        "pots": "How many.",
        "shares": "Whose.",
        "out": "Where to, over two lines.",
    }


def test_recipes_keep_what_was_written(tmp_path) -> None:
    made = Pottery.of(heat=1000.0, out=Path("x"), shares=("a", "b"))
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(flat_settings(made), sort_keys=False))
    assert (tmp_path / "r.yaml").read_text().startswith("heat: 1000.0\ncolour: tin\n")  # no groups to be seen
    assert read_recipe(tmp_path / "r.yaml", Pottery) == made


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("heat: 3", "lacks the setting out"),
        ("out: x\ncolour: lead", "has colour: lead, which was removed; use tin"),
        ("out: x\nkiln: {heat: 3}", "has an unknown setting 'kiln'"),
    ],
)
def test_recipes_that_do_not_fit(tmp_path, text, reason) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ArttlError, match=reason):
        read_recipe(tmp_path / "r.yaml", Pottery)


@pytest.mark.parametrize("method", ["random", "famo", "upgrad"])
def test_balancing_that_was_removed_is_named(tmp_path, method) -> None:
    (tmp_path / "config.yaml").write_text(f"balancing: {method}\n")
    with pytest.raises(
        ArttlError, match=rf"has balancing: {method}, which was removed; use fixed .* or uncertainty"
    ):
        read_recipe(tmp_path / "config.yaml", TrainSettings)


def test_recipes_are_part_of_the_package_and_found_by_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe("paper") == find_recipe(Path("paper")) == RECIPES / "paper.yaml"
    assert find_recipe("mine.yaml") == Path("mine.yaml") and find_recipe("./mine") == Path("mine")
    paper = read_recipe("paper", TrainSettings)
    assert (paper.optimisation.optimizer, paper.model.fit, paper.data.classes) == (
        "nesterov",
        "squash",
        "all-splits",
    )
    with pytest.raises(
        ArttlError, match=r"there is no recipe 'papr' \(did you mean 'paper'\?\); arttl has .*joint"
    ):
        find_recipe("papr")


def test_training_has_the_flags_it_always_had(capsys) -> None:
    assert sorted(settings_of(TrainSettings)) == sorted(FLAGS.split())
    with pytest.raises(SystemExit):
        run_command("train", ["--help"])
    shown = capsys.readouterr().out
    for setting in settings_of(TrainSettings).values():
        assert f" {setting.flag} " in shown or f" {setting.flag}," in shown
        assert setting.text is not None and setting.text[0].isupper() and setting.text.endswith(".")
    groups = ["data", "model", "run", "optimisation", "augmentation", "multi-task", "distillation"]
    places = [shown.index(f" {name} options ") for name in groups]
    assert places == sorted(places)
    assert "How training pictures vary." in shown and "--recipe PATH" in shown
    assert "(at least 1; default: 7)" in shown and "default: None" not in shown


@pytest.fixture
def trained(monkeypatch) -> list[TrainSettings]:
    """The settings that `arttl train` came to, without the training."""
    from arttl.training import train

    seen: list[TrainSettings] = []
    monkeypatch.setattr(train, "run", seen.append)
    return seen


def test_flags_win_over_the_recipe(trained, tmp_path) -> None:
    argv = [
        "--recipe",
        "paper",
        "--shards",
        "s",
        "--epochs",
        "3",
        "--scaling",
        "weights",
        "--optimizer",
        "None",
    ]
    assert run_command("train", argv) == 0
    expected = read_recipe("paper", TrainSettings)
    assert trained == [expected.replace(shards=Path("s"), epochs=3, scaling="weights", optimizer=None)]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(flat_settings(trained[0])))
    assert run_command("train", ["--recipe", str(tmp_path / "config.yaml"), "--seed", "4"]) == 0
    assert trained[1] == trained[0].replace(seed=4)


def test_without_shards_flags_are_over_the_embedded_settings(trained) -> None:
    from arttl.training.embedded import EMBEDDED_SETTINGS

    assert run_command("train", ["--epochs", "2"]) == 0
    assert run_command("train", ["--shards", "s", "--epochs", "2"]) == 0
    assert trained == [
        EMBEDDED_SETTINGS.replace(epochs=2),
        TrainSettings.of(shards=Path("s"), epochs=2),
    ]


def test_other_commands_that_leave_a_run_take_recipes_too(monkeypatch, tmp_path) -> None:
    from arttl.frozen import fuse

    seen: list[FuseSettings] = []
    monkeypatch.setattr(fuse, "run", seen.append)
    (tmp_path / "r.yaml").write_text("features: [a, b]\nclasses: all-splits\nseeds: 5\n")
    assert run_command("fuse", ["--recipe", str(tmp_path / "r.yaml"), "--seeds", "2"]) == 0
    assert seen == [FuseSettings(features=(Path("a"), Path("b")), classes="all-splits", seeds=2)]


def test_a_value_out_of_range_is_one_sentence(capsys) -> None:
    assert run_command("train", ["--shards", "s", "--crop-scale", "1.5"]) == 2
    assert capsys.readouterr().err == "error: --crop-scale must be above 0 and at most 1, not 1.5\n"
    assert next(bound.text for bound in settings_of(TrainSettings)["crop_scale"].annotations(Bound)) == (
        Share.__metadata__[0].text
    )


def test_inherited_groups_are_sections_of_the_help(capsys) -> None:
    with pytest.raises(SystemExit):
        run_command("fuse", ["--help"])
    shown = capsys.readouterr().out
    starts = [shown.index(f" {name} options ") for name in ("task", "split", "output")]
    assert starts == sorted(starts) and "--recipe PATH" in shown
    for setting in settings_of(FuseSettings).values():
        assert setting.text is not None and setting.text[0].isupper() and setting.text.endswith(".")
        assert setting.name == "features" or f" {setting.flag} " in shown or f" {setting.flag}," in shown


@dataclass(frozen=True, kw_only=True)
class Written(Settings):
    json: OutputFile | None = None


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path) -> None:
    assert Written(json=tmp_path / "a.json").json == tmp_path / "a.json"
    (tmp_path / "link").symlink_to(tmp_path / "b.json")  # as /dev/stdout is, which a file would replace
    with pytest.raises(ArttlError, match="link is a link; name a file"):
        Written(json=tmp_path / "link")
    with pytest.raises(ArttlError, match=f"--json {tmp_path} is a folder; name a file"):
        Written(json=tmp_path)
    with pytest.raises(ArttlError, match=r"--json .*/a/b\.json: there is no folder .*/a; make it first"):
        Written(json=tmp_path / "a" / "b.json")


def test_a_file_of_ones_own_is_written_again_but_not_that_of_a_run(tmp_path) -> None:
    """`arttl evaluate --json test.json --classes-csv classes.csv`, as tutorials have it, given twice."""
    names = ("test.json", "classes.csv", "predictions.parquet")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
        assert Written(json=tmp_path / name).json == tmp_path / name
    (tmp_path / "environment.json").write_text("{}")
    for name in (*names, "environment.json"):
        with pytest.raises(ArttlError, match=f"--json .*{name} is a part of shards, features or a run"):
            Written(json=tmp_path / name)


def test_what_is_read_is_not_written(tmp_path) -> None:
    from arttl.evaluation.command import EvaluateSettings
    from arttl.suggesting.settings import PredictSettings

    manifest = tmp_path / "manifest.parquet"
    manifest.write_bytes(b"x")
    (tmp_path / "dataset.json").write_text("{}")
    given = {"model": tmp_path, "shards": tmp_path}
    with pytest.raises(ArttlError, match=r"--predictions .* is a part of shards, features or a run"):
        EvaluateSettings.of(**given, predictions=manifest)
    EvaluateSettings.of(**given, predictions=tmp_path / "test.parquet", json=tmp_path / "test.json")
    table = tmp_path / "objects.csv"
    table.write_text("a")
    with pytest.raises(ArttlError, match=r"--out .*objects\.csv is the file of --metadata; name another"):
        PredictSettings.of(
            model=tmp_path, images=tmp_path, metadata=tmp_path / "." / "objects.csv", out=table
        )
