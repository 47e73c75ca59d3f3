from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources import dublin_core
from arttl.sources.dublin_core import read_dublin_core, without_role
from arttl.sources.settings import SourceSettings

_HEAD = (
    '<r xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:o="http://www.openarchives.org/OAI/2.0/oai_dc/">'
)


def _example() -> str:
    """The record in the module's docstring."""
    text = inspect.cleandoc(dublin_core.__doc__ or "")
    start = text.index("    <record")
    return textwrap.dedent(text[start : text.index("    </record>") + len("    </record>")])


def _read(tmp_path: Path, text: str, **changes: object) -> list[Artwork | Reject]:
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "dump.xml").write_text(text, encoding="utf-8")
    values = {"metadata": tmp_path / "dump.xml", "images": tmp_path / "images", **changes}
    return list(read_dublin_core(SourceSettings(source="dublin-core", **values)))  # type: ignore[arg-type]


def _record(*fields: str) -> str:
    return f"{_HEAD}<o:dc>{''.join(fields)}</o:dc></r>"


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "sk-a-4878.tif").touch()
    tasks = ("type=dc:type", "material=dc:format[materiaal]", "artist=dc:creator[]", "all=format")
    (artwork,) = _read(tmp_path, _example(), tasks=tasks)
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


def test_an_oai_pmh_answer(tmp_path: Path) -> None:
    deleted = '<record><header status="deleted"><identifier>oai:x:1</identifier></header></record>'
    nameless = "<record><header/><metadata/></record>"
    text = (
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
        f"{deleted}{nameless}{_example()}</ListRecords></OAI-PMH>"
    )
    reject, artwork = _read(tmp_path, text)
    assert reject == Reject("", "", "", "no-object-number", "record 2 of dump.xml")
    assert isinstance(artwork, Artwork)
    assert artwork.labels == {
        "type": ("schilderij",),
        "artist": ("schilder: Everdingen, Caesar Boëtius van",),
    }


def test_numbers_and_images(tmp_path: Path) -> None:
    identifiers = (
        "<dc:identifier>http://hdl.example/1</dc:identifier><dc:identifier>A.1</dc:identifier>"
        "<dc:relation>https://img.example/a%201.jpg</dc:relation>"
    )
    (artwork,) = _read(tmp_path, _record(identifiers), image="dc:relation", tasks=("type",))
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.image.name) == ("A.1", "a 1.jpg")
    (artwork,) = _read(tmp_path, _record(identifiers), object_number="dc:relation")
    assert isinstance(artwork, Artwork)
    assert artwork.object_number == "https://img.example/a%201.jpg"
    (reject,) = _read(tmp_path, _record(identifiers), image="dc:source")
    assert isinstance(reject, Reject)
    assert (reject.object_number, reject.reason) == ("A.1", "no-image-named")
    (reject,) = _read(
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
        (artwork,) = _read(tmp_path, text, language=language)
        assert isinstance(artwork, Artwork)
        assert artwork.labels["type"] == (expected,)


def test_a_folder_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "xml"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.xml").write_text(_record(f"<dc:identifier>{name}</dc:identifier>"))
    settings = SourceSettings(source="dublin-core", metadata=folder, dry_run=True)
    found = [artwork.object_number for artwork in read_dublin_core(settings)]
    assert found == ["a", "b"]


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
        _read(tmp_path, _example(), **changes)
