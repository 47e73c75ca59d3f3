"""Labels that mean that nothing is known: how they are compared, and which usually do."""

from __future__ import annotations

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
_UNKNOWN = frozenset(word.strip() for word in f"{_USUAL},{_ERRORS}".split(","))


def unknown_key(label: str) -> str:
    """A key by which a label is compared with those of `--unknown`: no letter case, and any number of dashes is one."""
    key = same_text(label)
    return "-" if key and not key.translate(DASHES).strip("- ") else key


def means_unknown(label: str) -> bool:
    """Whether a label usually means that nothing is known, such as `#N/A`, `[unknown]`, `onbekend` or `--`."""
    if len(label) > _LONGEST:
        return False
    key = label.casefold() if label.isascii() else same_text(label)
    return key in _UNKNOWN or key.strip(_AROUND) in _UNKNOWN or not any(map(str.isalnum, key))
