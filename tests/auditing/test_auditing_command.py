"""`arttl audit` on the drawn collection seen by random networks."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from arttl.auditing import out_of_fold
from arttl.auditing.command import AuditResult, audit
from arttl.auditing.settings import AuditSettings
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.frozen.store import FeatureStore, sha256_of_weights
from arttl.models import Backbone, FusedModel, Provenance, default_preprocess
from arttl.models.solver import Tolerances
from arttl.models.stages import LAST_LAYER, PooledStages
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet


def address(label: str) -> str:
    return f"http://example.org/{label.replace(' ', '-')}"


DOCS = Path(__file__).resolve().parents[2] / "docs" / "audit.md"


def settings_for(stores: list[FeatureStore], out: Path, **changes: object) -> AuditSettings:
    return AuditSettings(folders=tuple(store.directory for store in stores), out=out, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module", autouse=True)
def few_strengths() -> Iterator[None]:
    """What is tested is not how well heads are fitted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_fold, "INVERSE_L2_GRID", (0.01,))
        patch.setattr(out_of_fold, "_TOLERANCES", Tolerances(15, 1e-3, 1e-5))
        yield


@pytest.fixture(scope="module")
def both(
    few_strengths: None, two_audited_stores: list[FeatureStore], tmp_path_factory: pytest.TempPathFactory
) -> AuditResult:
    """An audit by two networks; materials are sets."""
    out = tmp_path_factory.mktemp("both") / "audit"
    (out.parent / "vocabulary.csv").write_text(
        "task,label,uri\n"
        + "".join(f"material,{label},{address(label)}\n" for label in ("wood", "oil paint"))
    )
    return audit(
        settings_for(
            two_audited_stores,
            out,
            tasks=("type", "material", "artist"),
            multi_label=("material",),
            vocabulary=out.parent / "vocabulary.csv",
        )
    )


@pytest.fixture(scope="module")
def rows(both: AuditResult) -> list[dict]:
    return pq.read_table(both.out / "audit.parquet").to_pylist()


def test_the_layout_is_the_documented_one(both: AuditResult) -> None:
    documented = [
        name
        for line in DOCS.read_text().splitlines()
        if (match := re.match(r"\| (`\w+`(?:, `\w+`)*) \|", line))
        for name in re.findall(r"`(\w+)`", match[1])
    ]
    table = pq.read_schema(both.out / "audit.parquet")
    assert sorted(documented) == sorted(table.names)
    text = DOCS.read_text()
    for name in table.names:
        kind = table.field(name).type
        inner = getattr(kind, "value_type", kind)
        for field in [inner.field(index).name for index in range(inner.num_fields)]:
            assert f"`{field}`" in text, f"{name}.{field}"


def test_rows_say_what_the_manifest_says(both: AuditResult, rows: list[dict], small_shards: Path) -> None:
    manifest = Manifest.read(small_shards)
    assert len(rows) > 20
    for row in rows:
        index = row["row"]
        assert manifest.keys[index] == row["key"] == row["photographs"][0]
        assert manifest.object_numbers[index] == row["object_number"]
        assert manifest.splits[index] == row["split"] and manifest.shards[index] == row["shard"]
        catalogued = manifest.labels(row["task"])[index]
        assert catalogued is not None and row["catalogued"] == list(catalogued)
        if row["task"] == "material":
            assert row["label"] in (None, *catalogued) and row["suggested"] not in catalogued
            assert row["label"] or row["suggested"]
        else:
            assert row["label"] == catalogued[0] != row["suggested"] is not None
    assert {row["split"] for row in rows} == {"train", "val", "test"}


def test_probabilities_contradict_the_labels(rows: list[dict]) -> None:
    for row in rows:
        shown = {each["label"]: each["probability"] for each in row["ranked"]}
        values = [each["probability"] for each in row["ranked"]]
        assert values == sorted(values, reverse=True) and len(values) <= 5
        for name in ("label", "suggested"):
            assert (row[name] is None) == (row[f"{name}_probability"] is None)
            if row[name] in shown:
                assert row[f"{name}_probability"] == pytest.approx(shown[row[name]])
        if row["kind"] == "pair":
            continue
        if row["task"] == "material":
            assert (row["label_probability"] or 0) < 0.5 and (row["suggested_probability"] or 1) > 0.5
        else:
            assert row["suggested"] == row["ranked"][0]["label"]
            assert row["label_probability"] < row["suggested_probability"]
        assert 0 <= row["score"] <= 1 and len(row["networks"]) == 2
        for opinion in row["networks"]:
            if row["task"] != "material":
                assert opinion["agrees"] == (opinion["likeliest"] == row["suggested"])


def test_rows_are_ranked_within_task_and_kind(rows: list[dict]) -> None:
    keys = [(["type", "material", "artist"].index(row["task"]), row["kind"], row["rank"]) for row in rows]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)
    for before, after in pairwise(rows):
        if before["task"] == after["task"] and before["kind"] == after["kind"]:
            assert after["rank"] == before["rank"] + 1 and after["score"] <= before["score"]
        else:
            assert after["rank"] == 1


