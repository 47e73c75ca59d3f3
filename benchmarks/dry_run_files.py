"""Generated metadata of any number of records, in the shape of files that museums export."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

_FILES_OF_A_FOLDER = 1000  # in a folder of manifests
_ROWS_OF_A_BATCH = 10_000  # of a Parquet file
_TEXT = """landscape with a river and cattle portrait of the artist mother still life fruit flowers view city from east
    interior church man reading an old letter woman at window winter scene skaters frozen canal ships storm harbour
    évening lumière früh stad"""
_WORDS = _TEXT.split()
_SUPPORTS = ("canvas", "panel", "paper", "copper", "vellum", "board", "silk", "card")
_MEDIA = ("oil", "tempera", "watercolour", "pen and brown ink", "etching", "engraving", "pastel", "gouache")
_TYPES = ("painting", "drawing", "print", "photograph", "sculpture", "vase", "coin", "tapestry")


@dataclass(frozen=True)
class Item:
    """What a generated record is about."""

    index: int
    number: str
    title: str
    artist: str
    artist_number: int
    medium: str
    support: str
    kind: str
    year: int
    note: str

    @property
    def material(self) -> str:
        """As catalogued for display."""
        return f"{self.medium} on {self.support}"

    @property
    def address(self) -> str:
        """Identifier of the record."""
        return f"https://museum.example/object/{self.index}"


def _name(number: int) -> str:
    """A name without digits, so that a task of names is not taken for one of numbers."""
    syllables = ("van ", "de ", "ber", "mont", "hals", "ter", "ru", "li", "sa", "en")
    surname = "".join(syllables[int(digit)] for digit in str(number))
    return f"{_WORDS[number % len(_WORDS)].title()} {surname.title().strip()}"


def items(count: int) -> Iterator[Item]:
    """Objects whose labels have long tails: few materials, thousands of artists, titles that hardly repeat."""
    rng = random.Random(0)
    for index in range(count):
        artist = int(20_000 * rng.random() ** 3)
        yield Item(
            index,
            f"SK-{'ABCD'[index % 4]}-{index}.{index % 7}",
            " ".join(rng.choices(_WORDS, k=7)).capitalize(),
            _name(artist),
            artist,
            rng.choice(_MEDIA),
            rng.choice(_SUPPORTS),
            rng.choice(_TYPES),
            rng.randint(1500, 1950),
            " ".join(rng.choices(_WORDS, k=60)),
        )


_LIDO = 'xmlns:lido="http://www.lido-schema.org"'


def _term(tag: str, text: str, aat: int | None = None, language: str = "nl") -> str:
    identifier = ""
    if aat is not None:
        source = 'lido:type="URI" lido:source="AAT"'
        identifier = f"<lido:conceptID {source}>http://vocab.getty.edu/aat/{aat}</lido:conceptID>\n"
    return f'<lido:{tag}>\n{identifier}<lido:term xml:lang="{language}">{escape(text)}</lido:term>\n</lido:{tag}>\n'


def _large_lido(item: Item) -> str:
    """About 5 KB: an actor with three names and four identifiers, subjects, and materials as text for display."""
    authorities = ("VIAF http://viaf.org/viaf/", "RKD https://rkd.nl/artists/", "GND https://d-nb.info/gnd/")
    identifiers = "".join(
        f'<lido:actorID lido:type="url" lido:source="{name}">{address}{item.artist_number}</lido:actorID>\n'
        for name, address in map(str.split, authorities)
    )
    names = "".join(
        f'<lido:nameActorSet>\n<lido:appellationValue lido:pref="{preference}" xml:lang="nl">{item.artist}{more}'
        "</lido:appellationValue>\n<lido:sourceAppellation>museum</lido:sourceAppellation>\n</lido:nameActorSet>\n"
        for preference, more in (("alternate", " the Elder"), ("preferred", ""), ("alternate", " (I)"))
    )
    subjects = "".join(
        f"<lido:subjectSet>\n<lido:subject>\n{_term('subjectConcept', word, 300000000 + place)}</lido:subject>\n"
        "</lido:subjectSet>\n"
        for place, word in enumerate(item.title.split()[:4])
    )
    return f"""<lido:lido>
