"""Queues against a search of the rows one by one, and the columns against what was written."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from review_cases import LABELS, SCHEMA, made_records, write_records

from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile
from arttl.errors import ArttlError
from arttl.review.collection import Collection
from arttl.review.columns import STATUSES, Labels, Lists
from arttl.review.queues import ORDERS, QUEUES, SHOWS, Query, Queues
from arttl.review.verdicts import Reviewer, Verdicts

Records = list[dict[str, Any]]


def lowest(task: dict[str, Any]) -> float:
    """The lowest probability of the suggested labels."""
    by_label = {each["label"]: each["probability"] for each in task["ranked"]}
    return min((by_label[label] for label in task["labels"] if label in by_label), default=math.nan)


def in_queue(record: dict[str, Any], query: Query) -> bool:
    task = record[query.task]
    if task is None:
        return False
    suggested, catalogued = set(task["labels"]), set(task["catalogued"])
    return {
        "agree": False,  # there is one model
        "differs": task["status"] == "suggested" and bool(catalogued) and suggested != catalogued,
        "empty": task["status"] == "suggested" and not catalogued,
        "unsure": task["status"] == "unsure",
        "outside": task["status"] == "outside",
        "audit": False,
        "all": True,
    }[query.queue]


def is_found(record: dict[str, Any], query: Query) -> bool:
    search = query.search.casefold()
    texts = [record["object_number"], record["picture"]]
    texts += [*record[query.task]["labels"], *record[query.task]["catalogued"]]
    if search and not any(search in text.casefold() for text in texts):
        return False
    of = record[query.of or query.task]
    return not query.label or (of is not None and query.label in of["labels"] + of["catalogued"])


def expected(records: Records, query: Query, verdicts: dict[int, str]) -> list[int]:
    """The rows of a query, each looked at."""
    rows = [row for row, record in enumerate(records) if in_queue(record, query) and is_found(record, query)]
    shown = {"open": {""}, "decided": {"accepted", "rejected", "skipped", "corrected"}, "all": None}.get(
        query.show, {query.show}
    )
    rows = [row for row in rows if shown is None or verdicts.get(row, "") in shown]
    order = query.order
    if order == "queue":
        order = {"unsure": "doubt", "all": "file", "audit": "file"}.get(query.queue, "sure")  # type: ignore[assignment]
    if order != "file":
        sign = 1 if order == "doubt" else -1
        rows.sort(key=lambda row: sign * np.float32(lowest(records[row][query.task])))
    return rows


@pytest.fixture(scope="module")
def records() -> Records:
    return made_records(150, seed=3)


@pytest.fixture
def queues(records: Records, tmp_path: Path) -> tuple[Queues, Verdicts, Collection]:
    write_records(tmp_path / "suggestions.parquet", records)
    collection = Collection(tmp_path / "suggestions.parquet", None)
    verdicts = Verdicts(collection, DecisionFile(tmp_path / "decisions.sqlite"), Reviewer("R"))
    return Queues(collection, verdicts), verdicts, collection


def decide(verdicts: Verdicts, collection: Collection, row: int, task: str, verdict: str) -> None:
    subject, columns = collection.subject(row, task), collection.tasks[task]
    suggested = tuple(columns.labels.names[code] for code in columns.suggested.of(row))
    labels = {"accepted": suggested, "corrected": ("new",)}.get(verdict, ())
    decision = Decision(
        task,
        subject.object_number,
        subject.institution,
        collection.picture(row),
        (),
        suggested,
        None,
        verdict,
        labels,
        "R",  # type: ignore[arg-type]
    )
    verdicts.save([(decision, verdicts.state(subject).version)], [row])


def test_every_query_is_that_of_a_search_row_by_row(
    records: Records, queues: tuple[Queues, Verdicts, Collection]
) -> None:
    finder, verdicts, collection = queues
    drawn = random.Random(5)
    of_row: dict[int, str] = {}
    for row in drawn.sample([row for row, record in enumerate(records) if record["technique"]], 30):
        of_row[row] = drawn.choice(["accepted", "rejected", "skipped", "corrected"])
        decide(verdicts, collection, row, "technique", of_row[row])
    lengths = []
    for _ in range(500):
        of = drawn.choice(["", *LABELS])
        task = drawn.choice([*LABELS])
        query = Query(
            task=task,
            queue=drawn.choice(QUEUES),
            show=drawn.choice(SHOWS),
            search=drawn.choice(["", "", "", "a.1", "OIL", "ÉDUARD", "CAR", "no such"]),
            label=drawn.choice(["", "", drawn.choice(LABELS[of or task])]),
            of=of,
            order=drawn.choice(ORDERS),
        )
        rows = finder.select(query).tolist()
        assert rows == expected(records, query, of_row if task == "technique" else {}), query
        lengths.append(len(rows))
    assert sum(length > 3 for length in lengths) > 60


def test_labels_are_found_without_their_accents(queues: tuple[Queues, Verdicts, Collection]) -> None:
    finder, _, _ = queues
    found = {
        word: finder.select(Query(task="material", search=word)).tolist()
        for word in ("éduard", "EDUARD", "eduard")
    }
    assert found["éduard"] == found["EDUARD"] == found["eduard"] != []


def test_what_all_models_suggest_against_the_catalogue(tmp_path: Path) -> None:
    files = []
    models = [made_records(120, seed=seed) for seed in (3, 4, 5)]
    for model in models[1:]:  # which agree with the first now and then, and lack some pictures
        for index, record in enumerate(model):
            record["institution"] = models[0][index]["institution"]
            if index % 3 and models[0][index]["technique"]:
                labels = models[0][index]["technique"]["labels"]
                record["technique"] = {
                    **record["technique"],
                    "labels": labels[::-1] if index % 2 else labels[:1],
                }
    for number, model in enumerate(models):
        files.append(tmp_path / f"{number}.parquet")
        write_records(files[-1], model[::-1] if number else model)
    collection = Collection(files[0], None, files[1:])
    finder = Queues(collection, Verdicts(collection, DecisionFile(tmp_path / "d.sqlite"), Reviewer("R")))
    query = Query("technique", "differs", order="file")
    agreeing = [
        row
        for row in expected(models[0], query, {})
        if len({frozenset(model[row]["technique"]["labels"]) for model in models}) == 1
    ]
    assert len(agreeing) > 5
    assert finder.select(Query("technique", "agree", order="file")).tolist() == agreeing
    write_records(tmp_path / "x.parquet", [{**record, "picture": "x"} for record in models[0]])
    with pytest.raises(ArttlError, match="has none of the pictures of --predictions"):
        Collection(files[0], None, [tmp_path / "x.parquet"])


def test_counts_are_the_lengths_of_the_queues(queues: tuple[Queues, Verdicts, Collection]) -> None:
    finder, verdicts, collection = queues
    row = int(finder.select(Query("material", "differs"))[0])
    decide(verdicts, collection, row, "material", "skipped")
    for queue, (rows, left) in finder.counts("material").items():
        assert rows == len(finder.select(Query("material", queue, "all")))  # type: ignore[arg-type]
        assert left == len(finder.select(Query("material", queue, "open")))  # type: ignore[arg-type]


def test_the_columns_are_what_was_written(
    records: Records, queues: tuple[Queues, Verdicts, Collection]
) -> None:
    _, _, collection = queues
    for name, columns in collection.tasks.items():
        names = columns.labels.names
        for row, record in enumerate(records):
            task = record[name] or {"labels": [], "catalogued": [], "status": None, "ranked": []}
            assert [names[code] for code in columns.suggested.of(row)] == task["labels"]
            assert [names[code] for code in columns.catalogued.of(row)] == task["catalogued"]
            assert (STATUSES[columns.status[row]] if columns.status[row] >= 0 else None) == task["status"]
            assert columns.probability[row] == pytest.approx(lowest(task), nan_ok=True)
    assert collection.tasks["technique"].is_multiple and not collection.tasks["material"].is_multiple
    assert collection.problems == sum(record["problem"] is not None for record in records)


def test_an_object_with_several_photographs_is_shown_once_with_the_surest(tmp_path: Path) -> None:
    records = made_records(90, seed=8, photographs=3)
    write_records(tmp_path / "s.parquet", records)
    collection = Collection(tmp_path / "s.parquet", None)
    verdicts = Verdicts(collection, DecisionFile(tmp_path / "d.sqlite"), Reviewer("R"))
    finder = Queues(collection, verdicts)
    best: dict[str, int] = {}
    for row, record in enumerate(records):
        key = record["object_number"] or record["picture"]
        if record["material"] and (
            key not in best or lowest(record["material"]) > lowest(records[best[key]]["material"])
        ):
            best[key] = row
    assert finder.select(Query("material", "all", "all")).tolist() == sorted(best.values())
    together = [row for row, record in enumerate(records) if record["object_number"] == "A.4"]
    assert len(together) > 1
    assert {tuple(collection.rows_of(row)) for row in together} == {tuple(together)}
    # What is decided at one photograph is decided of the object.
    decide(verdicts, collection, together[0], "material", "skipped")
    assert not {*finder.select(Query("material", "all", "open")).tolist()} & {*together}


def test_what_another_process_saves_is_seen(
    queues: tuple[Queues, Verdicts, Collection], tmp_path: Path
) -> None:
    finder, _, collection = queues
    before = finder.select(Query("material", "all")).tolist()
    other = Verdicts(collection, DecisionFile(tmp_path / "decisions.sqlite"), Reviewer("Q"))
    decide(other, collection, before[5], "material", "rejected")
    assert finder.select(Query("material", "all")).tolist() == before[:5] + before[6:]
    assert finder.select(Query("material", "all", "rejected")).tolist() == [before[5]]
    # A blind reviewer does not see it.
    blind = Queues(
        collection, Verdicts(collection, DecisionFile(tmp_path / "decisions.sqlite"), Reviewer("P", True))
    )
    assert blind.select(Query("material", "all")).tolist() == before


def test_unknown_tasks_and_labels(queues: tuple[Queues, Verdicts, Collection]) -> None:
    for query in (
        Query("colour"),
        Query("material", label="no such"),
        Query("material", of="colour", label="wood"),
    ):
        with pytest.raises(ArttlError, match="there is no"):
            queues[0].select(query)


def test_lists_of_labels_differ_as_sets() -> None:
    def lists(*of_rows: list[int]) -> Lists:
        return Lists(
            np.cumsum([0, *map(len, of_rows)], dtype=np.int32),
            np.array([code for row in of_rows for code in row], np.int32),
        )

    first = lists([1], [1, 2], [], [3], [2, 1, 1], [])
    second = lists([1], [2, 1], [4], [], [1, 2, 2], [])
    assert first.differs_from(second).tolist() == [False, False, True, True, False, False]
    assert second.rows_with(2).tolist() == [False, True, False, False, True, False]
    assert lists([], []).rows_with(2).tolist() == [False, False]


def one_row(**changes: Any) -> pa.Table:
    return pa.Table.from_pylist([{**made_records(1)[0], **changes}], SCHEMA)


TASK = made_records(1)[0]["material"]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            one_row(material={**TASK, "status": "perhaps"}),
            "a status that is none of suggested, unsure, outside",
        ),
        (one_row(material={**TASK, "labels": [None]}), "a label that is null"),
        (one_row(material={**TASK, "labels": ["x" * 1001]}), "a text of more than 1,000 characters"),
        (one_row(material={**TASK, "labels": [f"{n}" for n in range(101)]}), "more than 100 labels"),
        (one_row(material={**TASK, "ranked": [{"label": "a", "probability": 1.5}]}), "not from 0 to 1"),
        (
            one_row(object_number="", picture=""),
            "1 row has neither an object number nor the name of a picture",
        ),
        (one_row().drop_columns(["material", "technique"]), "no column with labels and a status"),
        (one_row().slice(1), "has 0 rows"),
        (
            one_row().set_column(
                4, "material", pa.array([{"labels": [1], "status": "unsure", "ranked": []}])
            ),
            "not as arttl predict writes them",
        ),
    ],
)
def test_a_strangers_suggestions(tmp_path: Path, table: pa.Table, sentence: str) -> None:
    pq.write_table(table, tmp_path / "s.parquet")
    with pytest.raises(ArttlError, match=sentence):
        Collection(tmp_path / "s.parquet", None)


def test_a_text_that_many_rows_share_is_no_bomb(tmp_path: Path) -> None:
    # 512 rows of a megabyte in a file of some kilobytes.
    table = pa.concat_tables([one_row(picture="x" * 2**20)] * 512)
    pq.write_table(table, tmp_path / "s.parquet", compression="zstd")
    assert (tmp_path / "s.parquet").stat().st_size < 2**20
    with pytest.raises(ArttlError, match="a text of more than 1,000 characters"):
        Collection(tmp_path / "s.parquet", None)


@pytest.mark.parametrize("data", [b"", b"PAR1" + bytes(100) + b"PAR1", b"object_number\n"])
def test_no_parquet_at_all(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s.parquet").write_bytes(data)
    with pytest.raises(ArttlError, match="cannot be read as Parquet"):
        Collection(tmp_path / "s.parquet", None)
    with pytest.raises(ArttlError, match=r"must end in \.parquet or \.jsonl"):
        Collection(tmp_path / "s.csv", None)


def test_labels_are_numbered_as_they_come() -> None:
    labels = Labels()
    assert labels.encode(pa.array(["b", "a", "b"])).tolist() == [0, 1, 0]
    assert (labels.names, labels.find("a"), labels.find("c")) == (["b", "a"], 1, None)
