"""What the report says first, and the runs that its figures lead to."""

from __future__ import annotations

import json
from dataclasses import replace

from test_reproduction_claims import World, world  # noqa: F401

from arttl.experiment_report.tables import FigureText
from arttl.reproduction.cells import Collection
from arttl.reproduction.claims import examine_claims
from arttl.reproduction.experiment import plan_experiment
from arttl.reproduction.report import report_contents
from arttl.reproduction.results import Results
from arttl.reproduction.run_lines import run_lines, settings_table
from arttl.reproduction.summary import main_figures, missing_figures, pairs_table

SHARES = {
    "off-the-shelf imagenet": 0.5,
    "fine-tune imagenet": 0.7,
    "off-the-shelf rijks": 0.62,
    "fine-tune rijks": 0.65,
    "joint imagenet": 0.71,
}


def with_collections(world: World) -> Results:  # noqa: F811
    names = ("rijks", "antwerp")
    collections = {name: Collection(name, {"type": 4, "artist": 4}) for name in names}
    return Results(replace(world.results.plan, collections=collections))


def test_the_highest_of_each_mode_with_its_network_and_weights(world: World) -> None:  # noqa: F811
    world.write(SHARES)
    results = with_collections(world)
    better = next(
        cell
        for cell in results.cells(collection="rijks", task="artist", mode="fine-tune")
        if cell.backbone == "resnet50"
    )
    file = results.folder(better) / "test.json"
    file.write_text(
        json.dumps(
            {"tasks": {"artist": {**json.loads(file.read_text())["tasks"]["artist"], "accuracy": 0.8}}}
        )
    )
    table = main_figures(results)
    assert [row[:4] for row in table.rows] == [
        (name, task, "200", "4") for name in ("rijks", "antwerp") for task in ("type", "artist")
    ]
    assert [row[4:] for row in table.rows] == [
        ("50.0 (vgg19)", "70.0 (vgg19)", "71.0 (vgg19)", "30.0"),
        ("50.0 (vgg19)", "80.0 (resnet50)", "71.0 (vgg19)", "30.0"),
        *[("62.0 (vgg19, from rijks)", "70.0 (vgg19)", "71.0 (vgg19)", "30.0")] * 2,
    ]
    figure = table.rows[1][5]
    assert isinstance(figure, FigureText) and figure.run == better.run


def test_missing_figures_are_counted_by_their_reason(world: World) -> None:  # noqa: F811
    # 2 networks and 2 tasks: 4 figures of each mode and weights; from scratch 2, those of classes in common none.
    assert missing_figures(world.results) == [("not run yet", 4 * 8 + 2)]
    world.write({"fine-tune imagenet": 0.7})
    failed = world.matrix.runs[0]
    assert failed.mode == "off-the-shelf" and failed.collection == "rijks"
    folder = world.results.plan.experiment.folder(failed)
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text('{"error": "the disk is full"}')
    assert missing_figures(Results(world.results.plan)) == [("not run yet", 4 * 8 + 2 - 8 - 2), ("failed", 2)]


def test_every_pair_of_a_claim_is_in_the_table(world: World) -> None:  # noqa: F811
    world.write(SHARES)
    claims = examine_claims(world.results, "rijks")
    table = pairs_table(claims)
    assert [row[0] for row in table.rows] == [
        str(number) for number, claim in enumerate(claims, start=1) for _ in claim.pairs
    ]
    transferred = [row for row in table.rows if row[3] == "vgg19, fine-tune, from rijks" and row[0] == "4"]
    assert len(transferred) == 2
    for row in transferred:
        assert row[1] == "antwerp" and row[4] == "vgg19, fine-tune"
        assert row[6:8] == ("65.0", "70.0") and row[8].startswith("-5.0 (")
        assert isinstance(row[6], FigureText) and "fine-tune-from-rijks" in row[6].run
        assert isinstance(row[7], FigureText) and "fine-tune-from-imagenet" in row[7].run
    beyond = [row[5] for row in table.rows if row[0] == "1"]
    ahead = sum(pair.beyond_chance for pair in claims[0].pairs)
    assert (beyond.count("for the claim"), beyond.count("against it")) == (ahead, 0)
    assert {row[5] for row in transferred} == {"against it"}


def test_every_run_of_the_plan_is_listed_with_its_state(world: World) -> None:  # noqa: F811
    plan = replace(
        world.results.plan,
        experiment=replace(
            world.results.plan.experiment, first_weights={"vgg19": "/secret/vgg.pth", "resnet50": "imagenet"}
        ),
    )
    done = world.matrix.runs[1]
    (world.results.plan.experiment.folder(done)).mkdir(parents=True)
    (world.results.plan.experiment.folder(done) / "test.json").write_text("{}")
    lines = run_lines(plan)
    assert [line.name for line in lines] == [run.name for run in world.matrix.runs]
    assert [line.name for line in lines if line.state == "done"] == [done.name]
    assert all((plan.experiment.out / line.folder) == plan.experiment.folder(line.name) for line in lines)
    weights = {line.weights for line in lines}
    donors = {run.donor for run in world.matrix.runs if run.donor}
    assert weights == {"none", "imagenet", "vgg.pth", *donors}  # no folders of this machine


def test_settings_are_those_of_each_mode(settings) -> None:
    plan = plan_experiment(settings)
    table = settings_table(plan)
    assert table.columns == ("setting", "off-the-shelf", "fine-tune", "scratch", "joint")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["learning_rate"] == ("", "0.001", "0.001", "0.001")  # of the fixture's recipe
    assert rows["input_size"] == ("32",) * 4 and rows["classes"] == ("train",) * 4
    assert not {"out", "backbone", "weights", "shards", "tasks", "seed", "mode"} & set(rows)
    contents = report_contents(Results(plan), [], [], [])
    assert contents.summary.rows == [] and contents.plots == [] and contents.failed == []
    assert contents.how[0] == "test_resnet on shards (type, material) and shards-target (type, artist)."
