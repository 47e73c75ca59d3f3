"""Objects of several institutions that have one number."""

from __future__ import annotations

from pathlib import Path

from review_cases import made_records, write_records

from arttl.review.collection import Collection


def test_the_picture_of_another_institutions_object_is_not_shown_for_a_neighbour(tmp_path: Path) -> None:
    records = made_records(6)
    for record, number, museum in zip(
        records,
        ["A.1", "A.2", "A.1", "A.2", "A.3", ""],
        ["North", "North", "South", "North", "", ""],
        strict=True,
    ):
        record |= {"object_number": number, "institution": museum}
    write_records(tmp_path / "s.parquet", records)
    collection = Collection(tmp_path / "s.parquet", None)
    found = {number: collection.find_number(number) for number in ("A.1", "A.2", "A.3", "A.4", "")}
    # A neighbour has a number and no institution: two objects may be meant by A.1, and one by A.2, of two photographs.
    assert found == {"A.1": None, "A.2": 1, "A.3": 4, "A.4": None, "": None}
