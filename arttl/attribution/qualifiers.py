"""How far a person made an object: qualifiers such as "circle of", and roles that make nothing.

A maker with a qualifier is kept with the sample (`Artwork.attributions`) and is no label, unless `--attributed`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arttl.artworks import Artwork
from arttl.errors import counted

# The attribution qualifiers of the Art & Architecture Thesaurus, most of them below 300404264.
AAT_QUALIFIERS = {
    "300404269": "attributed to",
    "300404270": "formerly attributed to",
    "300404272": "possibly by",
    "300404273": "probably by",
    "300404274": "workshop of",
    "300404275": "studio of",
    "300404276": "office of",
    "300404277": "atelier of",
    "300404278": "assistant to",
    "300404279": "pupil of",
    "300404280": "associate of",
    "300404281": "manufactory of",
    "300404282": "follower of",
    "300404283": "circle of",
    "300404284": "school of",
    "300404285": "style of",
    "300404286": "after",
    "300404287": "copyist of",
    "300404288": "manner of",
    "300435722": "possibly by",
    "300252887": "falsification",
}

# Words of qualifiers that stand before a name, in the languages of the catalogues that were looked at.
_BEFORE_A_NAME = "|".join(
    (
        r"(?:formerly )?(?:attributed|ascribed) to",
        r"(?:in the |copy in the )?(?:circle|follower|workshop|studio|atelier|school|style|manner|imitator|pupil"
        r"|student|associate|office|shop|manufactory|copyist|copy|imitation|influence|tradition|entourage)s? of",
        "assistants? (?:of|to)",
        r"(?:copy |freely |free copy )?after(?: an? (?:design|model|drawing|painting|print)(?: by| of))?",
        "(?:possibly|probably|perhaps|formerly)(?: by)?",
        "toegeschreven aan",
        "(?:omgeving|kring|navolger|werkplaats|atelier|school|leerling|imitator|volgeling) van",
        "(?:in de |op de )?(?:manier|stijl|trant) van",
        "(?:kopie |vrij )?naar",
        "mogelijk|waarschijnlijk",
        "zugeschrieben(?: an)?",
        "(?:umkreis|kreis|werkstatt|nachfolger|nachahmer|schule|schüler|art)(?: von| des| der)",
        "(?:kopie )?nach",
        r"attribuée?s? à",
        r"(?:atelier|entourage|cercle|école|suiveur|manière|style|élève|imitateur) (?:de|d')",
        r"(?:copie )?d'après",
        "attribuit[oai] a",
        "(?:bottega|cerchia|scuola|seguace|maniera|ambito|copia) (?:di|da)",
    )
)
_IN_NAME = re.compile(rf"(?P<qualifier>(?i:{_BEFORE_A_NAME}))(?:(?<=')|\s)\s*(?P<name>\S.*)", re.DOTALL)
_AFTER = re.compile(r"(?P<name>\S.*?)[,;]?\s+after\s+(?P<source>[^\W\da-z].*)", re.DOTALL)
_QUALIFYING = re.compile(
    rf"\b(?:{_BEFORE_A_NAME}|attribut\w+|attribué\w*|toegeschreven|zugeschrieben|vermutlich|wohl|möglicherweise|possible"
    r"|former|umkreis|werkstatt|nachfolge\w*|nachahm\w*|falsifi\w+|forge\w+|vervals\w+|fälsch\w+)(?!\w)"
    r"|\b(?:based on|close to|period of|generation of)\b|\(\?\)"
    r"|^(?:or\b.*|school|style|manner|circle|follower|imitator|copy|copyist|\?)$",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:former(?:ly)?|reject\w*|vroeger|ehemals|früher|falsifi\w+|forge\w+|vervals\w+|fälsch\w+)\b",
    re.IGNORECASE,
)
_LONGEST = 1000  # characters of a name or role that is looked at
_NO_MAKER = re.compile(
    r"\b(?:publish\w*|printers?|printed by|patrons?|commission\w*|sitters?|subjects?|dedicat\w+|donors?|lenders?"
    r"|collectors?|owners?|dealers?|retailers?|distribut\w+|person in photograph|uitgever\w*|drukker\w*|drucker\w*"
    r"|opdrachtgever\w*|geportretteerde|verlag\w*|verleger\w*|auftraggeber\w*|éditeur\w*|imprimeur\w*"
    r"|commanditaire|editore|stampatore|committente)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Maker:
    """A person or group in the making of an object.

    Attributes:
        name: without the qualifier.
        qualifier: as catalogued, such as `circle of`; also a role that makes nothing, such as `publisher`; empty for
            an artist.
        addresses: in vocabularies, such as ULAN's.
    """

    name: str
    qualifier: str = ""
    addresses: tuple[str, ...] = ()


def qualifies(role: str) -> bool:
    """Whether a role or prefix says that the person is no artist of the object, or not surely: `after`, `publisher`."""
    role = role[:_LONGEST]
    return bool(_QUALIFYING.search(role) or _NO_MAKER.search(role))


def split_name(text: str) -> tuple[str, str]:
    """Qualifier and name: `("circle of", "Rembrandt")`; the qualifier is empty where the text is a name alone.

    A qualifier counts only before a name, so that `School of the artist` stays as it is.
    """
    match = _IN_NAME.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None or match["name"][0].islower():
        return "", text.strip()
    return match["qualifier"].strip(), match["name"].strip()


def split_after(text: str) -> tuple[str, str | None]:
    """The maker and the artist of the model: `Jan Muller after Cornelis van Haarlem`; None where none is named."""
    match = _AFTER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    return (match["name"], match["source"].strip()) if match else (text.strip(), None)


def artists(makers: Iterable[Maker], *, attributed: bool) -> tuple[str, ...]:
    """The names that are labels.

    Args:
        makers: of an object.
        attributed: whether those with a qualifier count too; never those that are denied (`formerly attributed to`)
            or made nothing (`publisher`).
    """
    return tuple(
        maker.name
        for maker in makers
        if not maker.qualifier
        or (attributed and not _DENIED.search(maker.qualifier) and not _NO_MAKER.search(maker.qualifier))
    )


def attributions(makers: Iterable[Maker]) -> tuple[tuple[str, str], ...]:
    """Those with a qualifier, as `Artwork.attributions`."""
    return tuple((maker.qualifier, maker.name) for maker in makers if maker.qualifier)


class Qualifiers:
    """Counts the qualifiers of many objects, for a sentence."""

    _MOST = 1000  # distinct ones that are counted by name; a column of names taken for roles must not fill the memory
    _SHOWN = 8

    def __init__(self, task: str, *, attributed: bool) -> None:
        """Start counting.

        Args:
            task: whose labels the makers are.
            attributed: whether they are labels, see `artists`.
        """
        self._task = task
        self._attributed = attributed
        self._counts: Counter[str] = Counter()

    def add(self, artwork: Artwork) -> None:
        """Count the attributions of an object."""
        for qualifier, _ in artwork.attributions:
            known = qualifier.casefold()
            self._counts[known if known in self._counts or len(self._counts) < self._MOST else "others"] += 1

    def sentences(self) -> Iterator[str]:
        """What there is to say: one sentence, or none."""
        if not self._counts:
            return
        most = self._counts.most_common(self._SHOWN)
        shown = ", ".join(f"{qualifier} ({count:,})" for qualifier, count in most)
        more = ", ..." if len(self._counts) > len(most) else ""
        number = self._counts.total()
        are = counted(number, "maker is kept as attribution", "makers are kept as attributions")
        kept = f"{self._task}: {are} ({shown}{more})"
        yield (
            f"{kept}; with --attributed those in doubt are labels too"
            if self._attributed
            else f"{kept} and {'is no label' if number == 1 else 'are no labels'}; see --attributed"
        )
