"""Dublin Core: which fields become numbers, labels, pictures and dates, and what is said of the others."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from dublin_core_cases import (
    EXAMPLE,
    HEAD,
    read,
    read_all,
    read_dry,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_cases import sorted_out

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources.dublin_core import read_dublin_core, without_role
from arttl.sources.settings import SourceSettings


def _record(*fields: str) -> str:
    return f"{HEAD}<o:dc>{''.join(fields)}</o:dc></r>"


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "sk-a-4878.tif").touch()
    tasks = ("type=dc:type", "material=dc:format[materiaal]", "artist=dc:creator[]", "all=format")
    (artwork,) = read(tmp_path, EXAMPLE, tasks=tasks)
    assert isinstance(artwork, Artwork)
    assert artwork.object_number == "SK-A-4878"
    assert artwork.image == tmp_path / "images" / "sk-a-4878.tif"
    assert artwork.labels == {
        "type": ("schilderij",),
        "material": ("olieverf", "doek"),
        "artist": ("Everdingen, Caesar Boëtius van",),
        "all": ("materiaal: olieverf", "materiaal: doek", "techniek: schilderen"),
    }
    assert artwork.raw_labels["artist"] == ("schilder: Everdingen, Caesar Boëtius van",)
    assert artwork.title == "Landschap"


def test_numbers_and_images(tmp_path: Path) -> None:
    identifiers = (
        "<dc:identifier>http://hdl.example/1</dc:identifier><dc:identifier>A.1</dc:identifier>"
        "<dc:relation>https://img.example/a%201.jpg</dc:relation>"
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a 1.jpg").touch()
    (artwork,) = read(tmp_path, _record(identifiers), image="dc:relation", tasks=("type",))
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.image.name) == ("A.1", "a 1.jpg")
    (artwork,), _ = read_dry(tmp_path, _record(identifiers), object_number="dc:relation")
    assert artwork.object_number == "https://img.example/a%201.jpg"
    (reject,) = read(tmp_path, _record(identifiers), image="dc:source")
    assert isinstance(reject, Reject)
    assert (reject.object_number, reject.reason) == ("A.1", "no-image-named")
    (reject,) = read(
        tmp_path, _record(identifiers.replace("https://img.example/", "../")), image="dc:relation"
    )
    assert isinstance(reject, Reject)
    assert reject.reason == "outside-folder"


def test_languages(tmp_path: Path) -> None:
    text = _record(
        "<dc:identifier>A</dc:identifier>",
        '<dc:type xml:lang="nl">prent</dc:type><dc:type xml:lang="en">print</dc:type>',
    )
    for language, expected in ((None, "prent"), ("en", "print")):
        (artwork,), _ = read_dry(tmp_path, text, language=language)
        assert artwork.labels["type"] == (expected,)


def test_a_folder_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "xml"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.xml").write_text(_record(f"<dc:identifier>{name}</dc:identifier>"))
    settings = SourceSettings(source="dublin-core", metadata=folder, dry_run=True)
    rows, _ = sorted_out(read_dublin_core(settings))
    assert [row.object_number for row in rows] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prentmaker: Dürer, Albrecht", "Dürer, Albrecht"),
        ("vermeld op object prentmaker: A. : B", "A. : B"),
        ("Dürer", "Dürer"),
        (" : ", ""),
        (":", ""),
        ("prentmaker: ", ""),
        ("prentmaker:", ""),
        ("prentmaker: anoniem", "anoniem"),
    ],
)
def test_roles(text: str, expected: str) -> None:
    assert without_role(text) == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metadata": None}, "needs --metadata"),
        ({"images": None}, "needs --images"),
        (
            {"tasks": ("type=dc:tipe",)},
            r"--tasks type 'dc:tipe' is not a field .* \(did you mean 'dc:type'\?\)",
        ),
        ({"image": "file"}, "--image 'file' is not a field of Dublin Core"),
        ({"object_number": "dc:format["}, "--object-number 'dc:format\\['"),
    ],
)
def test_bad_settings(changes: dict[str, object], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=sentence):
        read(tmp_path, EXAMPLE, **changes)


def _number(number: str, *fields: str) -> str:
    return f"<o:dc><dc:identifier>{number}</dc:identifier>{''.join(fields)}</o:dc>"


def _formats(*texts: str) -> str:
    return "".join(f"<dc:format>{text}</dc:format>" for text in texts)


def test_materials_with_a_prefix(tmp_path: Path) -> None:
    formats = _formats(
        "hoogte 20 cm", "materiaal: papier", "techniek: etsen", "lijst: hout", "1 blad", "inkt"
    )
    (artwork,), sentences = read_dry(tmp_path, f"{HEAD}{_number('A', formats)}</r>")
    assert artwork.labels["material"] == ("papier",)
    assert artwork.raw_labels["material"][:2] == ("hoogte 20 cm", "materiaal: papier")
    assert (
        "material: values taken: with prefix ('materiaal: papier'); left out: without a prefix beside one that has"
        " it ('inkt'), techniques ('techniek: etsen'), 2 sizes ('hoogte 20 cm'), with another prefix ('lijst:"
        " hout'); --tasks material=dc:format takes all, material=dc:format[PREFIX] those of a prefix"
    ) in sentences


def test_materials_without_a_prefix(tmp_path: Path) -> None:
    formats = _formats("olieverf", "doek", "50 x 60 cm", "schilderen", "image/jpeg", "oil, 50 x 60 cm")
    text = f"{HEAD}{_number('A', formats)}{_number('B', _formats('image/jpeg'))}</r>"
    (first, second), sentences = read_dry(tmp_path, text)
    assert first.labels["material"] == ("olieverf", "doek")
    assert second.labels["material"] == ()
    (sentence,) = (sentence for sentence in sentences if sentence.startswith("material: values taken"))
    assert "2 without prefix ('olieverf')" in sentence
    for left in (
        "techniques",
        "sizes",
        "2 formats of files",
        "with a size in them ('oil, 50 x 60 cm')",
    ):
        assert left in sentence
    (first, _), _ = read_dry(tmp_path, text, tasks=("technique", "all=dc:format"))
    assert first.labels["technique"] == ("schilderen",)
    assert len(first.labels["all"]) == 6


def test_the_material_comes_before_the_language(tmp_path: Path) -> None:
    """Values without a language, such as that of a file, do not take the place of those with one."""
    formats = (
        "<dc:format>image/jpeg</dc:format><dc:format xml:lang='nl'>olieverf</dc:format>"
        "<dc:format xml:lang='en'>oil paint</dc:format>"
    )
    for language, expected in ((None, "olieverf"), ("en", "oil paint")):
        (artwork,), sentences = read_dry(tmp_path, f"{HEAD}{_number('A', formats)}</r>", language=language)
        assert artwork.labels["material"] == (expected,)
    assert "material: values in other languages were left out (nl 1)" in sentences


def test_qualified_dublin_core(tmp_path: Path) -> None:
    head = HEAD.replace("<r ", "<r xmlns:dcterms='http://purl.org/dc/terms/' ")
    fields = (
        _formats("prent", "20 cm")
        + "<dcterms:medium>papier</dcterms:medium><dcterms:created>1650</dcterms:created><dc:date>2003</dc:date>"
    )
    tasks = ("material", "year=dcterms:created", "artist")
    (artwork,), _ = read_dry(tmp_path, f"{head}{_number('A', fields)}</r>", tasks=tasks)
    assert artwork.labels == {"material": ("papier",), "year": ("1650",), "artist": ()}
    assert artwork.date == "1650"


def test_elements_in_the_namespace_of_terms(tmp_path: Path) -> None:
    text = (
        '<q:qualifieddc xmlns:q="http://q.example" xmlns:t="http://purl.org/dc/terms/"><t:identifier>A</t:identifier>'
        "<t:type>vase</t:type><t:creator>Hals</t:creator></q:qualifieddc>"
    )
    (artwork,), _ = read_dry(tmp_path, f"<all>{text}</all>")
    assert (artwork.object_number, artwork.labels["type"], artwork.labels["artist"]) == (
        "A",
        ("vase",),
        ("Hals",),
    )


def test_records_under_an_element_of_the_institution_s_own(tmp_path: Path) -> None:
    text = (
        '<all xmlns:dc="http://purl.org/dc/elements/1.1/"><item><data><dc:identifier>1</dc:identifier>'
        "<dc:date>1896</dc:date><dc:date>1898</dc:date><dc:creator>Hayez</dc:creator>"
        "<dc:creator>http://viaf.org/viaf/1</dc:creator></data></item>"
        "<item><data><dc:identifier>2</dc:identifier></data></item></all>"
    )
    (first, second), sentences = read_dry(tmp_path, text)
    assert (first.object_number, second.object_number) == ("1", "2")
    assert first.labels["artist"] == ("Hayez",)
    assert first.identifiers == {"artist": {"Hayez": ("http://viaf.org/viaf/1",)}}
    assert first.date == "1896; 1898"
    assert "dump.xml: its records are the elements named 'data'" in sentences
    assert any(sentence.startswith("artist: 1 value is a web address") for sentence in sentences)


def test_files_without_records_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.XML").write_text(f"{HEAD}{_number('A')}</r>")
    (folder / "b.xml").write_text('<l:lidoWrap xmlns:l="http://www.lido-schema.org"><l:lido/></l:lidoWrap>')
    rows, sentences = sorted_out(
        read_dublin_core(SourceSettings(source="dublin-core", metadata=folder, dry_run=True))
    )
    assert len(rows) == 1
    assert (
        "passed over: files without Dublin Core records (b.xml: 1 LIDO record; use --source lido)"
        in sentences
    )


def test_several_identifiers(tmp_path: Path) -> None:
    several = "<dc:identifier>A.1</dc:identifier><dc:identifier>30358</dc:identifier>"
    text = _record("<dc:identifier>http://hdl.example/1</dc:identifier>", several)
    (artwork,), sentences = read_dry(tmp_path, text)
    assert artwork.object_number == "A.1"
    assert (
        "object number: 1 record has several dc:identifier that are no web address; the first is the number"
        " (A.1 of A.1, 30358); --object-number names another field"
    ) in sentences
    text = _record("<dc:identifier>http://hdl.example/1</dc:identifier><dc:identifier>A.1</dc:identifier>")
    (artwork,), sentences = read_dry(tmp_path, text)
    assert artwork.object_number == "A.1"
    assert (
        "object number: 1 record has a dc:identifier and web addresses beside it; it is the number"
        " (A.1 of http://hdl.example/1, A.1)"
    ) in sentences
    _, sentences = read_dry(tmp_path, _record("<dc:identifier>A.1</dc:identifier>"))
    assert not any("number" in sentence for sentence in sentences)


def test_creators_and_institutions(tmp_path: Path) -> None:
    fields = (
        "<dc:creator>schilder: Hals, Frans</dc:creator><dc:creator>Leyster, Judith</dc:creator>"
        "<dc:publisher>Museum A</dc:publisher>"
    )
    (artwork,), sentences = read_dry(tmp_path, f"{HEAD}{_number('A', fields)}</r>")
    assert artwork.labels["artist"] == ("schilder: Hals, Frans", "Leyster, Judith")
    assert (artwork.source, artwork.institution) == ("Museum A", None)
    assert (
        "artist: 1 value has a text before a colon, such as 'schilder: Hals, Frans'; it is part of the label, which"
        " --tasks artist=dc:creator[] leaves it out of"
    ) in sentences
    (artwork,), _ = read_dry(
        tmp_path,
        f"{HEAD}{_number('A', fields)}</r>",
        institution_column="dc:publisher",
        tasks=("artist=dc:creator[]",),
    )
    assert artwork.institution == "Museum A"
    assert artwork.labels["artist"] == ("Hals, Frans", "Leyster, Judith")


def test_a_language_that_a_record_lacks(tmp_path: Path) -> None:
    fields = "<dc:type xml:lang='nl'>prent</dc:type>"
    text = f"{HEAD}{_number('A', fields)}</r>"
    (artwork,), sentences = read_dry(tmp_path, text, language="de")
    assert artwork.labels["type"] == ("prent",)
    assert "type: 1 record has no value in 'de', and all of the others were taken (nl)" in sentences


def test_several_labels_in_a_value(tmp_path: Path) -> None:
    formats = _formats("olieverf; doek; 20 x 30 cm") + "<dc:creator>Hals; Leyster</dc:creator>"
    text = f"{HEAD}{_number('A', formats)}{_number('B', _formats('materiaal: hout; ivoor'))}</r>"
    (first, second), sentences = read_dry(tmp_path, text)
    assert (first.labels["material"], second.labels["material"]) == ((), ("hout; ivoor",))
    assert (
        "artist: 1 label has a ';' or '|' within, such as 'Hals; Leyster'; --label-separator splits there"
    ) in sentences
    (first, second), sentences = read_dry(tmp_path, text, label_separator=";")
    assert (first.labels["material"], first.labels["artist"]) == (("olieverf", "doek"), ("Hals", "Leyster"))
    assert second.labels["material"] == ("hout", "ivoor")
    assert not any("--label-separator" in sentence for sentence in sentences)


def test_the_first_picture_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("front.jpg", "back.jpg"):
        (tmp_path / "images" / name).touch()
    relations = "".join(
        f"<dc:relation>https://m.example/{name}</dc:relation>"
        for name in ("page", "front.jpg", "small/front.jpg", "back.jpg")
    )
    relations = f"<dc:relation>{'a name of no file ' * 20}</dc:relation>{relations}"
    (artwork,), sentences = read_all(
        tmp_path, _record("<dc:identifier>A</dc:identifier>", relations), image="dc:relation"
    )
    assert isinstance(artwork, Artwork)
    assert artwork.image.name == "front.jpg"
    assert "passed over: further pictures of an object (https://m.example/back.jpg)" in sentences


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["type", "creator", "title"]), st.text(alphabet="aé <&:;1\n", max_size=8)
            )
        ),
        min_size=1,
        max_size=5,
    )
)
def test_labels_equal_those_that_the_standard_library_reads(
    records: list[list[tuple[str, str]]], tmp_path: Path
) -> None:
    root = ElementTree.Element("all")
    for number, fields in enumerate(records):
        record = ElementTree.SubElement(root, "{http://www.openarchives.org/OAI/2.0/oai_dc/}dc")
        for name, text in [("identifier", f"N{number}"), *fields]:
            ElementTree.SubElement(record, f"{{http://purl.org/dc/elements/1.1/}}{name}").text = text
    artworks, _ = read_dry(tmp_path, ElementTree.tostring(root, encoding="unicode"), tasks=("type", "artist"))
    for artwork, fields in zip(artworks, records, strict=True):
        for task, element in (("type", "type"), ("artist", "creator")):
            expected = [" ".join(text.split()) for name, text in fields if name == element]
            assert artwork.labels[task] == tuple(dict.fromkeys(filter(None, expected)))
