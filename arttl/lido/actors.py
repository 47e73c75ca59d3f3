"""The makers of an object in a LIDO record, told from its publishers, patrons and owners by their roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from lxml.etree import _Element as Element

from arttl.lido.terms import (
    LONGEST_TEXT,
    Choice,
    Counts,
    Kinds,
    Labelled,
    Meaning,
    attribute,
    identifier,
    lookup_keys,
    meaning,
    path,
    preference,
)
from arttl.records.xml_records import child_of, grandchildren, words

MAKER, PHOTOGRAPHER, AFTER, NO_MAKER, PRINTED = "maker", "photographer", "after", "no maker", "printed"

# AAT and MARC relators; the codes that come with no term.
_ROLE_CODES = Kinds(
    {
        MAKER: """300025103|300025108|300112172|300025122|300025123|300025136|300025164|300025165|300239410|300025167
        |300025174|300025175|300025178|300025181|300025190|300025230|300025256|300025414|300025417|300025845|300251917
        |300386174|300386177|art|cre|drm|dsr|egr|etr|ill|ilu|inv|ltg|mfr|mte|prm|scl|wdc|wde|q483501|q1028181|q1281618
        |q11569986""",
        PHOTOGRAPHER: "300025687|pht|q33231",
        NO_MAKER: """300025574|300025732|300025733|300203630|300025240|300025234|300025208|300025244|300188572
        |300386347|300386627|300400903|pbl|prt|pop|pat|own|fmo|dnr|col|auc|bsl|spn|isb|q2085381|q175151|q1344174""",
    }
)

# Ends of words; the longest that fits decides, so that an Erfinder is no finder. Words in the languages of Europe.
_WORD_ENDS = Kinds(
    {
        MAKER: """worker|caster|founder|lacquerer|jeweler|goldsmiths|binder|bookbinder|colourist|colorist|printmakers
        |manufactory|company|fabriek|bakkerij|weverij|modehuis|werker|werkster|slager|juwelier|vergulder|naaister
        |borduurster|typograaf|kalligraaf|cartograaf|uitvoerder|vormgever|glazenier|inkleurder|clichemaker|manufaktur
        |werkstatt|fabrik|gießerei|weberei|kunstgewerbler|buchbinder|goldschmied|graphic artist|artist|artists|painter
        |painters|sculptor|sculptors|maker|makers|engraver|engravers|etcher|lithographer|draftsman|draughtsman
        |draftsmen|draughtsmen|drawer|designer|designers|architect|architects|carver|potter|ceramist|ceramicist|weaver
        |smith|smiths|illustrator|illuminator|miniaturist|calligrapher|modeller|modeler|creator|creators|author
        |producer|manufacturer|fabricator|craftsman|enameller|gilder|decorator|cutter|inventor|cartographer|originator
        |jeweller|medallist|embroiderer|glassblower|scribe|draftsperson|künstler|kuenstler|maler|bildhauer|stecher
        |radierer|zeichner|schneider|lithograf|lithograph|grafiker|graphiker|architekt|entwerfer|hersteller|schöpfer
        |urheber|verfasser|autor|schnitzer|töpfer|keramiker|schmied|gießer|giesser|macher|bildner|modelleur|dekorateur
        |erbauer|baumeister|weber|erfinder|kalligraf|vergolder|medailleur|kartograf|kartograph|gestalter|erzeuger
        |herstellende|ausführende|ausführender|ersteller|kunstenaar|kunstenares|schilder|schilderes|beeldhouwer
        |tekenaar|graveur|etser|vervaardiger|ontwerper|snijder|lithograaf|keramist|bakker|smid|gieter|wever|auteur
        |uitvinder|producent|fabrikant|decorateur|bouwer|artiste|peintre|sculpteur|sculptrice|dessinateur|dessinatrice
        |créateur|créatrice|createur|architecte|orfèvre|ébéniste|céramiste|fabricant|inventeur|illustrateur|enlumineur
        |aquafortiste|potier|tisserand|fondeur|ciseleur|miniaturiste|modeleur|décorateur|lithographe|graveuse|artista
        |pittore|pittrice|scultore|scultrice|incisore|disegnatore|disegnatrice|autore|autrice|architetto|esecutore
        |inventore|ideatore|litografo|orafo|ceramista|intagliatore|produttore|acquafortista|miniatore|creatore|pintor
        |pintora|escultor|escultora|grabador|gravador|dibujante|desenhador|autora|arquitecto|arquiteto|creador|criador
        |litógrafo|diseñador|orfebre|productor|artífice|konstnär|kunstner|målare|skulptör|skulptor|billedhugger
        |billedhogger|bildhuggare|tecknare|tegner|upphovsman|tillverkare|arkitekt|formgivare|gravör|gravør|stikker
        |stickare|produsent|framställare|taiteilija|maalari|kuvanveistäjä|piirtäjä|suunnittelija|tekijä|valmistaja
        |graafikko|arkkitehti|kunstnik|maalija|tegija|artysta|malarz|rzeźbiarz|grafik|rysownik|rytownik|twórca
        |wytwórca|projektant|wykonawca|umělec|malíř|sochař|kreslíř|rytec|výrobce|tvůrce|návrhář|művész|festő|szobrász
        |grafikus|rajzoló|metsző|készítő|alkotó|tervező|gyártó|szerző|pictor|gravor|desenator|producător|meșter
        |executant|umetnik|umjetnik|slikar|kipar|risar|avtor|izdelovalec|художник|живописец|скульптор|гравёр|гравер
        |автор|изготовитель|мастер|архитектор|рисовальщик|ζωγράφος|καλλιτέχνης|γλύπτης|δημιουργός|χαράκτης""",
        PHOTOGRAPHER: """photographer|photographers|fotograf|photograph|fotoatelier|fotograaf|photographe|fotografo
        |fotografa|fotógrafo|fotografen|valokuvaaja|fényképész|фотограф|φωτογράφος""",
        NO_MAKER: """writer|poet|composer|translator|censor|financier|licensee|supervisor|importer|supplier
        |frame maker|framer|framemaker|schrijver|redacteur|dichter|componist|vertaler|verlener|opgedragen|samensteller
        |muntheer|leverancier|toezichthouder|supervisie|directeur|approbatie|toestemming|landmeter|lijstenmaker
        |letterzetter|inspirator|schreiber|komponist|übersetzer|rahmenmacher|leihgeber|widmungsempfänger|münzherr
        |encadreur|traducteur|corniciaio|publisher|publishers|printer|printers|patron|patrons|commissioner
        |commissioning|client|sponsor|donor|owner|seller|vendor|buyer|dealer|collector|lender|sitter|depicted|issuer
        |paymaster|printed|published|commissioned|editor|discoverer|finder|excavator|restorer|conservator|repeller
        |acquirer|consignor|auctioneer|holder|user|dedicatee|addressee|recipient|sender|retailer|bookseller
        |distributor|mint|former|previous|drucker|druckerei|verleger|verlag|geber|herr|besitzer|eigentümer|sammler
        |händler|verkäufer|käufer|restaurator|dargestellte|dargestellter|stifter|schenker|adressat|empfänger|absender
        |prägeanstalt|veräußerer|drukker|drukkerij|uitgever|uitgeverij|opdrachtgever|eigenaar|verzamelaar|handelaar
        |koper|verkoper|vinder|geportretteerde|bruikleengever|imprimeur|éditeur|editeur|commanditaire|propriétaire
        |collectionneur|marchand|vendeur|acheteur|donateur|restaurateur|découvreur|libraire|mécène|stampatore
        |tipografo|editore|committente|proprietario|collezionista|venditore|donatore|restauratore|impresor|impressor
        |comitente|mecenas|propietario|proprietário|coleccionista|vendedor|donante|restaurador|tryckare|trykker
        |förläggare|forlægger|utgivare|udgiver|beställare|ägare|ejer|painaja|kustantaja|julkaisija|tilaaja|omistaja
        |kujutatu|trükkija|kirjastaja|drukarz|wydawca|zleceniodawca|fundator|właściciel|tiskař|vydavatel|nakladatel
        |objednavatel|majitel|nyomdász|kiadó|megrendelő|tulajdonos|emitent|comanditar|proprietar|descoperitor|издатель
        |печатник|заказчик|владелец""",
    }
)
_AFTER = re.compile(
    r"(?:(?:copy|copies|kopie|copie|copia)\s)?"
    r"(?:after|naar|nach|d'après|d’après|da|dopo|según|segundo|attributed|toegeschreven|zugeschrieben|attribué"
    r"|attribuito|atribuido|circle of|workshop of|studio of|follower of|school of|manner of|style of|umkreis"
    r"|werkstatt von|nachfolger|navolger|omgeving van|kring van|atelier van|werkplaats van|entourage de"
    r"|atelier de|école de)\b"
)
_DENIED = re.compile(
    r"\b(?:former(?:ly)?|reject\w*|vroeger|voormalig\w*|ehemal\w*|früher\w*|abgeschrieben|ancienne\w*|autrefois|già|falsifi\w+"
    r"|forge\w+|vervals\w+|fälsch\w+)\b|300404270|300252887"
)
_OWN = re.compile(r"\b(?:own|eigen|eigenem|propre|proprio|propio)\b")
# Events that say what those who take part in them do, where they have no role.
_PRINTING = Kinds(
    {PRINTED: "lido01096|museum-digital 26|printing|printed|druck|gedruckt|gedrukt|imprimé|impression"}
)
_PARTS = re.compile(r"\s*[,;/&+|]\s*|\s+(?:und|and|en|et|og|och|ja|y|e|i|a)\s+")
_LONGEST_WORD = 40
_LETTERS = re.compile(r"[^\W\d_]+")

_EVENT_TYPE, _EVENT_ACTOR, _ACTOR_IN_ROLE = path("eventType"), path("eventActor"), path("actorInRole")
_ACTOR, _ACTOR_ID = path("actor"), path("actorID")
_ACTOR_NAME = (path("nameActorSet"), path("appellationValue"))
_ROLES, _QUALIFIER = (path("roleActor"), path("extentActor")), path("attributionQualifierActor")
_DISPLAYED = path("displayActorInRole")


def role_kind(texts: Iterable[str]) -> str | None:
    """What a role says of its actor, from its terms and identifiers.

    Returns:
        `MAKER`, `PHOTOGRAPHER`, `AFTER` or `NO_MAKER`; None: it is not known.
    """
    kinds = {_kind_of_role(text[:LONGEST_TEXT]) for text in texts}
    return next((kind for kind in (MAKER, PHOTOGRAPHER, AFTER, NO_MAKER) if kind in kinds), None)


@lru_cache(maxsize=4096)
def _kind_of_role(text: str) -> str | None:
    if code := _ROLE_CODES.of(text):
        return code
    text = next(lookup_keys(text))
    if "reprod" in text:  # the photographer of a reproduction, say
        return NO_MAKER
    if _AFTER.match(text):
        return MAKER if _OWN.search(text) else AFTER  # after own design
    if code := _WORD_ENDS.of(text):  # such as frame maker, of two words
        return code
    kinds = [_kind_by_word_ends(part) for part in _PARTS.split(text)]
    return next((kind for kind in (MAKER, PHOTOGRAPHER, NO_MAKER) if kind in kinds), None)


def _kind_by_word_ends(part: str) -> str | None:
    """The kind of the first word that has one: the owner of a pottery is no maker."""
    return next(filter(None, map(_kind_of_word, _LETTERS.findall(part))), None)


def _kind_of_word(word: str) -> str | None:
    longest, kind = 0, None
    word = word[-_LONGEST_WORD:]
    # German forms such as Malerin, Malerinnen and Maler:in end otherwise.
    for form in (word, *(word.removesuffix(end) for end in ("in", "innen", "s") if word.endswith(end))):
        start = next((start for start in range(len(form)) if form[start:] in _WORD_ENDS), len(form))
        if len(form) - start > longest:
            longest, kind = len(form) - start, _WORD_ENDS[form[start:]]
    return kind


@dataclass
class Roles:
    """What was found of roles and attributions in all records.

    Attributes:
        taken, left: roles of actors who were taken as artists, and of those who were not.
        qualifiers: of actors who are not named as the maker.
    """

    taken: Counts = field(default_factory=Counts)
    left: Counts = field(default_factory=Counts)
    qualifiers: Counts = field(default_factory=Counts)


class _Actor(NamedTuple):
    name: Labelled
    role: str
    kind: str | None
    qualifier: str


def makers(
    events: list[Element], choice: Choice, roles: Roles, *, attributed: bool
) -> tuple[list[Labelled], list[tuple[str, str]]]:
    """The artists of production events, in their order, and makers who are not named as such.

    Artists are the actors whose role is that of a maker; photographers only if there is no other maker, whose work they
    may have photographed. Where there are none, those without a role or with an unknown one; those without a role in an
    event of printing only if there are no others. Publishers, printers, patrons and owners never are. An actor with an
    attribution qualifier, or a role such as `after a painting by`, is no artist unless `attributed`; never one whose
    qualifier denies it (`formerly attributed to`).

    Args:
        events: of one record.
        choice: of the language.
        roles: are counted there.
        attributed: whether those who are not named as such are taken too.

    Returns:
        The artists, and each qualifier with its name.
    """
    actors = [actor for event in events for actor in _actors(event, choice)]
    attributions = [(actor.qualifier, actor.name.label) for actor in actors if actor.qualifier]
    for qualifier, _ in attributions:
        roles.qualifiers.add(repr(qualifier))
    # A qualified maker counts here: beside one, a person of unknown role is not the artist.
    kinds = {actor.kind for actor in actors}
    best = next((kind for kind in (MAKER, PHOTOGRAPHER, None, PRINTED) if kind in kinds), MAKER)
    artists = []
    for actor in actors:
        if attributed and not _DENIED.search(actor.qualifier.casefold()):
            fits = actor.kind in (best, AFTER)
        else:
            fits = actor.kind == best and not actor.qualifier
        if fits:
            artists.append(actor.name)
        if fits or not actor.qualifier:
            (roles.taken if fits else roles.left).add(repr(actor.role) if actor.role else "no role")
    return artists, list(dict.fromkeys(attributions))


def _actors(event: Element, choice: Choice) -> Iterator[_Actor]:
    for event_actor in event.iterchildren(_EVENT_ACTOR):
        in_roles = list(event_actor.iterchildren(_ACTOR_IN_ROLE))
        for in_role in in_roles or [event_actor]:
            name = _name(child_of(in_role, _ACTOR), choice)
            if name is None and len(in_roles) < 2:
                name = _displayed(event_actor, choice)
            if name is None:
                continue
            meanings = [meaning(element, choice) for element in in_role.iterchildren(*_ROLES)]
            role = next(filter(None, map(_shown, meanings)), "")
            kind = role_kind(text for role_meaning in meanings for text in role_meaning.texts)
            qualifier = _qualifier(list(in_role.iterchildren(_QUALIFIER)), choice)
            if kind == AFTER:
                qualifier = qualifier or role
            elif kind == NO_MAKER:
                qualifier = ""
            if not role:
                kind = _PRINTING.of_first(meaning(child_of(event, _EVENT_TYPE), choice).texts)
            yield _Actor(name, role, kind, qualifier)


def _qualifier(elements: list[Element], choice: Choice) -> str:
    """All qualifiers of an actor in the chosen language."""
    if not elements:
        return ""
    qualifiers = [_shown(meaning(element, choice)) for element in choice.in_language(elements)]
    return ", ".join(dict.fromkeys(filter(None, qualifiers)))


def _shown(concept: Meaning) -> str:
    """A term of a role or qualifier, or its identifier, if it has nothing else."""
    return concept.term or next(iter(concept.texts), "")


def _displayed(event_actor: Element, choice: Choice) -> Labelled | None:
    text = choice.text(list(event_actor.iterchildren(_DISPLAYED)))
    return Labelled(text) if text else None


def _name(actor: Element | None, choice: Choice) -> Labelled | None:
    """The one name of an actor: a preferred one in the chosen language, else another."""
    if actor is None:
        return None
    values = [value for value in grandchildren(actor, *_ACTOR_NAME) if words(value)]
    label = _first_and_last_name(values)
    if not label:
        if len(values) > 1:  # a preferred one before one in the language
            ranks = list(map(preference, values))
            best = min(ranks)
            values = [value for value, rank in zip(values, ranks, strict=True) if rank == best]
        label = choice.text(values)
    identifiers = dict.fromkeys(filter(None, map(identifier, actor.iterchildren(_ACTOR_ID))))
    return Labelled(label, tuple(identifiers)) if label else None


def _first_and_last_name(values: list[Element]) -> str:
    """`Lenz, Ada` of a name in two labelled parts; empty for any other."""
    if len(values) < 2:
        return ""
    labels = [attribute(value, "label").casefold() for value in values]
    if "lastname" not in labels or "firstname" not in labels:
        return ""
    parts = dict(zip(labels, map(words, values), strict=True))
    return f"{parts['lastname']}, {parts['firstname']}"
