from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from loading_pictures import COUNT

from arttl.errors import ArttlError
from arttl.loading import Augment, Batch, Loader, Preprocess, open_loader
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet

SPEC = Preprocess(size=24, augment=Augment())


def opened(shards: Manifest | Path, **options: object) -> Loader:
    settings = {
        "preprocess": SPEC,
        "batch_size": 5,
        "engine": "cpu",
        "threads": 2,
        "device": "cpu",
        **options,
    }
    return open_loader(shards, **settings)  # type: ignore[arg-type]


def rows(batches: Iterable[Batch]) -> list[int]:
    return [row for batch in batches for row in batch.rows[batch.valid].tolist()]


def assert_equal(ours: list[Batch], theirs: list[Batch]) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.images, b.images) and torch.equal(a.rows, b.rows)
        assert torch.equal(a.valid, b.valid)
        assert all(
            torch.equal(a.targets[task].nan_to_num(-1), b.targets[task].nan_to_num(-1)) for task in a.targets
        )


# Rows without labels


@pytest.mark.parametrize("split", ["train", "val", "all"])
def test_without_labels_every_row_comes_in_order_and_has_no_targets(
    painted_collection: Manifest, engine: str, split: str
) -> None:
    loader = opened(painted_collection, split=split, labelled=False, shuffle=False, engine=engine)
    batches = list(loader)
    of_split = [i for i, name in enumerate(painted_collection.splits) if split in (name, "all")]
    assert rows(batches) == of_split and len(loader.tasks) == 0
    assert all(batch.targets == {} and batch.labelled == {} for batch in batches)
    if split == "train":  # one sample has no label of any task
        tasks = ("type", "subject")
        assert set(of_split) - set(rows(opened(painted_collection, tasks=tasks))) == {
            painted_collection.keys.index(f"n{COUNT + 7}")
        }


def test_chosen_rows_come_in_their_order_and_look_as_in_the_whole_split(painted_collection: Manifest) -> None:
    whole = {
        row: image
        for batch in opened(painted_collection, split="all", labelled=False, preprocess=Preprocess(size=24))
        for row, image in zip(batch.rows.tolist(), batch.images, strict=True)
    }
    chosen = np.array([11, 3, 17, 4, 20, 8])
    options = {"split": "all", "labelled": False, "rows": chosen, "preprocess": Preprocess(size=24)}
    for rank in (0, 1):
        for batch in opened(painted_collection, rank=rank, world_size=2, batch_size=2, **options):
            assert all(
                torch.equal(image, whole[row])
                for row, image in zip(batch.rows.tolist(), batch.images, strict=True)
            )
    assert rows(opened(painted_collection, **options)) == chosen.tolist()
    types = opened(
        painted_collection, split="train", rows=painted_collection.rows("train")[:4], shuffle=False
    )
    assert rows(types) == painted_collection.rows("train")[:4].tolist() and set(types.tasks.names) == {"type"}
    with pytest.raises(ValueError, match="all of the split 'val'"):
        opened(painted_collection, split="val", labelled=False, rows=painted_collection.rows("train"))


def test_some_rows_of_a_loader_look_as_in_the_whole(painted_collection: Manifest) -> None:
    loader = opened(painted_collection, preprocess=Preprocess(size=24), shuffle=False)
    whole = torch.cat([batch.images for batch in loader])
    part = loader.of_rows(loader.rows[[9, 4, 30]])
    (batch,) = part
    assert rows([batch]) == loader.rows[[9, 4, 30]].tolist() and torch.equal(
        batch.images[:3], whole[[9, 4, 30]]
    )
    assert (part.engine, part.epoch, loader.epoch) == (loader.engine, 1, 1)
    of_val = painted_collection.rows("val")[:1]
    for wrong in (of_val, loader.rows[:0]):
        with pytest.raises(ValueError, match="all of a loader"):
            loader.of_rows(wrong)
    with pytest.raises(ValueError, match="visits every row once"):
        opened(painted_collection, sampling="balanced:type").of_rows(loader.rows[:3])


# Targets


def test_targets_are_the_labels_of_the_rows(painted_collection: Manifest) -> None:
    tasks = TaskSet.from_manifest(painted_collection, ("type", "subject"), multi_label=("subject",))
    types, subjects = (tasks[name].vocabulary.classes for name in ("type", "subject"))
    for batch in opened(painted_collection, tasks=tasks):
        assert batch.targets["subject"].shape == (5, 2)
        for i, row in enumerate(batch.rows.tolist()):
            number = int(painted_collection.keys[row][1:])
            assert types[batch.targets["type"][i]] == ("print", "drawing", "painting")[number % 3]
            subject = batch.targets["subject"][i]
            if number % 2:
                assert subject.isnan().all()
            else:
                named = {name for name, value in zip(subjects, subject.tolist(), strict=True) if value == 1}
                assert named == ({"ship", "horse"} if number % 4 == 0 else {"horse"})


