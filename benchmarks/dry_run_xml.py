"""Generated records of LIDO, Dublin Core and the Europeana Data Model, in the shape of files that museums export."""

from __future__ import annotations

from xml.sax.saxutils import escape

from dry_run_items import Item

_LIDO = 'xmlns:lido="http://www.lido-schema.org"'


def _term(tag: str, text: str, aat: int | None = None, language: str = "nl") -> str:
    identifier = ""
    if aat is not None:
        source = 'lido:type="URI" lido:source="AAT"'
        identifier = f"<lido:conceptID {source}>http://vocab.getty.edu/aat/{aat}</lido:conceptID>\n"
    return f'<lido:{tag}>\n{identifier}<lido:term xml:lang="{language}">{escape(text)}</lido:term>\n</lido:{tag}>\n'


def large_lido(item: Item) -> str:
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


def small_lido(item: Item) -> str:
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


def dublin_core(item: Item) -> str:
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


def edm(item: Item) -> str:
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


LIDO_WRAP = (f"<lido:lidoWrap {_LIDO}>", "</lido:lidoWrap>\n")
OAI_WRAP = (f"<OAI-PMH {_OAI}>\n<ListRecords>", "</ListRecords>\n</OAI-PMH>\n")
