"""Linked Art: valid against the public schema and context, and read back as it was accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exchange_cases import (
    AAT,
    ACCEPTED_IDENTIFIERS,
    ACCEPTED_LABELS,
    SCHEMAS,
    identifiers_of,
    labels_of,
    read_back,
    write_inputs,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.characters import plain_text
from arttl.cli import run_command
from arttl.exchange.linked_art import linked_art_chunks, linked_art_record
from arttl.exchange.values import FIELDS, Model, Value, task_fields

_TASKS = ("material", "type", "artist", "technique")


@pytest.fixture
def records(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The records that the command writes, with all suggestions, by object number."""
    out = tmp_path / "out.json"
    flags = [*write_inputs(tmp_path), "--institution", "Museum X", "--predicted", "2026-11-29T10:00:00Z"]
    flags += ["--statuses", "suggested", "unsure", "outside", "--base", "https://museum.example/object/"]
    assert run_command("convert", [*flags, "--to", "linked-art", "--out", str(out)]) == 0
    return {record["_label"]: record for record in json.loads(out.read_text(encoding="utf-8"))}


def _validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    from referencing import Registry, Resource

    schemas = [json.loads((SCHEMAS / f"{name}.json").read_text()) for name in ("core", "object")]
    registry = Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in schemas])
    return jsonschema.Draft202012Validator(schemas[1], registry=registry)


def test_every_record_is_valid_by_the_public_schema(records: dict[str, dict[str, Any]]) -> None:
    validator = _validator()
    assert set(records) == {"SK-A-1718", "RP-P-1", "NG.4", "1907.1 <&>"}
    for record in records.values():
        assert [error.message for error in validator.iter_errors(record)] == []
    # The validator finds what is wrong.
    assert list(validator.iter_errors({**records["NG.4"], "made_from": []}))
    assert list(validator.iter_errors({**records["NG.4"], "made_of": [{"type": "Material"}]}))


def _leaves(value: Any) -> list[str]:
    """All texts of a document but for its context."""
    if isinstance(value, dict) and "@value" in value:  # expanded, whose type comes from the context
        return [str(value["@value"])]
    if isinstance(value, dict):
        return [text for key, inner in value.items() if key != "@context" for text in _leaves(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _leaves(inner)]
    return [str(value)]


def test_the_public_context_knows_every_term(records: dict[str, dict[str, Any]]) -> None:
    jsonld = pytest.importorskip("pyld").jsonld
    context = json.loads((SCHEMAS / "linked-art-context.json").read_text())

    def load(url: str, options: object) -> dict[str, Any]:
        assert url == "https://linked.art/ns/v1/linked-art.json"
        return {"contextUrl": None, "documentUrl": url, "document": context}

    for record in records.values():
        expanded = jsonld.expand(record, {"documentLoader": load})
        # Expansion drops what the context does not know.
        assert len(_leaves(expanded)) == len(_leaves(record))
        assert all(key.startswith(("http", "@")) for key in _keys(expanded))
    (first,) = jsonld.expand(records["SK-A-1718"], {"documentLoader": load})
    crm = "http://www.cidoc-crm.org/cidoc-crm/"
    assert [each["@id"] for each in first[f"{crm}P45_consists_of"]] == [f"{AAT}300015050", f"{AAT}300014078"]
    (property_,) = {
        assignment[f"{crm}P177_assigned_property_of_type"][0]["@id"]
        for assignment in first[f"{crm}P140i_was_attributed_by"]
        if "material" in json.dumps(assignment)
    }
    assert property_ == f"{crm}P45_consists_of"
    unknown = jsonld.expand({**records["NG.4"], "made_from": "x"}, {"documentLoader": load})
    assert len(_leaves(unknown)) < len(_leaves({**records["NG.4"], "made_from": "x"}))


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for inner in value.values() for key in _keys(inner))}
    return {key for inner in value for key in _keys(inner)} if isinstance(value, list) else set()


