"""`--engine auto` on a machine with a GPU, with the card's name and the speeds put in by the tests."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from loading_pictures import jpeg, textured, write_shards

from arttl.errors import ArttlError
from arttl.loading import Loader, Preprocess, engine_speeds, open_loader
from arttl.loading.engine_speeds import FILE, faster_engine, pictures_per_second
from arttl.shards.manifest import Manifest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    monkeypatch.setattr(engine_speeds, "_FEWEST", 1)
    return tmp_path / "cache"


class Speeds(dict[str, float]):
    """Pictures per second by engine, in place of those that are measured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **speeds: float) -> None:
        super().__init__({name.replace("_", "-"): speed for name, speed in speeds.items()})
        self.measured: Counter[str] = Counter()
        monkeypatch.setattr(engine_speeds, "pictures_per_second", self.measure)

    def measure(self, loader: Loader) -> float:
        self.measured[loader.engine] += 1
        return self[loader.engine]


def opened(shards: Manifest, **options: object) -> Loader:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    return open_loader(shards, **{"device": "cuda:0", "threads": 2, "batch_size": 8, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(("cpu", "winner"), [(4000.0, "cpu"), (600.0, "dali-gpu")])
def test_the_faster_engine_is_taken_and_both_speeds_are_reported(
    painted_collection: Manifest, cache: Path, cpu: float, winner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Speeds(monkeypatch, cpu=cpu, dali_gpu=1500.0)
    loader = opened(painted_collection)
    assert loader.engine == winner and loader.engine_reason.startswith(f"{winner}: ")
    assert "1,500" in loader.engine_reason and f"{cpu:,.0f}" in loader.engine_reason


def test_a_kind_of_work_is_measured_once(
    painted_collection: Manifest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = Speeds(monkeypatch, cpu=4000.0, dali_gpu=1500.0)
    opened(painted_collection)
    once = speeds.measured.copy()
    assert once["cpu"] == once["dali-gpu"] > 1
    speeds["cpu"] = 1.0  # of a busy moment later
    assert opened(painted_collection).engine == opened(painted_collection, split="val").engine == "cpu"
    assert speeds.measured == once
    for other in ({"preprocess": Preprocess(size=448)}, {"threads": 16}, {"batch_size": 64}):
        assert opened(painted_collection, **other).engine == "dali-gpu"
    assert speeds.measured == Counter({name: 4 * count for name, count in once.items()})
    assert len(json.loads((cache / FILE).read_text())) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"KIND": {"cpu": 9.0}}',
        '{"KIND": {"cpu": 9.0, "dali-gpu": -1.0}}',
        '{"KIND": {"cpu": "9"}}',
    ],
)
def test_a_damaged_file_is_measured_anew(
    painted_collection: Manifest, cache: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Speeds(monkeypatch, cpu=4000.0, dali_gpu=1500.0)
    kind = engine_speeds.kind_of_work(opened(painted_collection, engine="cpu"))
    cache.mkdir()
    (cache / FILE).write_text(text.replace("KIND", kind))
    assert opened(painted_collection).engine == "cpu"
    assert json.loads((cache / FILE).read_text()) == {kind: {"dali-gpu": 1500.0, "cpu": 4000.0}}


def test_what_others_kept_stays(
    painted_collection: Manifest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Speeds(monkeypatch, cpu=4000.0, dali_gpu=1500.0)
    cache.mkdir()
    (cache / FILE).write_text('{"another card": {"cpu": 9.0, "dali-gpu": 8.0}}')
    opened(painted_collection)
    assert len(json.loads((cache / FILE).read_text())) == 2


def test_without_a_cache_the_rule_decides(
    painted_collection: Manifest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = Speeds(monkeypatch, cpu=4000.0, dali_gpu=1500.0)
    cache.write_text("a file where the folder should be")
    loader = opened(painted_collection)
    assert loader.engine == "dali-gpu" and not speeds.measured
    assert "not measured against the cpu engine" in loader.engine_reason and "\n" not in loader.engine_reason


def test_few_pictures_are_not_measured(
    painted_collection: Manifest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_speeds, "_FEWEST", 1 + len(painted_collection.rows("train")))
    speeds = Speeds(monkeypatch, cpu=4000.0, dali_gpu=1500.0)
    loader = opened(painted_collection)
    assert loader.engine == "dali-gpu" and not speeds.measured
    assert loader.engine_reason == (
        "dali-gpu: DALI is installed, the device is cuda:0, too few pictures for measuring the cpu engine against it"
    )


@pytest.mark.parametrize("engine", ["cpu", "dali", "dali-gpu"])
def test_an_engine_that_is_asked_for_is_not_measured(
    painted_collection: Manifest, cache: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = Speeds(monkeypatch, cpu=4000.0, dali_gpu=1500.0)
    assert opened(painted_collection, engine=engine).engine_reason.startswith(
        "cpu: as asked" if engine == "cpu" else "dali-gpu: as asked"
    )
    assert not speeds.measured and not cache.exists()


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both contestants where there is no card."""
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    monkeypatch.setattr(engine_speeds, "CONTESTANTS", ("dali-cpu", "cpu"))


def test_both_engines_really_read(painted_collection: Manifest, cache: Path, on_cpu: None) -> None:
    loader = open_loader(painted_collection, engine="dali", device="cpu", threads=2, batch_size=8)
    loader.engine, loader.engine_reason = faster_engine(loader)
    (rates,) = json.loads((cache / FILE).read_text()).values()
    assert set(rates) == {"dali-cpu", "cpu"} and loader.engine == max(rates, key=rates.get)
    assert loader.state_dict()["epoch"] == 0 and not loader.bad_samples  # it has read nothing itself
    assert pictures_per_second(loader) > 0 and loader.epoch == 1


def test_a_picture_that_does_not_decode_leaves_the_rule(tmp_path: Path, cache: Path, on_cpu: None) -> None:
    pictures = [jpeg(textured(number, 60, 60)) for number in range(8)]
    pictures[3] = pictures[3][:1500]
    manifest = write_shards(tmp_path / "shards", pictures, [(60, 60)] * 8)
    loader = open_loader(manifest, engine="dali", device="cpu", threads=2, batch_size=4)
    engine, reason = faster_engine(loader)
    assert engine == "dali-cpu" and "sample 's3'" in reason and "\n" not in reason
    with pytest.raises(ArttlError, match="sample 's3'"):
        list(loader)
    assert not (cache / FILE).exists()
