from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from peak_memory import peak_memory

from arttl.errors import ArttlError
from arttl.records.xml_records import (
    XML_LANG,
    in_language,
    inherited_language,
    language_code,
    language_codes,
    read_records,
    words,
)

_BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><all><r>&c;</r></all>"""
_OUTSIDE = """<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><all><r>&x;</r></all>"""
_OUTSIDE_TYPE = """<!DOCTYPE r SYSTEM "http://127.0.0.1:9/evil.dtd"><all><r/></all>"""


def _read(tmp_path: Path, data: bytes | str, *names: str) -> list[ElementTree.Element]:
    path = tmp_path / "f.xml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [_without_tail(record) for record in list(read_records(path, names or ("r",)))]


def test_records_equal_those_of_the_standard_library(tmp_path: Path) -> None:
    text = (
        '<all xmlns="http://a.example" xmlns:b="http://b.example"><r n="1" b:n="2">one<b:x>two</b:x>three<x/>'
        '<r>inner</r>four</r><b:r/>between<r xml:lang="nl">é&amp;&#233;<![CDATA[<z>]]></r></all>'
    )
    found = _read(tmp_path, text, "{http://a.example}r", "{http://b.example}r")
    assert [ElementTree.tostring(record) for record in found] == [
        ElementTree.tostring(_without_tail(record)) for record in ElementTree.fromstring(text)
    ]


def test_what_the_standard_library_reads_is_not_refused(tmp_path: Path) -> None:
    text = '<all xmlns:x="http://a b" xml:id="no name"><r xml:id="n"/><!-- c --><r xml:id="n">a<!-- b -->c</r></all>'
    found = _read(tmp_path, text)
    assert [ElementTree.tostring(record) for record in found] == [
        ElementTree.tostring(record) for record in ElementTree.fromstring(text)
    ]


def _without_tail(element: ElementTree.Element) -> ElementTree.Element:
    element.tail = None
    return element


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300) | st.text(alphabet="<>/&;ra!?-[]\"' =\n", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        found = _read(folder, b"<all>" + data + b"</all>")
    except ArttlError as error:
        assert "f.xml" in str(error)
    else:
        whole = ElementTree.fromstring(b"<all>" + data + b"</all>")
        assert len(found) == sum(1 for _ in whole.iter("r")) - sum(len(list(r.iter("r"))) - 1 for r in found)


@pytest.mark.parametrize("text", [_BOMB, _OUTSIDE, _OUTSIDE_TYPE, "<!DOCTYPE all><all><r/></all>"])
def test_document_types_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"line [12] of .*f\.xml: a document type or entity is declared"):
        _read(tmp_path, text)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("<all><r></all>", r"line 1 of .*f\.xml is not well-formed XML: Opening and ending tag mismatch"),
        (
            "<all>\n<r>&nbsp;</r></all>",
            r"line 2 of .*f\.xml is not well-formed XML: Entity 'nbsp' not defined",
        ),
        (f"<{'a' * 9000}></b>", r"line 1 of .*f\.xml is not well-formed XML: .{300}$"),
        ("<all><r/>", r"line 1 of .*f\.xml is not well-formed XML: Premature end"),
        ("", "f.xml is not XML but an empty file"),
        (
            '{"@context": "x", "type": "HumanMadeObject"}',
            r"f\.xml is not XML but Linked Art .*; use --source linked",
        ),
        ("<!DOCTYPE html><html><p>Sign in</p></html>", r"f\.xml is not XML but an HTML page"),
        (
            b"<all><r>\xff</r></all>",
            r"line 1 of .*f\.xml is not well-formed XML: (Invalid bytes|Input is not proper)",
        ),
        (b"<?xml version='1.0' encoding='klingon'?><r/>", "f.xml is not well-formed XML"),
        ("<r>" * 300, "nested more than 200 deep"),
        (f"<all><r>{'<d>' * 200}{'</d>' * 200}</r></all>", "nested more than 200 deep"),
        ("<all><r>" + "x" * (9 * 2**20), "a record has more than 8 MiB"),
    ],
)
def test_bad_files(data: bytes | str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=sentence):
        _read(tmp_path, data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?><all><r>Dürer é</r></all>"
    assert [words(record) for record in _read(tmp_path, text.encode(encoding))] == ["Dürer é"]


def test_a_large_file_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    with path.open("w") as file:
        file.write("<all>")
        for index in range(150_000):
            file.write(f"<r><x>{index}</x>{'y' * 300}</r>\n")
        file.write("</all>")
    before = peak_memory()
    assert sum(int(record[0].text or 0) for record in read_records(path, ["r"])) == sum(range(150_000))
    assert not list(read_records(path, ["other"]))  # nor what is no record
    grown = peak_memory() - before
    assert grown < 20_000, f"{grown} kB more for a file of {path.stat().st_size // 1000} kB"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="does not exist"):
        list(read_records(tmp_path / "none.xml", ["r"]))


def _texts(elements: list[etree._Element], language: str | None) -> list[str]:
    return [words(element) for element in in_language(elements, language)]


def test_languages() -> None:
    text = (
        '<a><b xml:lang="nl">doek</b><b xml:lang="en-GB">canvas</b><b xml:lang="nl-BE">lijst</b><b>x</b></a>'
    )
    elements = list(etree.fromstring(text))
    for language, expected in ((None, ["doek", "lijst"]), ("en", ["canvas"]), ("EN-us", ["canvas"])):
        assert _texts(elements, language) == expected
    assert len(in_language(elements, "de")) == 4
    assert in_language([], "de") == []


def test_a_language_is_inherited_from_the_elements_around() -> None:
    text = (
        '<a xml:lang="nl"><w xml:lang="en"><b>canvas</b><b xml:lang="">42</b></w><b>doek</b>'
        '<w><v><b>verf</b><b xml:lang="de">Leinwand</b></v></w></a>'
    )
    elements = list(etree.fromstring(text).iter("b"))
    assert _texts(elements, "nl") == ["doek", "verf"]
    assert _texts(elements, "en") == ["canvas"]
    assert _texts(elements, "de") == ["Leinwand"]
    assert _texts(elements, None) == ["canvas"]
    assert len(_texts(elements, "fr")) == 5


_LANGUAGES = st.sampled_from([None, "", "en", "nl-BE"])
_TREES = st.recursive(
    st.builds(lambda language: (language, []), _LANGUAGES),
    lambda inner: st.tuples(_LANGUAGES, st.lists(inner, max_size=3)),
    max_leaves=15,
)


def _xml(tree: tuple[str | None, list[object]]) -> str:
    language, children = tree
    own = "" if language is None else f' xml:lang="{language}"'
    return f"<b{own}>{''.join(map(_xml, children))}</b>"  # type: ignore[arg-type]


@given(_TREES)
def test_inherited_languages_equal_those_of_xpath(tree: tuple[str | None, list[object]]) -> None:
    for element in etree.fromstring(_xml(tree)).iter("b"):
        found = element.xpath("string(ancestor-or-self::*[@xml:lang][1]/@xml:lang)")
        assert inherited_language(element) == found


@given(_TREES)
def test_codes_of_several_elements_equal_those_of_each(tree: tuple[str | None, list[object]]) -> None:
    elements = list(etree.fromstring(_xml(tree)).iter("b"))
    expected = [language_code(inherited_language(element)) for element in elements]
    assert language_codes(elements) == expected
    assert language_codes(elements[::-1]) == expected[::-1]
    for language in (None, "en", "nl", "fr"):
        chosen = language or expected[0]
        alike = [element for element, code in zip(elements, expected, strict=True) if code == chosen]
        assert in_language(elements, language) == (alike or elements)


def test_codes_of_three_letters_are_those_of_two() -> None:
    elements = list(
        etree.fromstring('<a><b xml:lang="deu">Holz</b><b xml:lang="ger">Holz</b><b xml:lang="en">w</b></a>')
    )
    assert _texts(elements, "de") == ["Holz", "Holz"]
    assert _texts(elements, "eng") == ["w"]
    assert _texts(elements, "de_AT") == ["Holz", "Holz"]


def test_a_record_carries_the_language_of_the_elements_around_it(tmp_path: Path) -> None:
    text = (
        '<all xml:lang="nl"><w xml:lang="en-GB"><r><b>canvas</b></r></w><r><b>doek</b></r>'
        '<r xml:lang="de"><b>Leinwand</b></r><w xml:lang="fr"><r xml:lang=""><b>x</b></r></w></all>'
    )
    records = _read(tmp_path, text)
    assert [record.get(XML_LANG) for record in records] == ["en-GB", "nl", "de", ""]
    assert [_texts(list(record), "en") for record in records] == [["canvas"], ["doek"], ["Leinwand"], ["x"]]
    assert [_texts(list(record.iter("b")), "nl") for record in records][1] == ["doek"]
    (alone,) = _read(tmp_path, "<all><r/></all>")
    assert not alone.attrib