<lido:lidoRecID lido:type="global" lido:source="Museum" lido:label="dataPID">{item.address}</lido:lidoRecID>
<lido:objectPublishedID lido:type="global" lido:label="workPID">{item.address}/work</lido:objectPublishedID>
<lido:category>
<lido:conceptID lido:type="URI">http://www.cidoc-crm.org/crm-concepts/E22</lido:conceptID>
<lido:term>Man-Made Object</lido:term>
</lido:category>
<lido:descriptiveMetadata xml:lang="nl">
<lido:objectClassificationWrap>
<lido:objectWorkTypeWrap>
{_term("objectWorkType", item.kind, 300033618)}</lido:objectWorkTypeWrap>
</lido:objectClassificationWrap>
<lido:objectIdentificationWrap>
<lido:titleWrap>
<lido:titleSet>
<lido:appellationValue lido:pref="preferred" xml:lang="nl">{item.title}</lido:appellationValue>
</lido:titleSet>
</lido:titleWrap>
<lido:repositoryWrap>
<lido:repositorySet lido:type="current">
<lido:repositoryName>
<lido:legalBodyName>
<lido:appellationValue>Museum of Example</lido:appellationValue>
</lido:legalBodyName>
</lido:repositoryName>
<lido:workID lido:type="inventory number">{item.number}</lido:workID>
</lido:repositorySet>
</lido:repositoryWrap>
<lido:objectDescriptionWrap>
<lido:objectDescriptionSet>
<lido:descriptiveNoteValue xml:lang="nl">{item.note}</lido:descriptiveNoteValue>
</lido:objectDescriptionSet>
</lido:objectDescriptionWrap>
</lido:objectIdentificationWrap>
<lido:eventWrap>
<lido:eventSet>
<lido:event>
{_term("eventType", "Production", language="en")}<lido:eventActor>
<lido:actorInRole>
<lido:actor>
<lido:actorID lido:type="local" lido:source="TMS">{item.artist_number}</lido:actorID>
{identifiers}{names}</lido:actor>
{_term("roleActor", "schilder")}</lido:actorInRole>
</lido:eventActor>
<lido:eventDate>
<lido:displayDate>ca. {item.year}</lido:displayDate>
<lido:date>
<lido:earliestDate>{item.year - 2}</lido:earliestDate>
<lido:latestDate>{item.year + 2}</lido:latestDate>
</lido:date>
</lido:eventDate>
{_term("periodName", "17de eeuw")}<lido:eventMaterialsTech>
<lido:displayMaterialsTech>{item.material}</lido:displayMaterialsTech>
</lido:eventMaterialsTech>
</lido:event>
</lido:eventSet>
</lido:eventWrap>
<lido:objectRelationWrap>
<lido:subjectWrap>
{subjects}</lido:subjectWrap>
</lido:objectRelationWrap>
</lido:descriptiveMetadata>
<lido:administrativeMetadata xml:lang="nl">
<lido:recordWrap>
<lido:recordID lido:type="local">{item.index}</lido:recordID>
{_term("recordType", "Item", 300133025, "en")}<lido:recordSource>
<lido:legalBodyName>
<lido:appellationValue>Museum of Example</lido:appellationValue>
</lido:legalBodyName>
<lido:legalBodyWeblink>https://museum.example</lido:legalBodyWeblink>
</lido:recordSource>
</lido:recordWrap>
</lido:administrativeMetadata>
</lido:lido>
"""


def _small_lido(item: Item) -> str:
    """About 2 KB: materials as terms, without actors' further names."""
    return (
        f'<lido:lido><lido:lidoRecID lido:type="local">obj-{item.index}</lido:lidoRecID>'
        '<lido:descriptiveMetadata xml:lang="de"><lido:objectClassificationWrap><lido:objectWorkTypeWrap>'
        f"<lido:objectWorkType><lido:term>{item.kind}</lido:term></lido:objectWorkType></lido:objectWorkTypeWrap>"
        "</lido:objectClassificationWrap><lido:objectIdentificationWrap><lido:titleWrap><lido:titleSet>"
        f"<lido:appellationValue>{item.title}</lido:appellationValue></lido:titleSet></lido:titleWrap>"
        "<lido:repositoryWrap><lido:repositorySet><lido:workID lido:type='inventory number'>"
        f"{item.number}</lido:workID></lido:repositorySet></lido:repositoryWrap></lido:objectIdentificationWrap>"
        "<lido:eventWrap><lido:eventSet><lido:event><lido:eventType><lido:term>Herstellung</lido:term>"
        "</lido:eventType><lido:eventActor><lido:actorInRole><lido:actor><lido:nameActorSet><lido:appellationValue>"
        f"{item.artist}</lido:appellationValue></lido:nameActorSet></lido:actor></lido:actorInRole>"
        "</lido:eventActor><lido:eventMaterialsTech><lido:materialsTech><lido:termMaterialsTech lido:type='Material'>"
        f"<lido:term>{item.medium}</lido:term></lido:termMaterialsTech><lido:termMaterialsTech lido:type='Material'>"
        f"<lido:term>{item.support}</lido:term></lido:termMaterialsTech></lido:materialsTech>"
        "</lido:eventMaterialsTech></lido:event></lido:eventSet></lido:eventWrap></lido:descriptiveMetadata>"
        '<lido:administrativeMetadata xml:lang="de"><lido:recordWrap>'
        f'<lido:recordID lido:type="item">{item.index}</lido:recordID><lido:recordSource><lido:legalBodyName>'
        "<lido:appellationValue>Museum of Example</lido:appellationValue></lido:legalBodyName></lido:recordSource>"
        "</lido:recordWrap></lido:administrativeMetadata></lido:lido>\n"
    )