def test_the_nearest_are_other_objects_by_brute_force(
    two_audited_stores: list[FeatureStore], rows: list[dict], small_shards: Path
) -> None:
    manifest = Manifest.read(small_shards)
    parts = [store.values("pooled").numpy() for store in two_audited_stores]
    parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    features = np.concatenate(parts, 1) / np.sqrt(2)
    for row in rows[::7]:
        assert len(row["photographs"]) == 1
        similar = features @ features[row["row"]]
        similar[[number == row["object_number"] for number in manifest.object_numbers]] = -2
        best = np.sort(similar)[::-1][:3]
        assert [each["similarity"] for each in row["nearest"]] == pytest.approx(best.tolist(), abs=1e-4)
        for each in row["nearest"]:
            place = manifest.keys.index(each["key"])
            assert each["object_number"] == manifest.object_numbers[place] != row["object_number"]
            labels = {one["task"]: tuple(one["labels"]) for one in each["catalogued"]}
            assert labels == {
                task: manifest.labels(task)[place]
                for task in manifest.task_names
                if manifest.labels(task)[place]
            }


def test_identifiers_are_those_of_the_vocabulary(rows: list[dict]) -> None:
    known = {"wood", "oil paint"}
    seen = set()
    for row in rows:
        for name in ("label", "suggested"):
            expected = row["task"] == "material" and row[name] in known
            assert row[f"{name}_uris"] == ([address(row[name])] if expected else [])
            seen.add(expected)
    assert seen == {True, False}


