from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from malformed import malformed, refuses_or_reads, spoilt
from peak_memory import peak_memory

from arttl.documents import parse_json, read_json, read_versioned, read_yaml, structured
from arttl.errors import ArttlError
from arttl.runs import RunFolder, write_config
from arttl.settings import recipe_values
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings


@dataclass(frozen=True)
class Inner:
    size: int
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size below 0")


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"]
    parts: dict[str, Inner] = field(default_factory=dict)
    list: tuple[tuple[int, ...], ...] = ()
    maybe: Inner | None = None
    either: str | dict[str, Any] = ""
    is_new: bool = False


def test_a_document_as_a_record() -> None:
    text = '{"name": "é", "kind": "b", "parts": {"x": {"size": 1, "share": 2}}, "list": [[1], []], "maybe": null}'
    expected = Outer("é", "b", {"x": Inner(1, 2.0)}, ((1,), ()), None)
    assert parse_json(text, Outer, "d.json") == expected
    assert parse_json(text.encode(), Outer, "d.json") == expected
    assert type(expected.parts["x"].share) is float
    assert parse_json('{"name": "", "kind": "a", "either": {"k": [1]}}', Outer, "").either == {"k": [1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "d.json is not JSON: Expecting property name"),
        ("[]", "d.json: it must be an object, not a list"),
        ("{}", "d.json: it lacks 'name'"),
        ('{"name": 1, "kind": "a"}', "d.json: 'name' must be a text, not 1"),
        ('{"name": "", "kind": "c"}', "d.json: 'kind' must be 'a' or 'b', not 'c'"),
        ('{"name": "", "kind": []}', "d.json: 'kind' must be 'a' or 'b', not \\[\\]"),
        ('{"name": "", "kind": "a", "prats": {}}', r"unknown key 'prats' \(did you mean 'parts'\?\)"),
        ('{"name": "", "kind": "a", "parts": [1]}', "'parts' must be an object, not a list"),
        ('{"name": "", "kind": "a", "parts": {"é.x": {}}}', "'parts.é.x' lacks 'size'"),
        ('{"name": "", "kind": "a", "parts": {"x": {"size": 1.0}}}', "'parts.x.size' must be a whole number, not 1"),
        ('{"name": "", "kind": "a", "parts": {"x": {"size": true}}}', "must be a whole number, not true or false"),
        ('{"name": "", "kind": "a", "parts": {"x": {"size": -1}}}', "'parts.x' cannot be used: a size below 0"),
        ('{"name": "", "kind": "a", "list": [[1], ["2"]]}', r"'list\[1\]\[0\]' must be a whole number, not a text"),
        ('{"name": "", "kind": "a", "list": "12"}', "'list' must be a list, not a text"),
        ('{"name": "", "kind": "a", "maybe": 3}', "'maybe' must be an object, not 3"),
        ('{"name": "", "kind": "a", "either": 3}', "'either' must be an object, not 3"),
        ('{"name": "", "kind": "a", "is_new": 1}', "'is_new' must be true or false, not 1"),
        ('{"name": "", "kind": "a", "maybe": {"size": 1, "share": "1"}}', "'maybe.share' must be a number, not a text"),
        ('{"name": "", "kind": "a", "maybe": {"size": 1, "share": 1e999}}', "'maybe.share' must be a finite number"),
        ('{"name": "", "kind": "a", "maybe": {"size": 1, "share": NaN}}', "'maybe.share' must be a finite number"),
        ('{"name": "", "kind": "a", "maybe": {"size": 9223372036854775808}}', "must be a number of 64 bits"),
        ('{"name": "\\ud800", "kind": "a"}', "'name' has half a character of UTF-16"),
        ('{"name": "", "kind": "a", "parts": {"\\udfff": {}}}', r"'parts\.\\udfff' has half a character"),
        ('{"name": "", "name": "", "kind": "a"}', "it has the key 'name' twice in one object"),
        ("[" * 100_000, "nested deeper than 64"),
        ('{"a":' * 100_000, "nested deeper than 64"),
        ('{"name": ' + "[" * 64 + "]" * 64 + "}", "is nested deeper than 64"),
        ("9" * 5000, "d.json is not JSON"),
        ("[" + "0," * 4_000_000 + "0]", "holds more than 4,000,000 values"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(text: str, message: str) -> None:
    with pytest.raises(ArttlError, match=message) as caught:
        parse_json(text, Outer, "d.json")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    str(caught.value).encode()


def test_what_is_passed_over_where_that_is_asked_for() -> None:
    text = '{"name": "", "kind": "a", "more": 1, "maybe": {"size": 1, "more": 2}}'
    assert parse_json(text, Outer, "d.json", surplus=True).maybe == Inner(1)
    assert parse_json("[NaN]", list[float], "d.json", finite=False)
    assert structured({"a": [1]}, dict[str, list[int]], "d") == {"a": [1]}


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    with pytest.raises(ArttlError, match=r"d\.json cannot be read: No such file"):
        read_json(path, Outer)
    with pytest.raises(ArttlError, match="is not a file"):
        read_json(tmp_path, Outer)
    path.write_bytes(b'"\xff"')
    with pytest.raises(ArttlError, match=r"d\.json is not JSON: 'utf-8' codec"):
        read_json(path, str)
    path.write_text('{"format_version": 2, "size": []}')
    with pytest.raises(ArttlError, match="has shard format 2; this version reads 1"):
        read_versioned(path, Inner, 1, "shard")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d")
    for path in (tmp_path / "d", Path("/dev/zero")):
        for read in (lambda path: read_json(path, Outer), read_yaml):
            with pytest.raises(ArttlError, match="is not a file"):
                read(path)


def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)  # a hole, which takes no room
    before = peak_memory()
    with pytest.raises(ArttlError, match="has more than 64 MiB"):
        read_json(path, Outer)
    with pytest.raises(ArttlError, match=r"has more than 0\.0625 MiB"):
        read_yaml(path)
    path.write_text("[" + "{}," * 10_000_000 + "0]")
    with pytest.raises(ArttlError, match="holds more than"):
        read_json(path, Outer)
    assert peak_memory() - before < 500_000


YAML = """
shards: a
epochs: 2
tasks: [type, é]
learning_rate: 0.1
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x", r"has an alias \(\*name\)"),
        ("a: &x {a: 1}\nb: {<<: *x}", "has an alias"),
        ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("a: !!timestamp x", "is not YAML"),
        ("a: !!bool x", "is not YAML"),
        ("a: !!float x", "is not YAML"),
        ("a: !!binary x", "is not YAML"),
        ("a: 2001-99-99", "is not YAML"),
        ("? {}\n: 1", "is not YAML"),
        ("a: [", "is not YAML"),
        ("a: " + "[" * 50_000, "nested deeper"),
        ("a: " + "[" * 100 + "]" * 100, "nested deeper"),
        ("a: " + "9" * 5000, "is not YAML"),
        ("a: 0x" + "f" * 5000, "must be a number of 64 bits"),
        ('a: "\\ud800"', "half a character"),
        ("a: \x00", "is not YAML"),
    ],
)
def test_yaml_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    for read in (
        lambda: read_yaml(path),
        RunFolder(tmp_path).settings,
        lambda: recipe_values(path, TrainSettings),
    ):
        with pytest.raises(ArttlError, match=message) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_paths_that_are_not_utf8_stay_in_the_settings_of_a_run(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff")
    write_config(tmp_path, {"out": name})
    assert RunFolder(tmp_path).settings() == {"out": name}


@spoilt(100)
def test_recipes_of_strangers(tmp_path: Path, seed: int) -> None:
    """JSON is YAML, but for a few texts."""
    document = {
        "shards": "a",
        "tasks": ["type"],
        "epochs": 2,
        "learning_rate": 0.1,
        "resume": False,
        "seed": 1,
    }
    (tmp_path / "config.yaml").write_text(malformed(document, seed))
    refuses_or_reads(RunFolder(tmp_path).settings)
    refuses_or_reads(lambda: recipe_values(tmp_path / "config.yaml", TrainSettings))


@spoilt(300)
def test_task_sets_of_strangers(tmp_path: Path, seed: int) -> None:
    single = {
        "name": "a",
        "kind": "single-label",
        "classes": ["b", "c"],
        "train_counts": [3, 1],
        "train_majority": [0],
    }
    numbers = dict.fromkeys(("train_mean", "train_std", "train_median"), 1.5)
    counts = {"train_count": 2, "train_unreadable": 0}
    form = {"decimal": ".", "thousands": "", "years": None}
    number = {"name": "y", "kind": "number", **numbers, **counts, "number_format": form}
    (tmp_path / "tasks.json").write_text(malformed({"tasks": [single, number]}, seed))

    def read() -> None:
        tasks = TaskSet.load(tmp_path / "tasks.json")
        for task in tasks:
            task.targets([("b",), ("1",), None])
            assert str(task.summary)
        assert TaskSet.from_dict(json.loads(json.dumps(tasks.to_dict()))) == tasks

    refuses_or_reads(read)


@spoilt(200)
def test_run_files_of_strangers(tmp_path: Path, seed: int) -> None:
    run = RunFolder(tmp_path)
    for name in ("test.json", "failed.json", "metrics.jsonl"):
        (tmp_path / name).write_text(
            malformed({"error": "x", "tasks": {"a": {"accuracy": 0.5}}}, seed) + "\n"
        )
    for read in (run.test, run.metrics, lambda: run.failure):
        refuses_or_reads(read)
