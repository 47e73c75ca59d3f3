"""The words that catalogues in six languages write dates with: English, German, Dutch, French, Italian and Spanish.

All are in lower case and without accents, as `arttl.years` compares them.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbered(*lines: str) -> dict[str, int]:
    """Each word of the n-th line to n, counted from 1."""
    return {word: number for number, line in enumerate(lines, start=1) for word in line.split()}


DOUBT = _words(
    """
    c ca cca circa about around approximately approx probably possibly perhaps likely
    um etwa ungefahr gegen wohl vermutlich wahrscheinlich
    omstreeks omst ongeveer rond waarschijnlijk vermoedelijk mogelijk
    vers environ env probablement peut-etre
    verso probabilmente hacia probablemente
    """
)
"""The year is an estimate."""

FILLERS = _words(
    """
    the in year years anno domini dated published printed made painted drawn executed created produced photographed
    jaar gedateerd het im den der die das des datiert jahr jahre jahren
    de du la le les date annee del della dei degli gli nel el los las ano 年 년
    """
)
"""These change nothing."""

DECADE_BEFORE = _words("jaren annees anni anos")
"""A decade, before its first year: `années 1650`."""

CENTURY = _words(
    """
    century centuries cent cen eeuw eeuwen jahrhundert jahrhunderts jahrhunderte jh jhs jhd jhdt jhdts
    siecle siecles secolo secoli sec siglo siglos
    """
)
CENTURY_AFTER_ORDINAL = frozenset("c")
"""Centuries only after an ordinal: `17th c.`; before a year it is `circa`."""
CENTURY_BESIDE_ROMAN = frozenset("s")
"""Centuries only beside a Roman number: `s. XVII`, `XVIIe s.`"""

EARLY = _words(
    """
    early beginning start begin vroeg vroege anfang beginn fruh fruhe fruhes fruhen debut inizio inizi principios
    comienzos
    """
)
MIDDLE = _words("mid middle midden medio mitte milieu meta mediados")
LATE = _words("late end laat eind einde ende spat spate spates spaten fin fine finales")

ORDINALS = _numbered(
    "first erste erstes ersten eerste premier premiere primo prima primer primera",
    "second zweite zweites zweiten tweede deuxieme seconde secondo seconda segundo segunda",
    "third dritte drittes dritten derde troisieme terzo terza tercer tercera",
    "fourth vierte viertes vierten vierde quatrieme quarto quarta cuarto",
    *(
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
    ),
    *("fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
LAST = _words("last final letzte letztes letzten laatste dernier derniere ultimo ultima")

FRACTIONS = {
    **dict.fromkeys(_words("half halfte h helft moitie meta mitad"), 2),
    **dict.fromkeys(_words("third drittel derde tiers terzo tercio"), 3),
    **dict.fromkeys(_words("quarter viertel kwart quart quarto cuarto"), 4),
    **dict.fromkeys(_words("decade jahrzehnt decennium decennie decennio decenio"), 10),
}
"""After an ordinal: how many of them make up the whole."""

MONTHS = _words(
    """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec spring summer autumn fall winter
    januar februar marz mai juni juli oktober dezember fruhling fruhjahr sommer herbst
    januari februari maart mei augustus lente zomer herfst
    janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre printemps ete automne hiver
    gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre dicembre
    enero febrero abril mayo junio julio septiembre octubre noviembre diciembre
    """
)
"""Months and seasons."""

TO = _words("to until till through tot bis a al au")
OR = _words("or oder of ou")
AND = _words("and und en et e y")
BETWEEN = _words("between zwischen tussen entre tra fra")
FROM = _words("from von van da dal desde")