_OAI = (
    'xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def _dublin_core(item: Item) -> str:
    """A record of an OAI-PMH harvest, 1 to 2 KB."""
    subjects = "".join(f"<dc:subject>{word}</dc:subject>\n" for word in item.title.split()[:5])
    return f"""<record>
<header>
<identifier>oai:museum.example:{item.number}</identifier>
<datestamp>2019-09-04T11:13:53Z</datestamp>
</header>
<metadata>
<oai_dc:dc>
<dc:identifier>http://hdl.handle.net/10934/{item.index}</dc:identifier>
<dc:identifier>{item.number}</dc:identifier>
<dc:title>{item.title}</dc:title>
<dc:creator>{item.artist}</dc:creator>
{subjects}<dc:description>{item.note}</dc:description>
<dc:date>{item.year}</dc:date>
<dc:type>{item.kind}</dc:type>
<dc:format>{item.medium}</dc:format>
<dc:format>{item.support}</dc:format>
<dc:format>h {item.index % 90} cm x w {item.index % 70} cm</dc:format>
<dc:language>nl</dc:language>
<dc:publisher>Museum of Example</dc:publisher>
<dc:rights>http://creativecommons.org/publicdomain/mark/1.0/</dc:rights>
</oai_dc:dc>
</metadata>
</record>
"""


_RDF = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "dc": "http://purl.org/dc/elements/1.1/",
        "dcterms": "http://purl.org/dc/terms/",
        "edm": "http://www.europeana.eu/schemas/edm/",
        "ore": "http://www.openarchives.org/ore/terms/",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
    }.items()
)


def _edm(item: Item) -> str:
    """An object with a concept, an agent, a place and its aggregation, about 3 KB, in an OAI-PMH record."""
    concept, agent = f"http://vocab.getty.edu/aat/3000{len(item.medium)}", f"{item.address}/agent"
    return f"""<record>
<header>
<identifier>oai:museum.example:{item.index}</identifier>
<datestamp>2019-09-04T11:13:53Z</datestamp>
</header>
<metadata>
<rdf:RDF {_RDF}>
<edm:ProvidedCHO rdf:about="{item.address}">
<dc:creator rdf:resource="{agent}"/>
<dc:description xml:lang="de">{item.note}</dc:description>
<dc:identifier>{item.number}</dc:identifier>
<dc:language>de</dc:language>
<dc:subject rdf:resource="http://vocab.getty.edu/aat/300234110"/>
<dc:title xml:lang="de">{item.title}</dc:title>
<dc:type xml:lang="de">{item.kind}</dc:type>
<dcterms:created>{item.year}</dcterms:created>
<dcterms:medium rdf:resource="{concept}"/>
<dcterms:medium xml:lang="de">{item.support}</dcterms:medium>
<dcterms:spatial rdf:resource="http://gazetteer.example/place/{item.index % 500}"/>
<edm:type>IMAGE</edm:type>
</edm:ProvidedCHO>
<edm:WebResource rdf:about="https://museum.example/image/{item.index}.jpg"/>
<edm:Agent rdf:about="{agent}">
<skos:prefLabel xml:lang="de">{item.artist}</skos:prefLabel>
<skos:prefLabel xml:lang="en">{item.artist}</skos:prefLabel>
</edm:Agent>
<skos:Concept rdf:about="{concept}">
<skos:prefLabel xml:lang="de">{item.medium}</skos:prefLabel>
<skos:prefLabel xml:lang="en">{item.medium}</skos:prefLabel>
</skos:Concept>
<edm:Place rdf:about="http://gazetteer.example/place/{item.index % 500}">
<skos:prefLabel xml:lang="de">Bergamo</skos:prefLabel>
</edm:Place>
<ore:Aggregation rdf:about="{item.address}/aggregation">
<edm:aggregatedCHO rdf:resource="{item.address}"/>
<edm:dataProvider xml:lang="de">Museum of Example</edm:dataProvider>
<edm:isShownAt rdf:resource="{item.address}"/>
<edm:isShownBy rdf:resource="https://museum.example/image/{item.index}.jpg"/>
<edm:rights rdf:resource="http://rightsstatements.org/vocab/InC/1.0/"/>
</ore:Aggregation>
</rdf:RDF>
</metadata>
</record>
"""


