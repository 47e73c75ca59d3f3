from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources import lido
from arttl.sources.lido import read_lido
from arttl.sources.settings import SourceSettings

_WRAP = '<lido:lidoWrap xmlns:lido="http://www.lido-schema.org" xmlns:skos="http://www.w3.org/2004/02/skos/core#">'


def _example() -> str:
    """The record in the module's docstring."""
    text = inspect.cleandoc(lido.__doc__ or "")
    start = text.index("    <lido:lido>")
    return textwrap.dedent(text[start : text.index("    </lido:lido>") + len("    </lido:lido>")])


def _read(tmp_path: Path, *records: str, **changes: object) -> list[Artwork | Reject]:
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "dump.xml").write_text(f"{_WRAP}{''.join(records)}</lido:lidoWrap>", encoding="utf-8")
    values = {"metadata": tmp_path / "dump.xml", "images": tmp_path / "images", **changes}
    return list(read_lido(SourceSettings(source="lido", **values)))  # type: ignore[arg-type]


def _one(tmp_path: Path, *records: str, **changes: object) -> Artwork:
    (artwork,) = _read(tmp_path, *records, **changes)
    assert isinstance(artwork, Artwork)
    return artwork


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    artwork = _one(tmp_path, _example())
    assert artwork.object_number == "SK-A-4878"
    assert artwork.image.name == "SK_A_4878.jpg"
    assert artwork.labels == {
        "material": ("oil paint",),
        "type": ("painting",),
        "artist": ("Everdingen, Caesar van",),
    }


# As LIDO 1.1 files have it: concepts of the LIDO terminology, SKOS labels in several languages, materials of the
# object, an acquisition besides the production, several work numbers, a title, a picture.
_VERSION_1_1 = """<lido:lido><lido:lidoRecID>rec-1</lido:lidoRecID><lido:descriptiveMetadata>
<lido:objectWorkTypeWrap>
  <lido:objectWorkType><skos:Concept skos:about="x"><skos:prefLabel xml:lang="de">Gemälde</skos:prefLabel>
    <skos:prefLabel xml:lang="en">painting</skos:prefLabel></skos:Concept></lido:objectWorkType>
  <lido:objectWorkType><lido:term lido:pref="alternate">pic</lido:term>
    <lido:term lido:pref="preferred">picture</lido:term></lido:objectWorkType>
</lido:objectWorkTypeWrap>
<lido:titleWrap><lido:titleSet><lido:appellationValue>Winter</lido:appellationValue></lido:titleSet></lido:titleWrap>
<lido:repositoryWrap><lido:repositorySet><lido:workID lido:type="former number">old 1</lido:workID>
  <lido:workID lido:type="http://x/Inventory number">new 1</lido:workID></lido:repositorySet></lido:repositoryWrap>
<lido:objectMaterialsTechWrap><lido:objectMaterialsTechSet><lido:materialsTech>
  <lido:termMaterialsTech lido:type="http://terminology.lido-schema.org/lido00132"><lido:term>canvas</lido:term>
  </lido:termMaterialsTech>
  <lido:termMaterialsTech lido:type="http://terminology.lido-schema.org/lido00131"><lido:term>glazing</lido:term>
  </lido:termMaterialsTech>
  <lido:termMaterialsTech><lido:term>oil</lido:term></lido:termMaterialsTech>
</lido:materialsTech></lido:objectMaterialsTechSet></lido:objectMaterialsTechWrap>
<lido:eventWrap>
  <lido:eventSet><lido:event><lido:eventType><lido:term>Acquisition</lido:term></lido:eventType>
    <lido:eventActor><lido:actorInRole><lido:actor><lido:nameActorSet>
      <lido:appellationValue>A dealer</lido:appellationValue></lido:nameActorSet></lido:actor></lido:actorInRole>
    </lido:eventActor></lido:event></lido:eventSet>
  <lido:eventSet><lido:event>
    <lido:eventType><skos:Concept skos:about="http://terminology.lido-schema.org/lido00007"/></lido:eventType>
    <lido:eventActor><lido:actorInRole><lido:actor><lido:nameActorSet>
      <lido:appellationValue lido:pref="alternate">B., C.</lido:appellationValue>
      <lido:appellationValue lido:pref="preferred">Bril, C.</lido:appellationValue></lido:nameActorSet>
    </lido:actor></lido:actorInRole></lido:eventActor>
    <lido:eventDate><lido:displayDate>about 1650</lido:displayDate></lido:eventDate>
  </lido:event></lido:eventSet>
</lido:eventWrap></lido:descriptiveMetadata>
<lido:administrativeMetadata><lido:resourceWrap><lido:resourceSet><lido:resourceRepresentation>
  <lido:linkResource>https://img.example/large/IMG-9.jpg</lido:linkResource></lido:resourceRepresentation>
</lido:resourceSet></lido:resourceWrap></lido:administrativeMetadata></lido:lido>"""


def test_version_1_1(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "img_9.tif").touch()
    tasks = ("material", "technique", "type", "artist")
    artwork = _one(tmp_path, _VERSION_1_1, tasks=tasks)
    assert artwork.object_number == "new 1"
    assert artwork.image.name == "img_9.tif"
    assert artwork.labels == {
        "material": ("canvas", "oil"),
        "technique": ("glazing",),
        "type": ("Gemälde", "picture"),
        "artist": ("Bril, C.",),
    }
    assert (artwork.title, artwork.date) == ("Winter", "about 1650")
    assert _one(tmp_path, _VERSION_1_1, language="en").labels["type"] == ("painting", "picture")


def test_records_without_a_number(tmp_path: Path) -> None:
    bare = "<lido:lido><lido:lidoRecID>rec/7</lido:lidoRecID></lido:lido>"
    reject, artwork = _read(tmp_path, "<lido:lido/>", bare, images=None, dry_run=True)
    assert reject == Reject("", "", "", "no-object-number", "record 1 of dump.xml")
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.labels["type"]) == ("rec/7", ())


def test_bad_settings(tmp_path: Path) -> None:
    for changes, sentence in (
        ({"metadata": None}, "needs --metadata"),
        ({"images": None}, "needs --images"),
        (
            {"tasks": ("material=materials",)},
            r"--tasks material: 'materials' is not a field .* \(did you mean 'material'",
        ),
    ):
        with pytest.raises(ArttlError, match=sentence):
            _read(tmp_path, _example(), **changes)