def test_a_missing_single_label_is_minus_one(painted_collection: Manifest) -> None:
    loader = opened(painted_collection, tasks=("type", "subject"))
    unknown = {row for batch in loader for row in batch.rows[batch.targets["subject"] == -1].tolist()}
    assert {int(painted_collection.keys[row][1:]) % 2 for row in unknown} == {1}
    assert len(unknown) == COUNT // 2


def test_rows_without_any_label_are_left_out(painted_collection: Manifest) -> None:
    assert len(painted_collection.rows("train")) == COUNT + 1
    assert len(rows(opened(painted_collection, tasks="type"))) == COUNT
    halves = [painted_collection.keys[row] for row in rows(opened(painted_collection, tasks=("subject",)))]
    assert sorted(halves) == sorted(f"n{number}" for number in range(0, COUNT, 2))


# Defaults


def test_only_training_is_shuffled_and_nothing_is_augmented_by_default(painted_collection: Manifest) -> None:
    train, val = (
        open_loader(painted_collection, split, device="cpu", threads=2) for split in ("train", "val")
    )
    assert train.preprocess == val.preprocess == Preprocess()
    assert rows(val) == sorted(rows(val)) == painted_collection.rows("val").tolist()
    first, second = rows(train), rows(train)
    assert sorted(first) == sorted(second) != first != second
    assert rows(opened(painted_collection, shuffle=False)) == sorted(first)


def test_the_folder_does_as_well_as_the_manifest(painted_collection: Manifest) -> None:
    assert rows(opened(painted_collection.directory)) == rows(opened(painted_collection))
    assert rows(opened(str(painted_collection.directory))) == rows(opened(painted_collection))  # type: ignore[arg-type]


