"""Makers in the cells of tables."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from arttl.attribution.table_makers import InColumns, InName, InObjects, InSentence
from arttl.records.delimited import Row


def test_a_long_sentence_of_makers_takes_no_time() -> None:
    makers = InSentence("creators", "tombstone")
    for text in ("A (" * 100_000, "a, b" * 400, ("A (b), c " * 200)[:1999]):
        assert len(makers.read(Row("line 2", {"creators": text, "tombstone": text}))) <= 1


def test_roles_beside_names_of_one_row() -> None:
    makers = InColumns("n", ("r",), separator="|")
    row = Row("line 2", {"n": "A||B", "r": "after||"})
    assert [(maker.name, maker.qualifier) for maker in makers.read(row)] == [("A", "after"), ("B", "")]
    assert makers.read(Row("line 3", {"n": "", "r": ""})) == []


@given(
    st.text(alphabet='Ab (),;|?after of\n{"', max_size=60),
    st.text(alphabet="after| of?", max_size=20),
    st.booleans(),
)
def test_any_cells(names: str, roles: str, joins: bool) -> None:
    row = Row("line 2", {"n": names, "r": roles}, lists={"l": (names, json.dumps({"n": names, "r": roles}))})
    readers = (
        InColumns("n", ("r",), separator="|", joins=joins),
        InObjects("l", "n", "r", joins=joins),
        InName("n"),
        InSentence("n", "r"),
    )
    for reader in readers:
        for maker in reader.read(row):
            assert maker.name
            assert maker.name in names or not isinstance(reader, InColumns | InName)
