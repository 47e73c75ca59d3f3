"""The metadata pairs of IIIF: which label means what, and how labels are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from urllib.parse import urlsplit

from arttl.iiif.manifest import Manifest
from arttl.iiif.pictures import Pair
from arttl.iiif.resources import is_web_address
from arttl.iiif.text import Texts, in_language
from arttl.records.usual_columns import USUAL_TASKS

# Labels that museums and libraries give these pairs, without blanks and marks, best first; by language in
# `docs/sources.md`. Authors and contributors are none: of a book they are not who made its pictures.
USUAL_LABELS = {
    "material": (
        *USUAL_TASKS["material"],
        *("materialsandtechniques", "materialstechniques", "materialandtechnique", "mediumandsupport"),
        *("mediumsupport", "materialsandmedium", "materialen", "materiaalentechniek", "materialentechnieken"),
        *(
            "materialundtechnik",
            "materialtechnik",
            "materialienundtechniken",
            "matière",
            "matières",
            "matériau",
        ),
        *("matériaux", "matériauxettechniques", "matièresettechniques", "materiale", "materiali", "materia"),
        *("materiaetecnica", "materiales", "materialer", "materialeogteknik", "materialochteknik"),
    ),
    "type": (
        *USUAL_TASKS["type"],
        *("classifications", "objecttypes", "typeofobject", "typeofitem", "typetechnique", "documenttype"),
        *(
            "objectnaam",
            "objecttrefwoord",
            "objektart",
            "objekttyp",
            "objektbezeichnung",
            "gattung",
            "typedobjet",
        ),
        *(
            "désignation",
            "oggetto",
            "tipodioggetto",
            "tipodeobjeto",
            "objekttype",
            "genstandstype",
            "værktype",
        ),
        "föremålstyp",
    ),
    "artist": (
        *USUAL_TASKS["artist"],
        *("artists", "creators", "makers", "artistmaker", "artistsmakers", "artistormaker", "creatorartist"),
        *("painter", "painters", "kunstenaars", "vervaardiger", "vervaardigers", "schilder", "künstler"),
        *("künstlerin", "künstlerinnen", "künstlerkünstlerin", "maler", "malerin", "hersteller", "artiste"),
        *(
            "artistes",
            "créateur",
            "créateurs",
            "peintre",
            "artista",
            "artisti",
            "pittore",
            "pintor",
            "kunstner",
        ),
        *("kunstnere", "konstnär", "konstnärer", "people", "persons", "person"),
    ),
}
USUAL_NUMBERS = (
    *("objectnumber", "inventorynumber", "accessionnumber", "accessionno", "inventoryno", "inventarisnummer"),
    *("inventarnummer", "objectnummer", "accession", "invnr", "invno", "inv", "numérodinventaire"),
    *("museumnumber", "objektnummer", "inventarnr", "inventarienummer", "numerodiinventario", "callnumber"),
)
USUAL_DATES = (
    *("date", "dateofcreation", "datecreated", "creationdate", "dated", "objectdate", "datum", "datierung"),
    *("datering", "datestatement", "dateoforigin", "productiondate", "dateofproduction", "datemade"),
    *("entstehungszeit", "entstehungsdatum", "datation", "datazione", "fecha", "dato"),
)
_LONGEST_LABEL = 500  # characters
_MOST_REMEMBERED = 8192  # characters of the labels of a manifest
USUAL_HOLDERS = ("heldby", "holdinginstitution", "owninginstitution", "institution", "repository", "museum")
_VOCABULARIES = (
    *(
        "getty.edu",
        "wikidata.org",
        "d-nb.info",
        "viaf.org",
        "id.loc.gov",
        "rkd.nl",
        "iconclass.org",
        "isni.org",
    ),
    *("geonames.org", "data.bnf.fr", "id.worldcat.org"),
)


class Labels:
    """Pairs by their labels, in any language."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        """Sort the pairs."""
        self._pairs = pairs
        self._places = _places_of(tuple([tuple([text.plain for text in pair.labels]) for pair in pairs]))

    def of(self, label: str) -> list[Pair]:
        """The pairs with a label; letter case, blanks and the encoding of accents do not matter."""
        return [self._pairs[place] for place in self._places.exact.get(_forms(label)[0], ())]

    def of_usual(self, usual: tuple[str, ...]) -> list[Pair]:
        """The pairs with the first of some usual labels that there is, with a value."""
        for places in self._places.of_usual(usual):
            if pairs := [pair for place in places if (pair := self._pairs[place]).values]:
                return pairs
        return []

    def has_usual(self, usual: tuple[str, ...]) -> bool:
        """Whether there is a pair with one of these labels."""
        return bool(self._places.of_usual(usual))


class _Places:
    """Which of some pairs have a label, by its forms."""

    def __init__(self, labels: tuple[tuple[str, ...], ...]) -> None:
        self.exact: dict[str, list[int]] = {}
        self._plain: dict[str, list[int]] = {}
        self._usual: dict[tuple[str, ...], list[list[int]]] = {}
        for place, of_pair in enumerate(labels):
            for exact, plain in dict.fromkeys(map(_forms, of_pair)):
                self.exact.setdefault(exact, []).append(place)
                self._plain.setdefault(plain, []).append(place)

    def of_usual(self, usual: tuple[str, ...]) -> list[list[int]]:
        """The places of each usual label that there is, best first; there are a few tuples of these."""
        if (places := self._usual.get(usual)) is None:
            places = self._usual[usual] = [self._plain[label] for label in usual if label in self._plain]
        return places


def _places_of(labels: tuple[tuple[str, ...], ...]) -> _Places:
    size = sum(map(len, chain.from_iterable(labels)))
    return _remembered_places(labels) if size <= _MOST_REMEMBERED else _Places(labels)


_remembered_places = lru_cache(maxsize=256)(_Places)  # the manifests of a museum have the same labels


def usual_texts(usual: tuple[str, ...], levels: Sequence[Labels]) -> Texts:
    """The values of the first pair with a usual label."""
    for labels in levels:
        if pairs := labels.of_usual(usual):
            return pairs[0].values
    return ()


def institution_of(manifest: Manifest, labels: Labels, language: str | None) -> str | None:
    """The museum that holds the object.

    That is a pair or the required statement with a label such as "Held by", or else the provider, if there is one
    alone. The attribution is a sentence to be shown (a licence, a credit line) and names the museum at most within it.
    """
    levels = (labels, Labels((manifest.required,))) if manifest.required else (labels,)
    name = first_text(usual_texts(USUAL_HOLDERS, levels), language)
    if name is None and len(manifest.providers) == 1:
        name = first_text(manifest.providers[0], language)  # further texts are its postal address
    return name


def first_text(texts: Texts, language: str | None) -> str | None:
    """The first text in a language, in one line."""
    return next((text.plain for text in in_language(texts, language)), None)


def is_usual(label: str, usual: Sequence[str]) -> bool:
    """Whether a label is one of the usual ones."""
    return _forms(label)[1] in usual


@lru_cache(maxsize=1024)
def _forms(label: str) -> tuple[str, str]:
    """A label without letter case, as it is compared with flags; and without marks, as with usual ones."""
    label = unicodedata.normalize("NFC", " ".join(label[:_LONGEST_LABEL].split()).rstrip(": ")).casefold()
    return label, re.sub(r"[\W_]", "", label)


def is_of_vocabulary(address: str) -> bool:
    """Whether a text is an address in a vocabulary that museums share."""
    if not is_web_address(address):
        return False
    host = urlsplit(address).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in _VOCABULARIES)
