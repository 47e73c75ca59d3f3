"""LIDO: labels and their identifiers, languages, pictures, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from lido_cases import (
    TERMINOLOGY,
    Item,
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
    work_type,
)
from source_cases import documented_record

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.sources import lido
from arttl.sources.registry import open_source
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

_EXAMPLE = documented_record(lido, "lido:lido")


def _read(tmp_path: Path, *records: str, **changes: object) -> list[Item]:
    """The items but for notes, with a folder of images."""
    (tmp_path / "images").mkdir(exist_ok=True)
    items = read(tmp_path, *records, **{"images": tmp_path / "images", "dry_run": False, **changes})
    return [item for item in items if not isinstance(item, Note)]


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    artwork = read_one(tmp_path, _EXAMPLE)
    assert artwork.object_number == "SK-A-4878"
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
    (artwork,) = _read(tmp_path, _VERSION_1_1, tasks=tasks)
    assert isinstance(artwork, Artwork)
    assert artwork.object_number == "new 1"
    assert artwork.image.name == "img_9.tif"
    assert artwork.labels == {
        "material": ("canvas", "oil"),
        "technique": ("glazing",),
        "type": ("Gemälde", "picture"),
        "artist": ("Bril, C.",),
    }
    assert (artwork.title, artwork.date) == ("Winter", "about 1650")
    assert read_one(tmp_path, _VERSION_1_1, language="en").labels["type"] == ("painting", "picture")


_IN_TWO_LANGUAGES = record(
    description(
        event("Herstellung", actor("Bril, Paul", "Maler"), materials(material("Ölfarbe", type="Material"))),
        types=work_type(term("Gemälde"), term("Tafelbild", addedSearchTerm="yes")),
        lang="de",
    ),
    description(
        event(
            "production", actor("Bril, Paul", "painter"), materials(material("oil paint", type="material"))
        ),
        types=work_type(term("painting"), term("panel painting", addedSearchTerm="yes")),
        lang="en-GB",
    ),
)


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("en", (("oil paint",), ("painting",), ("Bril, Paul",))),
        ("de", (("Ölfarbe",), ("Gemälde",), ("Bril, Paul",))),
        (None, (("Ölfarbe",), ("Gemälde",), ("Bril, Paul",))),
        ("fr", (("Ölfarbe",), ("Gemälde",), ("Bril, Paul",))),
    ],
)
def test_one_part_per_language(
    language: str | None, labels: tuple[tuple[str, ...], ...], tmp_path: Path
) -> None:
    artwork = read_one(tmp_path, _IN_TWO_LANGUAGES, language=language)
    assert tuple(artwork.labels.values()) == labels


def test_labels_in_another_language_are_counted(tmp_path: Path) -> None:
    dutch = record(description(types=work_type(term("schilderij")), lang="nl"), number="2")
    # One part with terms in several languages; those without are in that of the part.
    several = record(
        description(types=work_type(term("schilderij"), term("painting", lang="en")), lang="nl"), number="3"
    )
    items = read(tmp_path, _IN_TWO_LANGUAGES, dutch, several, language="en", tasks=("type",))
    assert [item.labels["type"] for item in items if isinstance(item, Artwork)] == [
        ("painting",),
        ("schilderij",),
        ("painting",),
    ]
    assert (
        "--language en: labels are taken in other languages where there are none in it, in 1 of 3 records: nl 1"
        in notes(items)
    )
    assert not any("--language" in note for note in notes(read(tmp_path, dutch, several)))


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
            _read(tmp_path, _EXAMPLE, **changes)


def test_identifiers_are_kept_as_they_stand(tmp_path: Path) -> None:
    aat = "http://vocab.getty.edu/aat/300015050"
    oil = (
        element("conceptID", aat, type="URI") + element("conceptID", "4711", source="TMS") + term("oil paint")
    )
    canvas = (
        '<skos:Concept rdf:about="https://vocab.getty.edu/aat/300014078"><skos:prefLabel xml:lang="en">canvas'
        '</skos:prefLabel><skos:exactMatch rdf:resource="http://www.wikidata.org/entity/Q12321255"/>'
        "<skos:exactMatch>https://d-nb.info/gnd/4167335-9</skos:exactMatch></skos:Concept>"
    )
    ids = (
        element("actorID", "500115493", source="ULAN")
        + element("actorID", "https://rkd.nl/artists/66219", source="RKD")
        + element("actorID", "118803565", source="http://d-nb.info/gnd")
        + element("actorID", "12", type="local")
        + element("actorID", "", source="VIAF")
    )
    one = record(
        description(
            event(
                "Production",
                actor("Rembrandt", "painter", identifiers=ids),
                materials(material(oil, type="material"), material(canvas, type="material")),
            ),
            types=work_type(term("painting")),
        )
    )
    artwork = read_one(tmp_path, one, tasks=("stuff=material", "type", "artist"))
    assert artwork.labels == {
        "stuff": ("oil paint", "canvas"),
        "type": ("painting",),
        "artist": ("Rembrandt",),
    }
    assert artwork.identifiers == {
        "stuff": {
            "oil paint": (aat, "TMS:4711"),
            "canvas": (
                "https://vocab.getty.edu/aat/300014078",
                "http://www.wikidata.org/entity/Q12321255",
                "https://d-nb.info/gnd/4167335-9",
            ),
        },
        "artist": {
            "Rembrandt": ("ULAN:500115493", "https://rkd.nl/artists/66219", "http://d-nb.info/gnd/118803565")
        },
    }


def test_a_concept_without_a_term_is_named_by_its_own_text_or_its_identifier(tmp_path: Path) -> None:
    aat = "http://vocab.getty.edu/aat/300033618"
    types = (
        work_type(element("conceptID", aat, type="URI"))
        + element("objectWorkTypeWrap", element("objectWorkType", "  drawing\n "))
        + work_type()
        + work_type(term(""))
    )
    assert read_one(tmp_path, record(description(types=types)), tasks=("type",)).labels == {
        "type": (aat, "drawing")
    }


_OAI = "http://www.openarchives.org/OAI/2.0/"


def test_records_in_an_oai_envelope(tmp_path: Path) -> None:
    """Without prefixes, several records in one wrap, a deleted one, the language of an element around."""
    lido_records = "".join(
        f"<lido><lidoRecID>{number}</lidoRecID><descriptiveMetadata><objectWorkType><term pref='alternate'>x</term>"
        "<term pref='preferred'>Bild</term><term lang='en'>y</term></objectWorkType></descriptiveMetadata></lido>"
        for number in (1, 2)
    ).replace("<objectWorkType>", "<objectWorkTypeWrap><objectWorkType>")
    lido_records = lido_records.replace("</objectWorkType>", "</objectWorkType></objectWorkTypeWrap>")
    (tmp_path / "dump.XML").write_text(
        f'<?xml version="1.0"?><OAI-PMH xmlns="{_OAI}" xml:lang="de"><ListRecords><record><header>'
        '<identifier>oai:m:1</identifier></header><metadata><lidoWrap xmlns="http://www.lido-schema.org">'
        f"{lido_records}</lidoWrap></metadata></record><record><header status='deleted'><identifier>oai:m:3"
        "</identifier></header></record></ListRecords></OAI-PMH>"
    )
    items = list(
        lido.read_lido(
            SourceSettings(source="lido", metadata=tmp_path, dry_run=True, tasks=("type",), language="en")
        )
    )
    artworks = [item for item in items if isinstance(item, Artwork)]
    assert [(one.object_number, one.labels) for one in artworks] == [
        ("1", {"type": ("Bild",)}),
        ("2", {"type": ("Bild",)}),
    ]
    assert [item for item in items if isinstance(item, PassedOver)] == [
        PassedOver("deleted OAI-PMH records", "oai:m:3")
    ]
    assert notes(items) == [
        "--language en: labels are taken in other languages where there are none in it, in 2 of 2 records: de 2"
    ]


def _resource(*links: tuple[str, str]) -> str:
    representations = [
        element("resourceRepresentation", element("linkResource", link), type=kind) for kind, link in links
    ]
    return element("resourceSet", *representations)


def test_the_master_of_the_first_resource_is_the_picture(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("t_1.jpg", "p_1.jpg", "1.jpg", "2.jpg"):
        (tmp_path / "images" / name).touch()
    resources = element(
        "administrativeMetadata",
        element(
            "resourceWrap",
            _resource(("image_master", "https://m.example/none.jpg")),
            _resource(("image_master", "a name of no file " * 20)),
            _resource(
                ("image_thumb", "https://m.example/t_1.jpg"),
                ("image_preview", "https://m.example/p_1.jpg"),
                ("image_master", "https://m.example/1.jpg"),
            ),
            _resource((TERMINOLOGY + "lido00464", "https://m.example/2.jpg")),
        ),
    )
    items = _read(tmp_path, record(administrative=resources * 2))
    assert [item.image.name for item in items if isinstance(item, Artwork)] == ["1.jpg"]
    assert items.count(PassedOver("further pictures of an object", "2.jpg")) == 1


def test_files_without_lido_records_are_said(tmp_path: Path) -> None:
    (tmp_path / "other.xml").write_text("<records><record/></records>")
    items = read(tmp_path, _EXAMPLE, metadata=tmp_path)
    assert PassedOver("files without LIDO records", "other.xml") in items
    assert sum(isinstance(item, Artwork) for item in items) == 1


def test_the_registry_says_what_was_found(tmp_path: Path) -> None:
    made = event("Production", actor("A", "painter"), actor("B", "publisher"))
    (tmp_path / "dump.xml").write_text(
        '<lido:lidoWrap xmlns:lido="http://www.lido-schema.org">'
        + record(description(made, event("Acquisition", actor("C", "collector"))))
        + "</lido:lidoWrap>"
    )
    reading = open_source(
        SourceSettings(source="lido", metadata=tmp_path, dry_run=True, institution="The Museum")
    )
    (artwork,) = reading
    assert isinstance(artwork, Artwork)
    assert (artwork.labels, artwork.institution) == ({"artist": ("A",)}, "The Museum")
    assert [text for text in reading.sentences() if text.startswith(("events", "roles"))] == [
        "events: of a production: 'Production' 1; not taken: 'Acquisition' 1",
        "roles: taken as artists: 'painter' 1; not taken: 'publisher' 1",
    ]