def _concept(number: int, label: str, *, of: tuple[int, str] | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"id": f"http://vocab.getty.edu/aat/{number}", "type": "Type", "_label": label}
    if of is not None:
        concept["classified_as"] = [_concept(*of)]
    return concept


def _linked_art(item: Item) -> dict[str, Any]:
    """About 4 KB of JSON-LD."""
    return {
        "@context": "https://linked.art/ns/v1/linked-art.json",
        "id": item.address,
        "type": "HumanMadeObject",
        "_label": item.title,
        "classified_as": [_concept(300033618, item.kind, of=(300435443, "Type of Work"))],
        "made_of": [
            {"id": f"http://vocab.getty.edu/aat/{30000 + len(name)}", "type": "Material", "_label": name}
            for name in (item.medium, item.support)
        ],
        "identified_by": [
            {
                "id": f"{item.address}/{name}",
                "type": kind,
                "classified_as": [_concept(number, label)],
                "content": content,
            }
            for name, kind, number, label, content in (
                ("number", "Identifier", 300312355, "Accession Number", item.number),
                ("own", "Identifier", 300404621, "Owner-Assigned Number", str(item.index)),
                ("primary-name", "Name", 300404670, "Primary Name", item.title),
            )
        ],
        "referred_to_by": [
            {
                "id": f"{item.address}/{name}",
                "type": "LinguisticObject",
                "_label": label,
                "classified_as": [_concept(number, label), _concept(300418049, "brief texts")],
                "content": content,
            }
            for name, number, label, content in (
                ("material", 300435429, "Material Statement", item.material),
                ("credit-line", 300026687, "acknowledgements", item.note),
            )
        ],
        "member_of": [{"id": f"{item.address}/set", "type": "Set", "_label": "European Art"}],
        "produced_by": {
            "id": f"{item.address}/production",
            "type": "Production",
            "timespan": {
                "type": "TimeSpan",
                "_label": f"about {item.year}",
                "begin_of_the_begin": f"{item.year}-01-01T00:00:00Z",
                "end_of_the_end": f"{item.year}-12-31T00:00:00Z",
            },
            "carried_out_by": [
                {
                    "id": f"http://vocab.getty.edu/ulan/{item.artist_number}",
                    "type": "Actor",
                    "_label": item.artist,
                }
            ],
        },
        "current_owner": [
            {
                "id": "http://vocab.getty.edu/ulan/500300517",
                "type": "Group",
                "_label": "Museum of Example",
                "classified_as": [_concept(300312281, "museums (institutions)")],
            }
        ],
    }