def test_a_plain_statement_only_for_what_is_accepted(records: dict[str, dict[str, Any]]) -> None:
    suggested = records["NG.4"]
    assert not suggested.keys() & {"made_of", "classified_as", "produced_by"}
    assert [each["assigned_property"] for each in suggested["attributed_by"]] == [
        "made_of",
        "classified_as",
        "produced_by",
    ]
    material = suggested["attributed_by"][0]
    assert material["classified_as"][0]["id"] == f"{AAT}300456841"
    assert material["assigned"] == [{"id": f"{AAT}300015050", "type": "Material", "_label": "oil paint"}]
    assert material["timespan"]["begin_of_the_begin"] == "2026-11-29T10:00:00Z"
    texts = {each["_label"]: each["content"] for each in material["referred_to_by"]}
    assert texts == {"confidence (calibrated probability)": "0.7000", "status": "unsure", "picture": "NG-4"}

    decided = records["SK-A-1718"]
    assert decided["id"] == "https://museum.example/object/SK-A-1718"
    assert records["1907.1 <&>"]["id"] == "https://museum.example/object/1907.1%20%3C%26%3E"
    artist = next(each for each in decided["attributed_by"] if each["_label"].startswith("artist"))
    assert artist["carried_out_by"][0]["_label"] == "A. Curator" and "classified_as" not in artist
    assert artist["timespan"]["end_of_the_end"] == "2026-11-30T08:15:00Z"
    # The type that the model suggested beside is no statement yet; the rejected artist is nowhere.
    assert "classified_as" not in decided
    assert "Rembrandt" not in json.dumps(records["RP-P-1"])
    # An accepted type is marked as a type of work, which readers look for.
    (vase,) = records["1907.1 <&>"]["classified_as"]
    assert vase["_label"] == "vase" and vase["classified_as"][0]["id"] == f"{AAT}300435443"
    # Two objects may have makers of one name who are not one person.
    other = linked_art_record((_accepted("9", "artist", "Lievens, Jan"),), task_fields(()))
    assert other is not None
    ids = {each["produced_by"]["carried_out_by"][0]["id"] for each in (other, records["RP-P-1"])}
    assert len(ids) == 2 and all(each.startswith("_:") for each in ids)


@pytest.mark.parametrize("name", ["out.json", "out.jsonl", "out.jsonld"])
def test_what_is_read_back_is_what_was_accepted(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    flags = [*write_inputs(tmp_path), "--statuses", "suggested", "unsure", "--institution", "Museum X"]
    assert run_command("convert", [*flags, "--to", "linked-art", "--out", str(out)]) == 0
    tasks = tuple(f"{task}={task}" for task in _TASKS)
    artworks, sentences = read_back("linked-art", out, tasks=tasks)
    assert labels_of(artworks) == ACCEPTED_LABELS
    assert identifiers_of(artworks) == ACCEPTED_IDENTIFIERS
    assert {artwork.institution for artwork in artworks.values()} == {"Museum X"}
    # Suggestions are attributions to nobody, even where attributions are asked for.
    assert not any(artwork.attributions for artwork in artworks.values())
    assert any("suggestions of software (AAT 300456841)" in sentence for sentence in sentences)
    attributed, _ = read_back("linked-art", out, tasks=tasks, attributed=True)
    assert labels_of(attributed) == ACCEPTED_LABELS


def _accepted(number: str, task: str, label: str) -> Value:
    return Value(number, task, label, verdict="accepted", model=Model())


_texts = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
    .map(plain_text)
    .filter(bool)
)


@given(
    st.dictionaries(
        st.sampled_from(FIELDS), st.lists(_texts, min_size=1, max_size=3, unique=True), min_size=1
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_labels_are_read_back(tmp_path: Path, labels: dict[str, list[str]]) -> None:
    # A maker's name may be one that readers divide at a qualifier ("after X"), so it is tried without such words.
    labels["artist"] = [f"Maker {index}" for index, _ in enumerate(labels.get("artist", []))]
    labels = {task: names for task, names in labels.items() if names}
    values = tuple(_accepted("A 1", task, label) for task, names in labels.items() for label in names)
    if not values:
        return
    path = tmp_path / "any.json"
    path.write_bytes(b"".join(linked_art_chunks([values], task_fields(()))))
    artworks, _ = read_back("linked-art", path, tasks=tuple(f"{task}={task}" for task in _TASKS))
    assert labels_of(artworks) == {"A 1": {task: tuple(labels[task]) for task in _TASKS if task in labels}}


def test_several_records_are_one_list() -> None:
    values = [(_accepted(number, "type", "vase"),) for number in "123"]
    assert len(json.loads(b"".join(linked_art_chunks(values, task_fields(()))))) == 3
    lines = b"".join(linked_art_chunks(values, task_fields(()), lines=True)).splitlines()
    assert [json.loads(line)["_label"] for line in lines] == ["1", "2", "3"]
    # The same address for the same object, and another one in another museum.
    ids = {
        json.loads(b"".join(linked_art_chunks([each], task_fields(()))))[0]["id"]
        for each in (
            (_accepted("1", "type", "vase"),),
            (Value("1", "type", "a", verdict="accepted", institution="B"),),
        )
    }
    assert len(ids) == 2