def test_the_table_for_people_has_the_same_rows(both: AuditResult, rows: list[dict]) -> None:
    with (both.out / "audit.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(rows)
    for cell, row in zip(cells, rows, strict=True):
        assert cell["object_number"] == row["object_number"] and int(cell["rank"]) == row["rank"]
        assert cell["label"] == (row["label"] or "") and cell["suggested"] == (row["suggested"] or "")
        assert float(cell["score"]) == pytest.approx(row["score"], abs=1e-4)
        agreeing = sum(each["agrees"] for each in row["networks"])
        assert cell["networks_that_agree"] == f"{agreeing} of {len(row['networks'])}"
        assert cell["nearest_3"] == row["nearest"][2]["object_number"]
        assert cell["suggested_uri"] == " ".join(row["suggested_uris"])


def test_the_record_counts_what_was_and_was_not_judged(
    both: AuditResult, rows: list[dict], small_shards: Path
) -> None:
    record = json.loads((both.out / "audit.json").read_text())
    manifest = Manifest.read(small_shards)
    assert (
        sum(each["count"] for each in record["rows"]) == len(rows) == sum(record["rows_of_splits"].values())
    )
    for task in ("type", "artist"):
        sizes: dict[str, set[str]] = {}
        for number, labels in zip(manifest.object_numbers, manifest.labels(task), strict=True):
            if labels:
                sizes.setdefault(labels[0], set()).add(number)
        figures = record["tasks"][task]
        small = [each["label"] for each in record["not_judged"] if each["task"] == task]
        assert figures["classes"] + len(small) == len(sizes) and figures["not_judged"] == len(small)
        assert figures["labelled"] == sum(1 for labels in manifest.labels(task) if labels)
        own = [row for row in rows if row["task"] == task and row["kind"] == "label"]
        assert figures["contradicted"] == len(own)
        assert figures["confident"] == sum(row["confident"] for row in own)
        assert 1 - figures["values"]["accuracy"] == pytest.approx(len(own) / figures["judged"])
    assert {each["network"] for each in record["features"]} == {"resnet", "efficientnet"}
    assert record["settings"]["multi_label"] == ["material"]


def test_one_seed_gives_one_audit(two_audited_stores: list[FeatureStore], tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("a", "b", "c")]
    for out, seed in zip(outs, (0, 0, 1), strict=True):
        audit(settings_for(two_audited_stores[:1], out, tasks=("type",), seed=seed))
    tables = [(out / "audit.parquet").read_bytes() for out in outs]
    assert tables[0] == tables[1] != tables[2]


def test_the_command_prints_what_it_found(
    two_audited_stores: list[FeatureStore], small_shards: Path, tmp_path: Path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "audit"
    argv = [
        str(two_audited_stores[0].directory),
        "--tasks",
        "type",
        "artist",
        "--out",
        str(out),
        "--least",
        "12",
    ]
    assert run_command("audit", argv) == 0
    shown = capsys.readouterr().out
    for word in ("type", "artist", "accuracy", "majority", "contradicted", "not judged artist", "rows in"):
        assert word in shown
    assert "…" not in shown
    assert f"next       arttl review --audit {out} --shards {small_shards}\n" in shown
    (report,) = (line.split() for line in shown.splitlines() if line.startswith("or         arttl report"))
    assert run_command("report", report[3:]) == 0 and report[-1] == f"{out}.html"
    assert Path(report[-1]).is_file()
    assert run_command("audit", argv) == 2
    assert "already holds an audit; choose another, or pass --overwrite" in capsys.readouterr().err
    assert run_command("audit", [*argv, "--overwrite"]) == 0


def test_shards_are_audited_by_way_of_their_features(small_shards: Path, tmp_path: Path) -> None:
    settings = AuditSettings(
        folders=(small_shards,),
        out=tmp_path / "audit",
        backbone="test_resnet",
        weights="none",
        input_size=32,
        threads=1,
        tasks=("type",),
    )
    first = audit(settings)
    made = FeatureStore.open(tmp_path / "audit-features")
    assert list(made.stages) == ["pooled"]
    again = audit(settings.replace(overwrite=True))  # of the features that are there
    assert [doubt.item for doubt in first.doubts] == [doubt.item for doubt in again.doubts]
    from_features = audit(AuditSettings(folders=(made.directory,), out=tmp_path / "other", tasks=("type",)))
    assert from_features.doubts == first.doubts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folders": ()}, "name folders made with arttl features, or a folder of shards"),
        ({"out": Path()}, "--out . has no name of its own; name a folder to be made"),
        ({"least": 4}, "--least must be at least 5, not 4"),
        (
            {"tasks": ("type",), "multi_label": ("material",)},
            "--multi-label names 'material', which --tasks does not",
        ),
        ({"tasks": ("typ",)}, r"have no task 'typ' \(did you mean 'type'\?\)"),
        ({"multi_label": ("colour",)}, "the shards have no task 'colour'"),
        ({"least": 1000}, "has two classes with at least 1000 objects each"),
        ({"backbone": "vgg19"}, "--backbone is for a folder of shards, and"),
        ({"model": Path("runs/mine")}, "--model is for a folder of shards, and"),
        ({"model": Path("runs/mine"), "backbone": "vgg19"}, "--backbone and --model both name a network"),
        ({"threads": 1}, "--threads is for a folder of shards, and"),
        ({"vocabulary": Path("none.csv")}, "none.csv"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    two_audited_stores: list[FeatureStore], tmp_path: Path, changes: dict, message: str
) -> None:
    given = {"folders": (two_audited_stores[0].directory,), "out": tmp_path / "audit", **changes}
    with pytest.raises(ArttlError, match=message):
        audit(AuditSettings(**given))
    assert not (tmp_path / "audit").exists()


def test_folders_that_are_something_else_are_refused(
    two_audited_stores: list[FeatureStore], small_shards: Path, tmp_path: Path
) -> None:
    features = two_audited_stores[0].directory
    with pytest.raises(ArttlError, match="is neither a folder of features nor one of shards"):
        audit(AuditSettings(folders=(tmp_path,), out=tmp_path / "audit"))
    with pytest.raises(
        ArttlError, match="is not a folder of features; name folders made with arttl features, or one"
    ):
        audit(AuditSettings(folders=(features, small_shards), out=tmp_path / "audit"))
    with pytest.raises(ArttlError, match="the shards have no task 'typ'"):
        audit(AuditSettings(folders=(small_shards,), out=tmp_path / "audit", tasks=("typ",)))
    with pytest.raises(ArttlError, match="are the same features; give one of them"):
        audit(AuditSettings(folders=(features, features), out=tmp_path / "audit"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ArttlError, match="mine is not the folder of an audit; choose another"):
        audit(AuditSettings(folders=(features,), out=tmp_path / "mine", overwrite=True))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_the_networks_of_a_fused_model_judge_together(small_shards: Path, tmp_path: Path) -> None:
    tasks = TaskSet.from_manifest(Manifest.read(small_shards), ["type"])
    backbones = [Backbone(name) for name in ("test_resnet", "test_efficientnet")]
    model = FusedModel(
        [PooledStages(backbone, {LAST_LAYER: backbone.num_features}) for backbone in backbones],
        [default_preprocess(backbone, 32) for backbone in backbones],
        tasks,
        {"type": "uniform"},
        Provenance("off-the-shelf", "test_resnet: random weights; test_efficientnet: random weights"),
    )
    model.save(tmp_path / "model")
    result = audit(
        AuditSettings(
            folders=(small_shards,),
            out=tmp_path / "audit",
            model=tmp_path / "model",
            tasks=("type",),
            threads=1,
        )
    )
    assert list(result.tasks["type"].networks) == ["resnet", "efficientnet"]
    opinions = [[opinion.network for opinion in doubt.networks] for doubt in result.doubts]
    assert opinions and all(names == ["resnet", "efficientnet"] for names in opinions)
    for index, backbone in enumerate(backbones):
        store = FeatureStore.open(tmp_path / "audit-features" / str(index))
        assert store.recipe.weights_sha256 == sha256_of_weights(backbone)
        assert store.recipe.weights == f"the network of {tmp_path / 'model'}"