def _manifest(item: Item) -> dict[str, Any]:
    """About 5 KB: Presentation API 3, eight pairs of metadata and two canvases."""

    def only(text: str) -> dict[str, list[str]]:
        return {"en": [text]}

    pairs = {
        "Date": str(item.year),
        "Classification": item.kind,
        "Credit Line": "Bequest of a collector",
        "Object Number": item.number,
        "Artist": f"{item.artist}, 1853 - 1890",
        "Medium": item.material,
        "Dimensions": f"{item.index % 90} x 50.3 cm (24 3/16 x 19 13/16 in.)",
        "Provenance": item.note,
    }
    canvases = []
    for page in (1, 2):
        canvas = f"{item.address}/canvas/{page}"
        service = {"id": f"https://museum.example/image/{item.index}-{page}", "type": "ImageService3"}
        body = {
            "id": f"{service['id']}/full/max/0/default.jpg",
            "type": "Image",
            "format": "image/jpeg",
            "height": 2550,
            "width": 2087,
            "service": [{**service, "profile": "level2"}],
        }
        painting = {
            "id": f"{canvas}/a",
            "type": "Annotation",
            "motivation": "painting",
            "body": body,
            "target": canvas,
        }
        canvases.append(
            {
                "id": canvas,
                "type": "Canvas",
                "label": only(str(page)),
                "height": 2550,
                "width": 2087,
                "items": [{"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}],
            }
        )
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{item.address}/manifest",
        "type": "Manifest",
        "label": only(item.title),
        "metadata": [{"label": only(label), "value": only(value)} for label, value in pairs.items()],
        "requiredStatement": {"label": only("Attribution"), "value": only("Museum of Example")},
        "items": canvases,
    }


def _row(item: Item) -> dict[str, str]:
    """Twenty columns."""
    return {
        "object_number": item.number,
        "image": f"{item.index // 1000}/{item.index}.jpg",
        "title": item.title,
        "artist": item.artist,
        "material": item.material,
        "type": item.kind,
        "date": f"ca. {item.year}",
        "begin": str(item.year - 2),
        "end": str(item.year + 2),
        "department": "European Art",
        "culture": "Dutch, 17th century",
        "credit_line": "Bequest of a collector",
        "dimensions": f"{item.index % 90} x 50.3 cm (24 3/16 x 19 13/16 in.)",
        "inscription": "",
        "provenance": item.note,
        "location": "",
        "rights": "CC0",
        "url": item.address,
        "height": str(item.index % 90),
        "width": "50.3",
    }


def _xml(path: Path, count: int, around: tuple[str, str], record: Callable[[Item], str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{around[0]}\n')
        file.writelines(map(record, items(count)))
        file.write(around[1])


def _json_lines(path: Path, count: int, record: Callable[[Item], Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record(item), ensure_ascii=False) + "\n" for item in items(count))


def _json_files(folder: Path, count: int, record: Callable[[Item], Any]) -> None:
    for item in items(count):
        path = folder / str(item.index // _FILES_OF_A_FOLDER) / f"{item.index}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record(item), ensure_ascii=False, indent=1), encoding="utf-8")


def _csv(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = map(_row, items(count))
        writer = csv.DictWriter(file, list(_row(next(items(1)))))
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, count: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, str]] = []
    schema = pa.schema([(name, pa.string()) for name in _row(next(items(1)))])
    with pq.ParquetWriter(path, schema) as writer:
        for item in items(count):
            rows.append(_row(item))
            if len(rows) == _ROWS_OF_A_BATCH or item.index == count - 1:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()


@dataclass(frozen=True)
class Format:
    """A kind of metadata.

    Attributes:
        source: of `--source`.
        name: of the file or folder.
        make: writes so many records there.
        flags: that the source needs further.
    """

    source: str
    name: str
    make: Callable[[Path, int], None]
    flags: tuple[str, ...] = ()


_LIDO_WRAP = (f"<lido:lidoWrap {_LIDO}>", "</lido:lidoWrap>\n")
_OAI_WRAP = (f"<OAI-PMH {_OAI}>\n<ListRecords>", "</ListRecords>\n</OAI-PMH>\n")
_COLUMNS = ("--tasks", "material", "type", "artist", "--object-number", "object_number", "--image", "image")

FORMATS = {
    "lido, 5 KB": Format("lido", "large.xml", lambda path, count: _xml(path, count, _LIDO_WRAP, _large_lido)),
    "lido, 2 KB": Format("lido", "small.xml", lambda path, count: _xml(path, count, _LIDO_WRAP, _small_lido)),
    "dublin-core": Format(
        "dublin-core", "dc.xml", lambda path, count: _xml(path, count, _OAI_WRAP, _dublin_core)
    ),
    "edm": Format("edm", "edm.xml", lambda path, count: _xml(path, count, _OAI_WRAP, _edm)),
    "linked-art, lines": Format(
        "linked-art", "art.jsonl", lambda path, count: _json_lines(path, count, _linked_art)
    ),
    "linked-art, files": Format(
        "linked-art", "art", lambda path, count: _json_files(path, count, _linked_art)
    ),
    "iiif, files": Format("iiif", "manifests", lambda path, count: _json_files(path, count, _manifest)),
    "table, CSV": Format("table", "table.csv", _csv, _COLUMNS),
    "table, JSON lines": Format(
        "table", "table.jsonl", lambda path, count: _json_lines(path, count, _row), _COLUMNS
    ),
    "table, Parquet": Format("table", "table.parquet", _parquet, _COLUMNS),
}
