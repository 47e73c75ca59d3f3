"""LIDO 1.1: valid by its schema, accepted values alone, and read back as they were accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_cases import (
    ACCEPTED_IDENTIFIERS,
    ACCEPTED_LABELS,
    SCHEMAS,
    identifiers_of,
    labels_of,
    read_back,
    write_inputs,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from arttl.characters import plain_text
from arttl.cli import run_command
from arttl.exchange.lido import lido_chunks
from arttl.exchange.values import Value, task_fields
from arttl.vocabularies.concepts import Concept

_TASKS = ("material", "type", "artist", "technique")
_XS = "http://www.w3.org/2001/XMLSchema"
# In place of what the schema imports; arttl writes no geometry.
_IMPORTED = {
    "xml.xsd": f'<xs:schema xmlns:xs="{_XS}" targetNamespace="http://www.w3.org/XML/1998/namespace">'
    '<xs:attribute name="lang" type="xs:language"/></xs:schema>',
    "gml.xsd": f'<xs:schema xmlns:xs="{_XS}" targetNamespace="http://www.opengis.net/gml">'
    '<xs:element name="Point"/><xs:element name="LineString"/><xs:element name="Polygon"/></xs:schema>',
}


class _Imports(etree.Resolver):
    def resolve(self, url: str, public_id: str, context: object) -> object:
        text = _IMPORTED.get(url.rpartition("/")[2])
        return None if text is None else self.resolve_string(text, context)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Imports())
    return etree.XMLSchema(etree.parse(SCHEMAS / "lido-v1.1.xsd", parser))


@pytest.mark.parametrize("language", ["", "de"])
@pytest.mark.parametrize("institution", ["", "Museum X"])
def test_valid_and_read_back(
    schema: etree.XMLSchema, tmp_path: Path, language: str, institution: str
) -> None:
    out = tmp_path / "out.xml"
    flags = write_inputs(tmp_path)
    flags += ["--language", language] if language else []
    flags += ["--institution", institution] if institution else []
    assert run_command("convert", [*flags, "--to", "lido", "--out", str(out)]) == 0
    document = etree.parse(out)
    schema.assertValid(document)
    artworks, _ = read_back("lido", out, tasks=tuple(f"{task}={task}" for task in _TASKS))
    assert labels_of(artworks) == ACCEPTED_LABELS
    assert identifiers_of(artworks) == ACCEPTED_IDENTIFIERS
    assert {artwork.institution or "" for artwork in artworks.values()} == {institution}
    assert b"Rembrandt" not in out.read_bytes() and b"painting<" not in out.read_bytes()
    # The schema finds what is wrong.
    record = document.find("{*}lido")
    assert record is not None
    record.remove(record[0])
    assert not schema.validate(document)


def test_records_of_two_museums_with_one_number_are_two(tmp_path: Path) -> None:
    objects = [
        (Value("1", "type", kind, institution=museum, verdict="accepted"),)
        for kind, museum in (("coin", "A"), ("vase", "B"), ("print", ""))
    ]
    path = tmp_path / "lido.xml"
    path.write_bytes(b"".join(lido_chunks(iter(objects), {"type": "type"})))
    found = [element.text for element in etree.parse(path).iter("{*}lidoRecID")]
    assert found == ["A/1", "B/1", "1"]


_texts = st.text(min_size=1, max_size=30).map(plain_text).filter(bool)
_alphabet = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
_in_xml = st.text(_alphabet, min_size=1, max_size=30).map(plain_text).filter(bool)


@given(
    st.dictionaries(
        st.sampled_from(["material", "type", "technique"]),
        st.lists(_in_xml, min_size=1, max_size=3, unique=True),
        min_size=1,
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_labels_are_valid_and_read_back(
    schema: etree.XMLSchema, tmp_path: Path, labels: dict[str, list[str]]
) -> None:
    values = tuple(
        Value("A 1", task, label, verdict="accepted") for task, names in labels.items() for label in names
    )
    path = tmp_path / "any.xml"
    path.write_bytes(b"".join(lido_chunks([values], task_fields(()))))
    schema.assertValid(etree.parse(path))
    artworks, _ = read_back("lido", path, tasks=tuple(f"{task}={task}" for task in _TASKS))
    assert labels_of(artworks) == {"A 1": {task: tuple(labels[task]) for task in _TASKS if task in labels}}


@given(_texts, _texts, _texts)
@example("1\ufffe", "a\uffff", "b\ud800")
@settings(max_examples=60, deadline=None)
def test_any_text_is_well_formed(number: str, label: str, who: str) -> None:
    value = Value(number, "artist", label, (Concept("x:1", who),), institution=who, verdict="accepted")
    etree.fromstring(b"".join(lido_chunks([(value,)], task_fields(()))))


def test_no_record_without_an_accepted_value() -> None:
    suggested = Value("1", "type", "vase", probability=0.9, status="suggested")
    rejected = Value("2", "type", "vase", verdict="rejected")
    other = Value("3", "subject", "ship", verdict="accepted")
    data = b"".join(lido_chunks([(suggested,), (rejected,), (other,)], task_fields(())))
    assert not len(etree.fromstring(data))
    assert len(etree.fromstring(b"".join(lido_chunks([(other,)], task_fields(["subject=type"]))))) == 1
