from __future__ import annotations

from collections import Counter

import pytest

from arttl.reproduction.cells import IMAGENET, Collection, Matrix, build_matrix, build_matrix_of_networks

PAPER = ("xception", "inception_v3", "resnet50", "vgg19")
RIJKS = Collection("Rijksmuseum", {"material": 206, "type": 1054, "artist": 1196})
ANTWERP = Collection("Antwerp", {"type": 920, "artist": 903}, {"type": 150, "artist": 0})


def matrix(**changes) -> Matrix:
    given = {
        "scratch": "inception_v3",
        "missing_weights": {},
        "pairs": {},
        "seeds": (0,),
        "targets": (ANTWERP,),
        "backbones": PAPER,
        "source": RIJKS,
        **changes,
    }
    return build_matrix(given.pop("source"), given.pop("targets"), given.pop("backbones"), **given)


def test_the_papers_matrix() -> None:
    """Table 1 has 24 figures and 3 curves from scratch, table 2 has 32."""
    cells = matrix().cells
    counts = Counter((cell.part, cell.mode, cell.weights) for cell in cells)
    assert counts["source", "off-the-shelf", IMAGENET] == counts["source", "fine-tune", IMAGENET] == 12
    assert counts["source", "scratch", "none"] == 3
    for mode in ("off-the-shelf", "fine-tune"):
        for weights in (IMAGENET, "Rijksmuseum"):
            assert counts["target", mode, weights] == 8
    assert all((cell.run is None) == (cell.problem is not None) for cell in cells)
    assert len({(c.part, c.collection, c.task, c.backbone, c.mode, c.weights) for c in cells}) == len(cells)


def test_frozen_cells_share_a_pass_of_the_network() -> None:
    planned = matrix()
    frozen = [cell for cell in planned.cells if cell.part == "source" and cell.mode == "off-the-shelf"]
    assert len({cell.run for cell in frozen}) == len(PAPER)
    assert all(planned.run(cell.run).tasks == ("material", "type", "artist") for cell in frozen)
    tuned = [cell for cell in planned.cells if cell.part == "source" and cell.mode == "fine-tune"]
    assert len({cell.run for cell in tuned}) == 12
    joint = [cell for cell in planned.cells if cell.part == "source" and cell.mode == "joint"]
    assert len(joint) == 12 and len({cell.run for cell in joint}) == len(PAPER)


def test_donors_come_first_and_are_the_paired_task() -> None:
    for pairs, expected in (
        ({}, {"type": "type", "artist": "artist"}),
        ({"type": "artist"}, {"type": "artist", "artist": "artist"}),
    ):
        planned = matrix(pairs=pairs)
        order = {run.name: index for index, run in enumerate(planned.runs)}
        for cell in planned.cells:
            if cell.part == "target" and cell.weights == "Rijksmuseum":
                run = planned.run(cell.run)
                donor = planned.run(run.donor)
                assert order[donor.name] < order[run.name]
                assert (donor.mode, donor.backbone, donor.collection) == (
                    "fine-tune",
                    cell.backbone,
                    "Rijksmuseum",
                )
                if cell.mode == "fine-tune":
                    assert donor.tasks == (expected[cell.task],)


def test_frozen_cells_of_different_donors_are_different_runs() -> None:
    planned = matrix()
    frozen = {
        cell.task: planned.run(cell.run)
        for cell in planned.cells
        if cell.part == "target"
        and cell.mode == "off-the-shelf"
        and cell.weights == "Rijksmuseum"
        and cell.backbone == "vgg19"
    }
    assert frozen["type"].name != frozen["artist"].name
    assert frozen["type"].donor != frozen["artist"].donor


def test_cells_that_cannot_be_say_why() -> None:
    planned = matrix(missing_weights={"vgg19": "no weights here"}, scratch="vgg19")
    for cell in planned.cells:
        if cell.backbone == "vgg19" and cell.mode != "scratch":
            assert cell.problem and cell.run is None
    scratch = [cell for cell in planned.cells if cell.mode == "scratch"]
    assert len(scratch) == 3 and all(cell.run for cell in scratch)
    common = [cell for cell in planned.cells if cell.part == "common"]
    assert {cell.problem for cell in common if cell.task == "artist"} == {
        "no common classes",
    }
    poor = Collection("Antwerp", {"type": "one class only", "artist": 903})
    problems = {c.task: c.problem for c in matrix(targets=(poor,)).cells if c.part == "target"}
    assert problems == {"type": "one class only", "artist": None}
    nothing = Collection("Rijksmuseum", {"type": "no labels"})
    problems = {c.weights: c.problem for c in matrix(source=nothing).cells if c.part == "target"}
    assert problems == {IMAGENET: None, "Rijksmuseum": "no weights of Rijksmuseum"}


def test_further_collections_and_seeds() -> None:
    third = Collection("Utrecht", {"type": 30})
    planned = matrix(targets=(ANTWERP, third), seeds=(0, 1))
    assert {cell.part for cell in planned.cells if cell.collection == "Utrecht"} == {"also"}
    assert {cell.seed for cell in planned.cells} == {0, 1}
    donors = {planned.run(run.donor).seed == run.seed for run in planned.runs if run.donor}
    assert donors == {True}


def test_names_are_folders() -> None:
    names = [run.name for run in matrix().runs]
    assert len(set(names)) == len(names)
    assert all(part and part.strip(".") == part for name in names for part in name.split("/"))


@pytest.mark.parametrize("task", ["type", "artist"])
def test_classes_in_common_are_runs_of_their_own(task: str) -> None:
    planned = matrix(targets=(Collection("Antwerp", {"type": 9, "artist": 9}, {task: 5}),))
    cells = [cell for cell in planned.cells if cell.part == "common"]
    assert len(cells) == 4 * len(PAPER) and all(planned.run(cell.run).common for cell in cells)
    assert {planned.run(cell.run).tasks for cell in cells} == {(task,)}


def test_every_network_on_every_collection_frozen_once_and_fine_tuned_by_each_seed() -> None:
    samples = [Collection("type", {"type": 30}), Collection("artist", {"artist": "no labels"})]
    planned = build_matrix_of_networks(
        samples, ("vit", "vgg19", "swin"), missing_weights={"swin": "no weights here"}, seeds=(0, 1, 2)
    )
    runs = Counter((run.collection, run.backbone, run.mode) for run in planned.runs)
    assert runs == {
        ("type", "vit", "off-the-shelf"): 1, ("type", "vit", "fine-tune"): 3,
        ("type", "vgg19", "off-the-shelf"): 1, ("type", "vgg19", "fine-tune"): 3,
    }  # fmt: skip
    assert {run.tasks for run in planned.runs} == {("type",)} and {run.donor for run in planned.runs} == {
        None
    }
    problems = Counter(cell.problem for cell in planned.cells)
    assert problems == {None: 8, "no weights here": 4, "no labels": 12}
    assert len(set(planned.cells)) == len(planned.cells)
