"""LIDO: records of very many parts, and of elements in any order."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lido_cases import (
    actor,
    description,
    element,
    event,
    material,
    materials,
    notes,
    read,
    read_one,
    record,
    term,
)

from arttl.artworks import Artwork
from arttl.lido.record import FIELDS


def test_a_record_of_very_many_parts_takes_no_time(tmp_path: Path) -> None:
    many = 6_000
    concept = element("conceptID", "{}", source="S") + term("oil")
    one = record(
        description(
            "".join(event("Production") + event("event") for _ in range(many)),
            event(
                "Production", materials(*(material(concept.format(i), type="material") for i in range(many)))
            ),
            event("Production", *(actor(f"A {index}") for index in range(many // 10))),
        )
    )
    started = time.process_time()
    artwork = read_one(tmp_path, one)
    assert time.process_time() - started < 5
    assert len(artwork.identifiers["material"]["oil"]) == many
    assert len(artwork.labels["artist"]) == many // 10


_NAMES = (
    *(
        "descriptiveMetadata",
        "objectWorkType",
        "eventSet",
        "event",
        "eventType",
        "eventActor",
        "actorInRole",
        "actor",
    ),
    *(
        "nameActorSet",
        "appellationValue",
        "roleActor",
        "attributionQualifierActor",
        "actorID",
        "eventDate",
        "date",
    ),
    *(
        "earliestDate",
        "latestDate",
        "displayDate",
        "eventMaterialsTech",
        "materialsTech",
        "termMaterialsTech",
        "term",
    ),
    *(
        "conceptID",
        "displayMaterialsTech",
        "repositorySet",
        "repositoryName",
        "legalBodyName",
        "workID",
        "recordSource",
    ),
    *(
        "administrativeMetadata",
        "resourceSet",
        "resourceRepresentation",
        "linkResource",
        "titleSet",
        "lidoRecID",
    ),
)
_TEXTS = st.sampled_from(
    ["", "Production", "material", "painter", "after", "0", "-50", "http://x/", "a (b", "%", "é"]
)
_TREES = st.recursive(
    _TEXTS,
    lambda inner: st.builds(
        lambda name, children, kind, lang: element(
            name, *children, type=kind, pref=kind, source=kind, lang=lang
        ),
        st.sampled_from(_NAMES),
        st.lists(inner, max_size=4),
        _TEXTS,
        st.sampled_from(["", "en", "nl"]),
    ),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(_TREES, min_size=1, max_size=6),
    language=st.sampled_from([None, "en"]),
    attributed=st.booleans(),
)
def test_any_elements_are_read(
    parts: list[str], language: str | None, attributed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    items = read(folder, record(*parts), language=language, attributed=attributed, tasks=tuple(FIELDS))
    (artwork,) = (item for item in items if isinstance(item, Artwork))
    for labels in artwork.labels.values():
        assert all(label and label == " ".join(label.split()) for label in labels)
        assert len(set(labels)) == len(labels)
    assert all(set(kept) <= set(artwork.labels[task]) for task, kept in artwork.identifiers.items())
    assert all(qualifier and name for qualifier, name in artwork.attributions)
    assert all(len(note) < 2000 for note in notes(items))
