"""What the terms of LIDO records mean: kinds of events, of materials and techniques, and one label per concept.

Institutions name a kind by an address (of the LIDO terminology, the Getty's AAT, the CIDOC CRM or museum-digital) or
by a word of their language. Both are looked up here, addresses in any form.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from lxml.etree import _Element as Element
from lxml.etree import tostring

from arttl.errors import counted
from arttl.records.xml_records import inherited_language, language_code, language_codes, words

LIDO = "{http://www.lido-schema.org}"
SKOS = "{http://www.w3.org/2004/02/skos/core#}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
PRODUCTION, UNSPECIFIED, OTHER = "production", "unspecified", "other"
MATERIAL, TECHNIQUE, NEITHER = "material", "technique", "neither"

_MOST_KINDS = 500  # of distinct names that are counted one by one
_MOST_LISTED = 8
_LONGEST_NAME = 60
LONGEST_TEXT = 500  # characters that a kind is told from
_MOST_REMEMBERED = 4096  # concepts
_LONGEST_REMEMBERED = 8192  # bytes of XML


class Kinds(dict[str, str]):
    """Words and identifiers, as `lookup_keys` gives them, to their kinds."""

    def __init__(self, words_of_kinds: Mapping[str, str]) -> None:
        """Make the table.

        Args:
            words_of_kinds: kind to its words and identifiers, with `|` between them.
        """
        super().__init__()
        for kind, text in words_of_kinds.items():
            for word in text.split("|"):
                self[" ".join(unicodedata.normalize("NFC", word).casefold().split())] = kind
        # A file has few kinds, which come again and again.
        self._of = lru_cache(maxsize=4096)(self._find)

    def of(self, text: str) -> str | None:
        """The kind of a term or an identifier; a very long text has none."""
        return self._of(text) if len(text) <= LONGEST_TEXT else None

    def _find(self, text: str) -> str | None:
        return next((self[key] for key in lookup_keys(text) if key in self), None)

    def of_first(self, texts: Iterable[str]) -> str | None:
        """The kind of the first text that has one; `UNSPECIFIED` only if no other text has another."""
        unspecified = None
        for text in texts:
            kind = self.of(text)
            if kind is not None and kind != UNSPECIFIED:
                return kind
            unspecified = unspecified or kind
        return unspecified


# http://terminology.lido-schema.org/eventType, CIDOC CRM classes, AAT activities; words in the languages of Europe as
# the LIDO terminology has them, and as museums write them; numbers of https://event-types.museum-digital.org.
EVENT_KINDS = Kinds(
    {
        PRODUCTION: """expression creation|expression-creation|carrier production event|carrier production|f28|f32
        |image taken|intellectual creation|printing plate produced|printing plate production|lido00007|lido00012
        |lido00025|lido00031|lido00484|lido00487|lido01089|lido01096|e12|e63|e65|300404387|300054216|300054196
        |300054225|300053225|300053241|300053319|300053296|museum-digital 1|museum-digital 9|museum-digital 10
        |museum-digital 12|museum-digital 19|museum-digital 26|museum-digital 31|museum-digital 35|museum-digital 37
        |museum-digital 7|museum-digital 14|museum-digital 38|production|creation|create|created|making|made
        |manufacture|manufactured|manufacturing|fabrication|execution|object production|production event
        |artwork creation|beginning of existence|painting|painted|drawing|drawn|photograph|photographed|photography
        |taken|printing|printed|casting|cast|minting|minted|carving|carved|sculpting|engraving|engraved|etching|etched
        |weaving|woven|modelling|modeled|modelled|building|built|construction|production of the exemplar
        |production of the printing plate|written|illustrated|herstellung|hergestellt|produktion|fertigung|gefertigt
        |angefertigt|anfertigung|entstehung|entstanden|schöpfung|geistige schöpfung|erschaffung|geschaffen|ausführung
        |aufnahme|aufgenommen|fotografische aufnahme|fotografie|fotografiert|druck|gedruckt|gemalt|gezeichnet|bemalt
        |modelliert|guss|gegossen|prägung|geprägt|geschnitzt|gestochen|radiert|gewebt|gebaut|erbaut|erbauung|bau
        |errichtung|druckplatte hergestellt|herstellung des exemplars|herstellung der druckform|illustriert|verfasst
        |ausgefertigt|daseinsbeginn|beginn der existenz|vervaardiging|vervaardigd|productie|creatie|fabricage|ontstaan
        |gemaakt|geschilderd|gedrukt|getekend|création|creer|créer|créé|fabriqué|réalisation|réalisé|exécution|peint
        |dessiné|imprimé|impression|prise de vue|début d'existence|mise en œuvre|produzione|realizzazione|creazione
        |ideazione|ideare|esecuzione|fabbricazione|manifattura|producción|creación|realización|elaboración|fabricación
        |ejecución|producció|creació|produção|criação|fabrico|fabricação|execução|criar|tillverkning|tillverkad
        |skapande|kreation|framställning|fremstilling|fremstillet|produksjon|tilvirkning|valmistus|valmistaminen
        |tuotanto|luominen|valmistamine|tootmine|loomine|looma|izgatavošana|radīšana|veidošana|sukūrimas|pagaminimas
        |produkcja|utworzenie|wytworzenie|powstanie|produkce|vytvoření|výroba|vznik|výroba objektu|izdelava
        |izdelovanje|kreacija|ustvarjanje|nastanek|izrada|nastanak|gyártás|készítés|készült|létrehozás|előállítás
        |producere|producție|producţie|realizare|creație|creaţie|creare|продукция|създаване|производство|создание
        |изготовление|виготовлення|створення|παραγωγή|δημιουργία|κατασκευή|táirgeadh|cruthú|ייצור|יצירה""",
        UNSPECIFIED: """lido00003|e5|e7|event|event (non-specified)|non-specified|unspecified|activity|ereignis
        |nicht spezifiziert|nicht näher spezifiziertes ereignis|gebeurtenis|événement|evento|händelse|tapahtuma""",
        OTHER: """publication event|f30|condition assessment|condition check|collected by|received|sent|lido00001
        |lido00002|lido00005|lido00006|lido00008|lido00009|lido00010|lido00011|lido00013|lido00021|lido00023|lido00024
        |lido00026|lido00029|lido00030|lido00033|lido00034|lido00223|lido00225|lido00226|lido00227|lido00228|lido00401
        |lido00402|lido00931|e6|e8|e9|e10|e11|e13|e14|e17|e64|e79|e80|e81|e83|300393199|300054686|museum-digital 2
        |museum-digital 3|museum-digital 5|museum-digital 6|museum-digital 8|museum-digital 11|museum-digital 13
        |museum-digital 25|museum-digital 33|museum-digital 34|museum-digital 36|museum-digital 40|museum-digital 41
        |museum-digital 42|museum-digital 43|museum-digital 44|museum-digital 45|museum-digital 46|museum-digital 47
        |museum-digital 48|acquisition|accession|purchase|purchased|sale|sold|gift|donation|bequest|auction|transfer
        |transfer of custody|loan|finding|found|find|discovery|excavation|collecting|collection event|collected
        |exhibition|display|use|used|loss|theft|restoration|conservation|provenance|ownership|owned|possession
        |commissioning|commission|publication|published|performance|destruction|destroyed|modification|part addition
        |part removal|move|transport|type assignment|transformation|registration|inventory|valuation|marketing
        |depiction|depicted|mentioned|erwerb|erwerbung|ankauf|kauf|gekauft|verkauf|verkauft|schenkung|zugang
        |versteigert|versteigerung|fund|gefunden|ausgrabung|gesammelt|sammelereignis|ausstellung|gebrauch|nutzung
        |wurde genutzt|verlust|verschollen|restaurierung|restauriert|provenienz|besitz|besessen|beauftragt
        |beauftragung|auftrag|veröffentlicht|veröffentlichung|publikation|herausgegeben|empfangen|abgeschickt|zerstört
        |zerstörung|beschädigt|bearbeitung|wurde abgebildet|wurde erwähnt|vergraben|aufführung|umgestaltung|leihe
        |inventarisierung|verwerving|aankoop|schenking|verkoop|vondst|opgraving|tentoonstelling|gebruik|verlies
        |restauratie|herkomst|eigendom|opdracht|publicatie|uitgave|bruikleen|acquisizione|acquisto|ritrovamento|scavo
        |mostra|uso|restauro|provenienza|committenza|pubblicazione|achat|don|vente|découverte|fouille|exposition
        |utilisation|restauration|commande|adquisición|compra|hallazgo|excavación|exposición|restauración|procedencia
        |publicación|aquisição|förvärv|utställning|erhvervelse|udstilling|hankinta|näyttely|käyttö|julkaisu|löytö
        |omistus|nabycie|zakup|wystawa|nabytí|výstava|szerzés|kiállítás|achiziție|descoperire|expoziție|приобретение
        |выставка""",
    }
)

# http://terminology.lido-schema.org/termMaterialsTech_type; AAT: 300010358 materials, 300014842 is one of the
# "materials by function", 300014844 supports, 300163343 media, 300264091 the facet; 300053001 processes and techniques.
# What is both, such as "oil on canvas", is a material; a tool (lido00248) and a colour are neither.
MATERIAL_KINDS = Kinds(
    {
        MATERIAL: """lido00132|lido00513|lido00514|300010358|300014842|300014844|300163343|300264091|e57|material
        |materials|medium|media|support|supports|substance|substances|pigment|fabric|base material
        |material and technique|material/technique|materials and techniques|materials/techniques|medium and support
        |material technique|physical description|physicaldescription|werkstoff|werkstoffe|materialien|malmittel
        |malschicht|bildträger|trägermaterial|träger|malgrund|farbmittel|material/technik|material und technik
        |materialtechnik|material & technik|material / technik|farbauftrag|materiaal|materialen|drager|beelddrager
        |grondstof|materiaal/techniek|materiaal en techniek|materiaal & techniek|matériau|matériaux|matière|matières
        |matière et technique|matières et techniques|matériau/technique|materiale|materiali|materia|supporto
        |materia e tecnica|materiale e tecnica|materiales|soporte|materia y técnica|materiais|suporte|materialer
        |materiaali|materiaalit|materjal|materiāls|materiał|materiál|nośnik|podložka|anyag|anyaga|hordozó
        |materiale și tehnici|suport|материал|материалы|основа|υλικό|υλικά|gradivo|materijal""",
        TECHNIQUE: """lido00131|300053001|300138082|technique|techniques|method|methods|process|processes|technology
        |technik|techniken|entstehungsmethode|verfahren|herstellungstechnik|herstellungsverfahren|drucktechnik
        |maltechnik|arbeitstechnik|techniek|technieken|vervaardigingstechniek|procédé|procédés|tecnica|tecniche
        |técnica|técnicas|tècnica|teknik|tekniker|tekniikka|tekniikat|valmistustekniikka|tehnika|tehnică|tehnici
        |tehnica|tehnika izdelave|technika|techniki|techniky|technikák|készítéstechnika|tehnikas|tehnika valmistamine
        |техника|техники|τεχνική""",
        NEITHER: """lido00248|implement|tool|werkzeug|gereedschap|outil|strumento|colour|color|farbe|kleur|couleur
        |väri|väritys""",
    }
)

# Parts whose materials are not those of the object (`extentMaterialsTech`).
SURROUNDINGS = Kinds(
    {
        NEITHER: """frame|frames|framing|mat|mount|rahmen|zierrahmen|rahmung|passepartout|passe-partout|lijst
        |omlijsting|cadre|encadrement|cornice|marco|moldura|ram|ramme|kehys|rama|rám|keret|ramă|okvir|рама""",
    }
)

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
_MUSEUM_DIGITAL = re.compile(r"event-types\.museum-digital\.\w+/(?:\w+/)?(\d+)")
_CIDOC_CLASS = re.compile(r"([ef]\d{1,2})[ _.-]")


def lookup_keys(text: str) -> Iterator[str]:
    """The forms in which a term or an identifier may stand in a table.

    `material` for `Material`, `lido00132` for `https://terminology.lido-schema.org/lido00132/`, `e12` for
    `http://www.cidoc-crm.org/cidoc-crm/E12_Production`, `herstellung` for `Herstellung (lido00007)`.
    """
    text = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    if _ADDRESS.fullmatch(text):
        if museum_digital := _MUSEUM_DIGITAL.search(text):
            yield f"museum-digital {museum_digital[1]}"
            return
        if "://" not in text:  # such as aat:300014844, or the word Maler:in
            yield text
        text = unquote(re.split(r"[/#:=]", text.rstrip("/#"))[-1])
    yield text
    yield text.replace("_", " ")
    if class_of_crm := _CIDOC_CLASS.match(text):
        yield class_of_crm[1]
    yield text.partition("(")[0].rstrip(" .:;")


def attribute(element: Element, name: str) -> str:
    """A LIDO attribute, which files without prefixes write without one; empty if there is none."""
    return (element.get(LIDO + name) or element.get(name) or "").strip()


def path(*steps: str) -> str:
    """The path of LIDO elements within each other."""
    return "/".join(LIDO + step for step in steps)


_PREFERENCES = Kinds(
    {
        "0": "lido00169|preferred|prefered|yes|true",
        "2": "lido00170|alternate|alternative|no|false",
        "3": "lido00426|hidden",
    }
)


def preference(element: Element) -> int:
    """0 for preferred, 1 for neither, 2 for alternative, 3 for hidden (`lido:pref`)."""
    pref = attribute(element, "pref")
    return int(_PREFERENCES.of(pref) or 1) if pref else 1


@dataclass
class Choice:
    """The language that labels of one record are taken in.

    Attributes:
        language: of `--language`; empty for none.
        own: of the record, or of the part of it that is read; empty for none.
        instead: languages in which labels were taken since there were none in `language`.
    """

    language: str
    own: str = ""
    instead: set[str] = field(default_factory=set)

    def in_language(self, elements: list[Element]) -> list[Element]:
        """The elements in the language, else in that of the record, else in that of the first element."""
        if not elements or (len(elements) == 1 and not self.language):
            return elements
        languages = language_codes(elements)
        chosen = next(
            (code for code in (self.language, self.own) if code and code in languages), languages[0]
        )
        if self.language and chosen not in ("", self.language):
            self.instead.add(chosen)
        return [element for element, own in zip(elements, languages, strict=True) if own == chosen]

    def text(self, elements: list[Element]) -> str:
        """The text of the most preferred of them, of the first of several."""
        if len(elements) == 1 and not self.language:  # as is usual
            return words(elements[0])
        chosen = self.in_language([element for element in elements if words(element)])
        if len(chosen) > 1:
            return words(min(chosen, key=preference))
        return words(chosen[0]) if chosen else ""


_CONCEPT_ID, _CONCEPT, _EXACT_MATCH = LIDO + "conceptID", SKOS + "Concept", SKOS + "exactMatch"
_TERM, _SKOS_LABEL = LIDO + "term", SKOS + "prefLabel"


def identifier(element: Element) -> str:
    """An identifier as it stands if it is an address, else with its source before it; empty if it has none."""
    text = words(element)
    if not text or _ADDRESS.fullmatch(text.casefold()):
        return text
    source = attribute(element, "source").rstrip("/")
    return f"{source}{'/' if '://' in source else ':'}{text}" if source else ""


def concept_identifiers(concept: Element) -> tuple[str, ...]:
    """The identifiers of a concept: `conceptID`, the address of a SKOS concept, and its exact matches."""
    identifiers = []
    for element in concept.iter(_CONCEPT_ID, _CONCEPT, _EXACT_MATCH):
        if element.tag == _CONCEPT_ID:
            identifiers.append(identifier(element))
        elif element.tag == _CONCEPT:
            identifiers += [value for key, value in element.items() if key.rpartition("}")[2] == "about"]
        else:
            identifiers.append(words(element) or element.get(RDF + "resource", ""))
    return tuple(dict.fromkeys(filter(None, map(str.strip, identifiers))))


class Labelled(NamedTuple):
    """A label with its identifiers in vocabularies."""

    label: str
    identifiers: tuple[str, ...] = ()


class Meaning(NamedTuple):
    """What a concept says.

    Attributes:
        term: in the chosen language, else its own text; empty if it has only identifiers.
        identifiers: in vocabularies.
        texts: all that may tell its kind, identifiers first.
        instead: the language of the term, if it is not the wanted one.
    """

    term: str
    identifiers: tuple[str, ...]
    texts: tuple[str, ...]
    instead: frozenset[str]

    @property
    def label(self) -> Labelled | None:
        """Its one label: the term, else the first identifier."""
        label = self.term or next(iter(self.identifiers), "")
        return Labelled(label, self.identifiers) if label else None


_NOTHING = Meaning("", (), (), frozenset())
_meanings: dict[tuple[bytes, str, str, str], Meaning] = {}


def meaning(concept: Element | None, choice: Choice) -> Meaning:
    """What a concept says, in the language of a choice; nothing for None.

    Few different concepts come again and again in a file, so that what they say is remembered.
    """
    if concept is None:
        return _NOTHING
    around = language_code(inherited_language(concept))
    key = (tostring(concept, with_tail=False), around, choice.language, choice.own)
    remembered = _meanings.get(key)
    if remembered is None:
        remembered = _meaning(concept, Choice(choice.language, choice.own))
        if len(key[0]) <= _LONGEST_REMEMBERED:
            if len(_meanings) >= _MOST_REMEMBERED:
                _meanings.clear()
            _meanings[key] = remembered
    return remembered


def _meaning(concept: Element, choice: Choice) -> Meaning:
    names = [name for name in concept.iter(_TERM, _SKOS_LABEL) if words(name)]
    # Search terms only where there is nothing else.
    names = [name for name in names if attribute(name, "addedSearchTerm").casefold() != "yes"] or names
    identifiers = concept_identifiers(concept)
    # Some files have a text in place of a term.
    term = choice.text(names) or ("" if len(concept) else words(concept))
    local = map(words, concept.iter(_CONCEPT_ID))
    texts = filter(None, (attribute(concept, "type"), *local, *identifiers, *map(words, names), term))
    return Meaning(term, identifiers, tuple(texts), frozenset(choice.instead))


def labelled(meanings: Iterable[Meaning], choice: Choice) -> list[Labelled]:
    """The labels of concepts, one of each; the languages that they are in are noted."""
    labels = []
    for concept in meanings:
        if label := concept.label:
            labels.append(label)
            choice.instead |= concept.instead
    return labels


class Counts(Counter[str]):
    """How often names of a file occurred; a file with very many different ones does not fill the memory."""

    def add(self, name: str) -> None:
        """Count a name."""
        name = name[:_LONGEST_NAME] or "(none)"
        self[name if name in self or len(self) < _MOST_KINDS else "(others)"] += 1

    def listed(self) -> str:
        """The most frequent names with their counts."""
        more = f" and {counted(len(self) - _MOST_LISTED, 'more kind')}" if len(self) > _MOST_LISTED else ""
        return ", ".join(f"{name} {count:,}" for name, count in self.most_common(_MOST_LISTED)) + more
