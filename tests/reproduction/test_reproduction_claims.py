from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from arttl.inference.predictions import Predictions
from arttl.reproduction.cells import Collection, Matrix, build_matrix, build_matrix_of_networks
from arttl.reproduction.claims import Claim, examine_claims, examine_claims_of_networks, holm
from arttl.reproduction.experiment import Plan
from arttl.reproduction.results import ACCURACY, Results
from arttl.reproduction.running import Experiment
from arttl.reproduction.settings import ReproduceSettings
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.settings import TrainSettings

SAMPLES = 200
CLASSES = tuple("abcd")
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(4, size=SAMPLES)


@dataclass
class World:
    """An experiment whose runs are written down and not trained: each cell is right on a given share of samples."""

    folder: Path
    matrix: Matrix
    settings: ReproduceSettings = field(default_factory=ReproduceSettings)
    results: Results = field(init=False)

    def __post_init__(self) -> None:
        experiment = Experiment(self.folder, {}, {}, TrainSettings(), {})
        self.results = Results(Plan(self.settings, experiment, self.matrix, {}, {}, {}))

    def write(self, share: dict[str, float]) -> None:
        """`share` by mode and weights, such as `fine-tune imagenet`; a run of several tasks gets them all alike."""
        for cell in self.matrix.cells:
            rate = share.get(f"{cell.mode} {cell.weights}")
            if rate is None or cell.run is None:
                continue
            run = self.matrix.run(cell.run)
            folder = self.results.plan.experiment.folder(run)
            folder.mkdir(parents=True, exist_ok=True)
            right = np.arange(SAMPLES) < rate * SAMPLES
            predicted = np.where(right, TRUTH, (TRUTH + 1) % 4)
            tasks = TaskSet(
                [Task(name, "single-label", Vocabulary(CLASSES, (9, 3, 2, 1), (0,))) for name in run.tasks]
            )
            Predictions(
                tasks,
                np.arange(SAMPLES),
                [f"k{row}" for row in range(SAMPLES)],
                [f"n{row}" for row in range(SAMPLES)],
                {name: [(CLASSES[label],) for label in TRUTH] for name in run.tasks},
                {name: np.eye(4, dtype=np.float32)[predicted] for name in run.tasks},
                {},
            ).write(folder / "predictions.parquet")
            metrics = {
                "accuracy": rate,
                "balanced_accuracy": rate / 2,
                "majority": 0.3,
                "n": SAMPLES,
                "classes": 4,
                "intervals": {"accuracy": [rate - 0.05, rate + 0.05]},
            }
            (folder / "test.json").write_text(json.dumps({"tasks": dict.fromkeys(run.tasks, metrics)}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    matrix = build_matrix(
        Collection("rijks", {"type": 4, "artist": 4}),
        [Collection("antwerp", {"type": 4, "artist": 4})],
        ("vgg19", "resnet50"),
        scratch="vgg19",
        missing_weights={},
        pairs={},
        seeds=(0,),
    )
    return World(tmp_path, matrix)


def verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


def test_nothing_is_said_of_what_was_not_run(world) -> None:
    assert set(verdicts(examine_claims(world.results, "rijks"))) == {"not tested"}


def test_the_papers_world(world) -> None:
    world.write(
        {
            "off-the-shelf imagenet": 0.5,
            "fine-tune imagenet": 0.7,
            "off-the-shelf rijks": 0.62,
            "fine-tune rijks": 0.8,
            "scratch none": 0.4,
            "joint imagenet": 0.71,
        }
    )
    claims = examine_claims(world.results, "rijks")
    # Artists are above the majority of 0.3 here, unlike in the paper; the joint model is ahead by a hair.
    assert verdicts(claims) == ["held", "did not hold", "held", "held", "held", "not decided"]
    tuning = claims[0]
    # 2 networks x 2 tasks on the source, and with either weights on the target.
    assert len(tuning.pairs) == 12 and tuning.note == "Ahead in 12 of 12 pairs, in 12 beyond chance."
    assert all(
        pair.expected.mode == "fine-tune" and pair.other.mode == "off-the-shelf" for pair in tuning.pairs
    )
    assert all(pair.expected.weights == pair.other.weights for pair in tuning.pairs)
    assert all(pair.comparison.difference.value == pytest.approx(0.2, abs=0.03) for pair in tuning.pairs)


def test_a_world_turned_round(world) -> None:
    world.write(
        {
            "off-the-shelf imagenet": 0.29,
            "fine-tune imagenet": 0.2,
            "off-the-shelf rijks": 0.1,
            "fine-tune rijks": 0.205,
            "scratch none": 0.9,
        }
    )
    claims = examine_claims(world.results, "rijks")
    assert verdicts(claims)[:5] == ["did not hold", "held", "did not hold", "not decided", "did not hold"]
    assert "behind beyond chance" in claims[0].note


NETWORKS = ("vgg19", "convnext_base.fb_in1k", "beit_base_patch16_224", "swin_base_patch4_window7_224")


@pytest.mark.parametrize(("frozen", "verdict"), [(0.9, "held"), (0.6, "did not hold"), (0.7, "not decided")])
def test_claims_of_networks(tmp_path, frozen: float, verdict: str) -> None:
    """Swin and ConvNeXt are the best of their kinds in the published table, off-the-shelf, on each of its tasks."""
    matrix = build_matrix_of_networks(
        [Collection(task, {task: 4}) for task in ("type", "artist")],
        NETWORKS,
        missing_weights={},
        seeds=(0, 1),
    )
    settings = ReproduceSettings(protocol="tonkes2022", backbones=NETWORKS)
    world = World(tmp_path, matrix, settings)
    world.write({"off-the-shelf imagenet": 0.7, "fine-tune imagenet": 0.95})
    swin = [cell for cell in matrix.cells if cell.backbone == NETWORKS[3] and cell.mode == "off-the-shelf"]
    World(tmp_path, replace(matrix, cells=tuple(swin)), settings).write({"off-the-shelf imagenet": frozen})
    first, second = examine_claims_of_networks(world.results)
    assert f"{NETWORKS[3]} beats {NETWORKS[1]}" in first.text
    assert (first.verdict, len(first.pairs)) == (verdict, 2)
    assert (second.verdict, len(second.pairs)) == ("held", 2 * len(NETWORKS))


def test_without_the_publications_networks_there_is_nothing_to_compare(tmp_path) -> None:
    matrix = build_matrix_of_networks(
        [Collection("type", {"type": 4})], ("resnet18",), missing_weights={}, seeds=(0,)
    )
    settings = ReproduceSettings(protocol="tonkes2022", backbones=("resnet18",))
    world = World(tmp_path, matrix, settings)
    world.write({"off-the-shelf imagenet": 0.7, "fine-tune imagenet": 0.95})
    assert verdicts(examine_claims_of_networks(world.results)) == ["not tested", "held"]


def test_results_are_means_over_seeds_with_their_range(tmp_path) -> None:
    matrix = build_matrix(
        Collection("rijks", {"type": 4}), [Collection("antwerp", {"type": 4})], ("vgg19",),
        scratch="vgg19", missing_weights={}, pairs={}, seeds=(0, 1, 2),
    )  # fmt: skip
    world = World(tmp_path, matrix)
    cells = world.results.cells(part="source", mode="fine-tune")
    assert world.results.result(cells) == "not run yet"
    world.write({"fine-tune imagenet": 0.5})
    for cell, accuracy in zip(cells, (0.5, 0.6, 0.8), strict=True):
        file = world.results.folder(cell) / "test.json"
        written = json.loads(file.read_text())
        written["tasks"]["type"] |= {
            "accuracy": accuracy,
            "intervals": {"accuracy": [accuracy - 0.1, accuracy + 0.1]},
        }
        file.write_text(json.dumps(written))
    result = world.results.result(cells)
    assert result.accuracy == pytest.approx(0.6333, abs=1e-3)
    assert result.measured[ACCURACY].over_seeds == (0.5, 0.8) and result.interval == pytest.approx((0.4, 0.6))
    assert (result.majority, result.samples, result.classes) == (0.3, SAMPLES, 4)


def test_why_there_is_no_figure(tmp_path) -> None:
    matrix = build_matrix(
        Collection("rijks", {"type": 4}), [Collection("antwerp", {"type": 4})], ("vgg19", "resnet50"),
        scratch="vgg19", missing_weights={"resnet50": "no weights here"}, pairs={}, seeds=(0,),
    )  # fmt: skip
    world = World(tmp_path, matrix)
    results = world.results
    tuned = results.cells(part="source", mode="fine-tune", backbone="vgg19")
    folder = results.folder(tuned[0])
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text('{"error": "the disk is full"}')
    assert results.result(tuned) == "failed"
    assert results.result(results.cells(backbone="resnet50", mode="fine-tune")) == "no weights here"
    taken = results.cells(part="target", backbone="vgg19", weights="rijks", mode="fine-tune")
    assert results.result(taken) == "the run that gives its weights failed"


def test_holms_correction() -> None:
    """Against the definition, and a case from the literature: 0.01, 0.02 survive 0.05 of three, 0.04 too."""
    assert holm([0.01, 0.02, 0.04]) == [True, True, True]
    assert holm([0.01, 0.03, 0.04]) == [True, False, False]
    assert holm([0.02, 0.02, 0.02]) == [False, False, False]
    assert holm([]) == []