def test_ranks_are_the_process_groups(painted_collection: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    given = rows(opened(painted_collection, rank=1, world_size=3))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    assert rows(opened(painted_collection)) == given
    assert len(rows(opened(painted_collection, rank=0, world_size=1))) == COUNT


def test_auto_takes_the_cpu_engine_on_a_cpu_and_says_why(painted_collection: Manifest) -> None:
    loader = opened(painted_collection, engine="auto")
    assert loader.engine == "cpu"
    assert loader.engine_reason == "cpu: the device is cpu, where it needs no DALI and is faster"
    assert opened(painted_collection).engine_reason == "cpu: as asked"


def test_dali_falls_back_to_its_cpu_pipeline(painted_collection: Manifest) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    loader = opened(painted_collection, engine="dali")
    assert (loader.engine, loader.engine_reason) == ("dali-cpu", "dali-cpu: as asked, the device is cpu")


def test_without_dali_the_sentence_says_what_to_install(
    painted_collection: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    monkeypatch.delitem(sys.modules, "arttl.loading.dali_engine", raising=False)
    monkeypatch.delattr("arttl.loading.dali_engine", raising=False)
    with pytest.raises(ArttlError, match=r'pip install "arttl\[dali\]"'):
        opened(painted_collection, engine="dali")
    assert opened(painted_collection, engine="auto").engine == "cpu"


def test_importing_the_package_loads_no_dali() -> None:
    code = "import sys, arttl.loading; print(any(name.startswith('nvidia.dali') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "dali-gpy"}, "--engine 'dali-gpy' is unknown (did you mean 'dali-gpu'?)"),
        ({"engine": "dali-gpu"}, "--engine dali-gpu needs a GPU"),
        ({"split": "trian"}, "no split 'trian'"),
        ({"tasks": ("typ",)}, "no task 'typ' (did you mean 'type'?)"),
        ({"split": "val", "tasks": ("subject",), "classes": "min-count=900"}, "class rule"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"threads": 0}, "--threads 0"),
        ({"seed": -1}, "--seed -1"),
        ({"rank": 2, "world_size": 2}, "rank 2 of world size 2"),
        ({"rank": 0}, "give both"),
    ],
)
def test_bad_arguments_are_named(
    painted_collection: Manifest, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ArttlError) as caught:
        opened(painted_collection, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_task_set_of_other_shards_is_refused(painted_collection: Manifest, odd_collection: tuple) -> None:
    tasks = TaskSet.from_manifest(painted_collection, ("type", "subject"))
    with pytest.raises(ArttlError, match="no task 'subject'; they have: type"):
        opened(odd_collection[0], tasks=tasks)


def test_no_labelled_row_is_an_error(painted_collection: Manifest, odd_collection: tuple) -> None:
    tasks = TaskSet.from_manifest(odd_collection[0], ("type",))  # classes a and b, which the other lacks
    with pytest.raises(ArttlError, match=r"no sample of the split 'train' .* has a label for type"):
        opened(painted_collection, tasks=tasks)


def test_missing_shards_show_when_the_loader_is_opened(painted_collection: Manifest, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    shutil.copytree(painted_collection.directory, folder)
    (folder / "train-00003.tar").unlink()
    with pytest.raises(ArttlError, match=r"train-00003\.tar is missing"):
        opened(folder)
    assert len(rows(opened(folder, split="val"))) == 7


# Epochs and positions


def test_epochs_follow_each_other_and_set_epoch_jumps(painted_collection: Manifest) -> None:
    loader = opened(painted_collection)
    epochs = [rows(loader) for _ in range(3)]
    assert loader.epoch == 3
    assert len({tuple(epoch) for epoch in epochs}) == 3
    for epoch in (2, 0, 1):
        loader.set_epoch(epoch)
        assert rows(loader) == epochs[epoch]


def test_an_iteration_given_up_begins_anew(painted_collection: Manifest) -> None:
    loader = opened(painted_collection)
    first = next(iter(loader))
    assert loader.state_dict()["batch"] == 1
    whole = list(loader)
    assert len(whole) == len(loader)
    assert_equal([first], whole[:1])


def test_the_position_is_that_of_the_newest_iteration(painted_collection: Manifest) -> None:
    loader = opened(painted_collection)
    old = iter(loader)
    next(old)
    new = iter(loader)
    next(new)
    next(new)
    next(old)
    assert loader.state_dict()["batch"] == 2
    assert len(list(old)) == len(loader) - 2
    assert (loader.epoch, loader.state_dict()["batch"]) == (0, 2)


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_restored_loader_goes_on_with_the_same_batches(
    painted_collection: Manifest, engine: str, world_size: int, stop: int
) -> None:
    for rank in range(world_size):
        options = {"engine": engine, "rank": rank, "world_size": world_size, "seed": 4}
        loader = opened(painted_collection, **options)
        loader.set_epoch(2)
        batches = iter(loader)
        for _ in range(stop):
            next(batches)
        state = json.loads(json.dumps(loader.state_dict()))
        rest = list(batches)
        restored = opened(painted_collection, **options)
        restored.load_state_dict(state)
        restored.set_epoch(2)  # as a training loop does for every epoch
        assert restored.state_dict() == state
        assert_equal(list(restored), rest)
        assert len(rest) == len(loader) - stop
        assert (restored.epoch, loader.epoch) == (3, 3)
        assert_equal(list(restored), list(loader))


def test_a_state_at_the_end_of_an_epoch_has_no_batches_left(
    painted_collection: Manifest, engine: str
) -> None:
    loader = opened(painted_collection, engine=engine)
    for _batch in loader:
        state = loader.state_dict()
    assert state["batch"] == len(loader)
    restored = opened(painted_collection, engine=engine)
    restored.load_state_dict(state)
    assert list(restored) == []
    assert rows(restored) == rows(loader)


def test_a_jump_to_another_epoch_leaves_the_position(painted_collection: Manifest) -> None:
    loader = opened(painted_collection)
    next(iter(loader))
    restored = opened(painted_collection)
    restored.load_state_dict(loader.state_dict())
    restored.set_epoch(5)
    assert len(list(restored)) == len(restored)


def test_a_state_serves_other_ranks_with_the_same_global_batch(painted_collection: Manifest) -> None:
    alone = opened(painted_collection, batch_size=10)
    batches = iter(alone)
    next(batches)
    both = [opened(painted_collection, rank=rank, world_size=2) for rank in (0, 1)]
    for loader in both:
        loader.load_state_dict(alone.state_dict())
    for whole, *halves in zip(batches, *both, strict=True):
        assert torch.equal(whole.images, torch.cat([half.images for half in halves]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "another seed (0 there, 1 here)"),
        ({"batch_size": 6}, "another batch size of all ranks (5 there, 6 here)"),
        ({"shuffle": False}, "another shuffle"),
        ({"preprocess": Preprocess()}, "another preprocess"),
        ({"split": "val", "shuffle": True}, "another samples"),
        ({"tasks": ("subject",)}, "another samples"),
    ],
)
def test_a_state_of_something_else_is_refused(
    painted_collection: Manifest, options: dict[str, object], message: str
) -> None:
    state = opened(painted_collection).state_dict()
    with pytest.raises(ArttlError) as caught:
        opened(painted_collection, **options).load_state_dict(state)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_shards_with_another_picture_are_other_shards(painted_collection: Manifest) -> None:
    table = painted_collection.table
    digests = table.column("stored_sha256").to_pylist()
    digests[int(painted_collection.rows("train")[3])] = "0" * 64
    changed = table.set_column(table.column_names.index("stored_sha256"), "stored_sha256", [digests])
    other = Manifest(painted_collection.directory, changed, painted_collection.dataset)
    with pytest.raises(ArttlError, match="another samples"):
        opened(other).load_state_dict(opened(painted_collection).state_dict())


@pytest.mark.parametrize("damage", [{"batch": 10**6}, {"batch": "1"}, {"epoch": -1}, {"epoch": None}])
def test_a_position_that_is_none_is_refused(painted_collection: Manifest, damage: dict[str, object]) -> None:
    loader = opened(painted_collection)
    with pytest.raises(ArttlError, match="is not one"):
        loader.load_state_dict({**loader.state_dict(), **damage})


def test_state_is_plain_json_and_small(painted_collection: Manifest) -> None:
    assert len(json.dumps(opened(painted_collection).state_dict())) < 1000
