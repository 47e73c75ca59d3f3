"""LIDO: numbers of records and objects, the museum that holds them, and dates."""

from __future__ import annotations

from pathlib import Path

import pytest
from lido_cases import (
    TERMINOLOGY,
    description,
    element,
    event,
    read,
    read_one,
    record,
)

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject


def test_records_without_a_number(tmp_path: Path) -> None:
    bare = "<lido:lido><lido:lidoRecID>rec/7</lido:lidoRecID></lido:lido>"
    reject, artwork = read(tmp_path, "<lido:lido/>", bare)
    assert reject == Reject("", "", "", "no-object-number", "record 1 of dump.xml")
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.labels["type"]) == ("rec/7", ())


def test_the_numbers_of_a_record(tmp_path: Path) -> None:
    alternate = element("lidoRecID", "uuid-1", pref="alternate") + element(
        "lidoRecID", "obj/1", pref="preferred"
    )
    only_in_the_wrap = element("administrativeMetadata", element("recordWrap", element("recordID", "402798")))
    items = read(tmp_path, element("lido", alternate), element("lido", only_in_the_wrap))
    assert [item.object_number for item in items if isinstance(item, Artwork)] == ["obj/1", "402798"]


@pytest.mark.parametrize(
    ("own", "records", "number"),
    [
        ("http://museum.example/7", (("local", "7"), ("TMS", "8")), "7"),
        ("http://museum.example/7", (("TMS", "8"), ("", "1981.1.I")), "1981.1.I"),
        ("DE-1/obj7", ((TERMINOLOGY + "lido00100", "007"),), "007"),
        ("DE-1/obj7", (("TMS", "8"), ("local", "https://museum.example/obj/7")), "DE-1/obj7"),
        ("http://museum.example/7", (("TMS", "8"),), "8"),
        ("http://museum.example/7", (("local", "www.museum.example/obj/7"),), "www.museum.example/obj/7"),
        ("http://museum.example/7", (), "http://museum.example/7"),
        ("httpd-7", (), "httpd-7"),
    ],
)
def test_a_local_number_comes_before_those_of_the_exchange(
    own: str, records: tuple[tuple[str, str], ...], number: str, tmp_path: Path
) -> None:
    ids = [element("recordID", text, **({"type": type_} if type_ else {})) for type_, text in records]
    administrative = element("administrativeMetadata", element("recordWrap", *ids))
    assert read_one(tmp_path, record(number=own, administrative=administrative)).object_number == number
    work = element("repositoryWrap", _holder(("", "https://museum.example/work/7"), ("", "W 1")))
    with_work = record(description(identification=work), number=own, administrative=administrative)
    assert read_one(tmp_path, with_work).object_number == "W 1"


def _holder(*numbers: tuple[str, str], kind: str = "", name: str = "") -> str:
    body = element("repositoryName", element("legalBodyName", element("appellationValue", name)))
    ids = [element("workID", number, **({"type": type_} if type_ else {})) for type_, number in numbers]
    return element("repositorySet", body, *ids, **({"type": kind} if kind else {}))


@pytest.mark.parametrize(
    ("holders", "number", "museum"),
    [
        (
            _holder(("inventory number", "OLD 1"), kind="former", name="Old Museum")
            + _holder(("inventory number", "NEW 1"), kind="current", name="New Museum"),
            "NEW 1",
            "New Museum",
        ),
        (
            _holder(("Inventarnummer", "OLD 1"), kind=TERMINOLOGY + "lido01019", name="Altes Museum")
            + _holder(
                ("", "7"), ("http://terminology.lido-schema.org/lido00113", "NEW 1"), name="Neues Museum"
            ),
            "NEW 1",
            "Neues Museum",
        ),
        (_holder(("former number", "F 1"), ("object number", "O 1"), name="Museum"), "O 1", "Museum"),
        (
            _holder(("inventory number", "OLD 1"), kind="formerRepository", name="Old Museum"),
            "rec-1",
            "Source",
        ),
        (_holder(("isbn", "978"), ("numero", "N 1")), "N 1", "Source"),
        (
            _holder(("inventory number", "A 1"), name="Lender")
            + _holder(
                ("", "B 1"),
                kind="http://terminology.lido-schema.org/repositorySet_type/current_repository_or_location",
                name="Museum",
            ),
            "B 1",
            "Museum",
        ),
        ("", "rec-1", "Source"),
    ],
)
def test_numbers_and_museums(holders: str, number: str, museum: str, tmp_path: Path) -> None:
    source = element("recordSource", element("legalBodyName", element("appellationValue", "Source")))
    administrative = element("administrativeMetadata", element("recordWrap", source))
    one = record(
        description(identification=element("repositoryWrap", holders)), administrative=administrative
    )
    artwork = read_one(tmp_path, one)
    assert (artwork.object_number, artwork.institution, artwork.source) == (number, museum, "Source")


def test_the_museum_of_a_record_is_no_provider_of_others_records(tmp_path: Path) -> None:
    def source(name: str, **attributes: str) -> str:
        return element(
            "recordSource", element("legalBodyName", element("appellationValue", name)), **attributes
        )

    wrap = element(
        "recordWrap",
        source("Portal", type="europeana:provider"),
        source("Network", type="dataProvider"),
        source("Museum"),
    )
    one = record(administrative=element("administrativeMetadata", wrap))
    assert read_one(tmp_path, one).institution == "Museum"
    wrap = element(
        "recordWrap",
        source("Portal", type="europeana:provider"),
        source("Museum", type="europeana:dataProvider"),
    )
    one = record(administrative=element("administrativeMetadata", wrap))
    assert read_one(tmp_path, one).institution == "Museum"


def _dated(displayed: str = "", earliest: str = "", latest: str = "") -> str:
    span = element("date", element("earliestDate", earliest), element("latestDate", latest))
    date = element("eventDate", element("displayDate", displayed), span)
    return record(description(event("production", date)))


@pytest.mark.parametrize(
    ("parts", "date", "year"),
    [
        (("about 1650", "1640", "1660"), "about 1650", "1640-1660"),
        (("", "1650", "1660"), "1650-1660", "1650-1660"),
        (("", "1654", "1654"), "1654", "1654"),
        (("", "1959", ""), "1959", "1959"),
        (("", "", "1959"), "1959", "1959"),
        (("", "0", "0"), None, ()),
        (("0", "0000", "0000-00-00"), None, ()),
        (("17de eeuw", "0", "0"), "17de eeuw", "17de eeuw"),
        (("", "1654-03-01", "1655-12-31"), "1654-03-01/1655-12-31", "1654-1655"),
        (("", "1654-03", "9999"), "1654-03", "1654"),
        (("", "0800", "0900"), "0800-0900", "800-900"),
        (("", "-0300", "-0200"), "-0300/-0200", "300-200 BC"),
        (("about the year 1", "-10", "10"), "about the year 1", "about the year 1"),
        (("", "spring", "1650"), "spring-1650", "spring-1650"),
        (("", "", ""), None, ()),
    ],
)
def test_dates(parts: tuple[str, str, str], date: str | None, year: str | tuple[()], tmp_path: Path) -> None:
    artwork = read_one(tmp_path, _dated(*parts), tasks=("year", "made=date"))
    assert artwork.date == date
    assert artwork.labels == {"year": (year,) if year else (), "made": (date,) if date else ()}
