"""Labels that mean that nothing is known: how they are compared, and which usually do."""

from __future__ import annotations

import re

from arttl.characters import same_text

DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
"""Dashes of all kinds to a hyphen, for `str.translate`."""

_LONGEST = 40  # characters
_AROUND = " []{}()<>\"'*.?"  # is left out around a label

# In lower case, without what is left out around them; in the languages of catalogues.
_USUAL = """
    n/a, na, n.a, n/d, n.d, n/k, nan, nat, none, null, nil, inf, -inf, tbd, tbc, todo, undefined, unspecified, missing,
    empty, blank, no data, not specified, s.n, n.n, unknown, unknown artist, unknown maker, artist unknown,
    maker unknown, unidentified, unidentified artist, not known, not recorded, not available, not applicable, anonymous,
    anon, onbekend, onbekende kunstenaar, onbekende maker, kunstenaar onbekend, vervaardiger onbekend, anoniem,
    niet bekend, niet van toepassing, n.v.t, nvt, unbekannt, unbekannter künstler, künstler unbekannt, anonym,
    ohne angabe, keine angabe, k.a, nicht bekannt, inconnu, inconnue, artiste inconnu, auteur inconnu, anonyme,
    sans objet, non renseigné, indéterminé, sconosciuto, ignoto, autore ignoto, artista sconosciuto, anonimo,
    non disponibile, desconocido, anónimo, autor desconocido, sin datos, desconhecido, autor desconhecido, anônimo,
    okänd, ukendt, ukjent, tuntematon, neznámý, nieznany, ismeretlen, неизвестный, неизвестен, bilinmiyor, 不明, 未知,
    undated, no date, not dated, date unknown, unknown date, s.d, z.d, z.j, zonder jaar, o.j, o. j, ohne jahr,
    undatiert, ongedateerd, datum onbekend, datum unbekannt, sans date, s.f, sin fecha, senza data, sem data
"""
# The errors of spreadsheets, in English, Dutch, French, German, Italian and Spanish.
_ERRORS = """
    #n/a, #ref!, #value!, #div/0!, #name?, #num!, #null!, #error!, #calc!, #spill!, #n/b, #verw!, #waarde!, #naam?,
    #valeur!, #nom?, #nombre!, #nv, #bezug!, #wert!, #zahl!, #n/d, #rif!, #valore!, #nome?, #¡ref!, #¡valor!, #¡div/0!,
    #¿nombre?
"""
# Makers of whom only the country is known: `French Painter`, `unknown Japanese`, `Spanish (Catalan) Painter`.
_COUNTRIES = (
    "american|australian|austrian|belgian|bohemian|british|byzantine|canadian|chinese|continental|danish|"
    "dutch|egyptian|english|european|flemish|french|german|greek|hungarian|indian|irish|italian|japanese|"
    "korean|mexican|netherlandish|norwegian|persian|peruvian|polish|portuguese|roman|russian|scottish|"
    "spanish|swedish|swiss|turkish|venetian|welsh"
)
_COUNTRY = rf"(?:(?:north|south)(?:ern)? )?(?:{_COUNTRIES})(?: [(\[][^)\]]*[)\]])?"
_MAKER = " (?:artist|draftsman|engraver|maker|miniaturist|painter|photographer|printmaker|school|sculptor)s?"
_ONLY_COUNTRY = re.compile(
    rf"(?:(?:unknown|unidentified|anonymous),? {_COUNTRY}(?:{_MAKER})?|{_COUNTRY}{_MAKER})"
    r"(?:,? (?:\d\d?th|late|early|mid|or|century)\b)*"
)
_UNKNOWN = frozenset(word.strip() for word in f"{_USUAL},{_ERRORS}".split(","))


def unknown_key(label: str) -> str:
    """A key by which a label is compared with those of `--unknown`: no letter case, and any number of dashes is one."""
    key = same_text(label)
    return "-" if key and not key.translate(DASHES).strip("- ") else key


def means_unknown(label: str) -> bool:
    """Whether a label usually means that nothing is known, such as `#N/A`, `onbekend`, `--` or `French Painter`."""
    if len(label) > _LONGEST:
        return False
    key = label.casefold() if label.isascii() else same_text(label)
    return (
        key in _UNKNOWN
        or key.strip(_AROUND) in _UNKNOWN
        or _ONLY_COUNTRY.fullmatch(key) is not None
        or not any(map(str.isalnum, key))
    )
