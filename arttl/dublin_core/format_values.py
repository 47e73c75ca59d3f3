"""What a value of `dc:format` or `dcterms:medium` is: a material, a technique, a size, or the format of a file.

Institutions put all of these into one element, with a prefix (`materiaal: olieverf`, `techniek: etsen`,
`hoogte: 20 cm`) or without (`doek`, `20 x 30 cm`, `image/jpeg`, `1 foto`). The words are those of Dutch, English,
German, French, Italian and Spanish exports.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Kind = Literal[
    "material",  # with a prefix that says so
    "plain",  # without a prefix, and none of the others
    "technique",
    "size",
    "file format",
    "size and more",  # such as `oil on canvas, 50 x 60 cm`
    "other prefix",
    "empty",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(" ".join(text.split()).split(", "))


_MATERIAL = _words(
    """
    material, materials, medium, media, support, materiaal, materialen, drager, grondstof, materialien,
    werkstoff, träger, bildträger, matériau, matériaux, matière, matières, materiau, materiaux, materiale,
    materiali, materia, supporto, materiales, soporte, materiais, suporte, matériel, matière première,
    main material, materia prima
    """
)
_TECHNIQUE = _words(
    """
    technique, techniques, techniek, technieken, technik, techniken, herstellungstechnik, tecnica, tecniche,
    técnica, técnicas, tecnicas, teknik, teknikk, tekniikka, procédé, process, production process,
    printing process, drukprocedé, drukprocédé, verfahren
    """
)
_SIZE = _words(
    """
    size, sizes, dimension, dimensions, measurement, measurements, extent, height, width, depth, length,
    diameter, weight, thickness, circumference, duration, scale, formaat, afmeting, afmetingen, maten,
    omvang, hoogte, breedte, diepte, lengte, gewicht, dikte, diam, omtrek, schaal, duur, maß, maße, masse,
    größe, höhe, breite, tiefe, länge, durchmesser, dicke, umfang, blattmaß, plattenmaß, bildmaß, rahmenmaß,
    maßstab, taille, hauteur, largeur, profondeur, longueur, diamètre, poids, épaisseur, mesures, misura,
    misure, dimensione, dimensioni, altezza, larghezza, profondità, lunghezza, diametro, peso, spessore,
    medida, medidas, dimensiones, dimensión, alto, altura, ancho, anchura, profundidad, longitud, diámetro,
    grosor, mått, höjd, bredd, djup
    """
)
# Processes alone: a word that also names a material (aquarel, gouache, email) or a cloth is not here.
_TECHNIQUES = _words(
    """
    schilderen, tekenen, etsen, graveren, drukken, lithograferen, weven, borduren, breien, haken, smeden,
    gieten, snijden, houtsnijden, beeldhouwen, boetseren, vergulden, verzilveren, emailleren, glazuren,
    draaien, drijven, ciseleren, fotograferen, fotografie, kalligraferen, knippen, plakken, lijmen, naaien,
    vlechten, zeefdrukken, boekdruk, ets, steendruk, hoogdruk, diepdruk, vlakdruk, kopergravure,
    staalgravure, gravure, droge naald, mezzotint, aquatint, houtsnede, houtgravure, lithografie, zeefdruk,
    linosnede, offset, painting, drawing, etching, engraving, drypoint, woodcut, wood engraving,
    lithography, lithograph, screenprint, screen printing, silkscreen, printing, letterpress, weaving,
    embroidery, knitting, casting, carving, forging, gilding, enamelling, enameling, glazing, turning,
    sculpting, modelling, modeling, photography, printmaking, handwriting, painted, drawn, woven, carved,
    cast, engraved, etched, printed, gilded, forged, eau-forte, lithographie, tissage, broderie, dorure,
    impression, burin, pointe sèche, manière noire, xylographie, photographie, sculpture, dessin, fonte,
    sérigraphie, malerei, zeichnung, radierung, kupferstich, holzschnitt, druck, weben, sticken, gießen,
    schnitzen, schmieden, vergoldung, siebdruck, kaltnadel, schabkunst, aquatinta, gemalt, gezeichnet,
    geschnitzt, gegossen, gewebt, gedruckt, geschmiedet, bedruckt, pittura, incisione, acquaforte,
    litografia, xilografia, tessitura, ricamo, fusione, intaglio, disegno, doratura, grabado, aguafuerte,
    litografía, xilografía, talla, fundición, bordado, dibujo, fotografia, fotografía
    """
)
_FILE_FORMATS = _words(
    """
    mov, avi, wmv, mpeg, mpg, wav, svg, doc, docx, jpeg, jpg, tiff, tif, png, gif, bmp, pdf, jp2,
    jpeg2000, jpeg 2000, mp3, mp4, html, xml, txt, epub, djvu, image, text, video, audio, digital, digital image
    """
)
_MIME = re.compile(
    r"(?:image|video|audio|text|application|model|multipart|message|font)/[a-z0-9.+*-]+(?:\s*;.*)?",
    re.IGNORECASE,
)
_UNIT = r"(?:mm|cm|dm|m|km|in|inch|inches|ft|feet|kg|g|gr|mg|lb|oz|px|pixels?|kb|mb|gb|bytes?|min|sec|dpi)(?![^\W\d_])"
_MEASURE = re.compile(rf"\d\s*(?:[x×*]\s*\d|{_UNIT}|[\"”″°])", re.IGNORECASE)
_CARAT = re.compile(
    r"\d+(?:[.,]\d+)?[\s-]*(?:k|kt|ct|karaats?|karat|karätig|carats?|carati|quilates)\b", re.IGNORECASE
)
_STARTS_AS_SIZE = re.compile(
    r"(?:(?:ca|c|circa|approx|±|~|ongeveer)[.\s]*)?(?:[hbwdlt]|br|dm|diam|ø)?[.\s=:]*\d", re.IGNORECASE
)
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN_WORDS = re.compile(r"\s*[/,&+]\s*|\s+(?:and|en|und|et|e|y|of|or|och)\s+")
_PROCESS = re.compile(
    r"\((?:[^()]*(?:proced|procéd|process|verfahren|techni|tecni)[^()]*)\)\Z", re.IGNORECASE
)
_LONGEST_KEPT = 100  # characters
_LONGEST_PREFIX = 40  # characters; a longer text before a colon is a sentence


def format_kind(text: str) -> tuple[Kind, str]:
    """What a value is, and the value without its prefix.

    Args:
        text: with single blanks.
    """
    # The same words come again and again; long texts are not kept.
    return _kept_kind(text) if len(text) <= _LONGEST_KEPT else _kind(text)


@lru_cache(maxsize=4096)
def _kept_kind(text: str) -> tuple[Kind, str]:
    return _kind(text)


def _kind(text: str) -> tuple[Kind, str]:
    before, colon, after = text.partition(":")
    value = after.strip()
    if colon and before.strip() and len(before) <= _LONGEST_PREFIX and not after.startswith("//"):
        words = set(_BETWEEN_WORDS.split(_folded(re.sub(r"\s*\([^()]*\)", "", before).strip())))
        if words & _MATERIAL:
            return ("material" if value else "empty"), value
        if words & _TECHNIQUE:
            return "technique", value
        if words & _SIZE or _is_size(value):
            return "size", value
        if not _is_size(text):
            return "other prefix", value
    if not text:
        return "empty", text
    folded = _folded(text)
    if _MIME.fullmatch(text) or folded.lstrip(".") in _FILE_FORMATS:
        return "file format", text
    if folded.partition(" (")[0] in _TECHNIQUES or _PROCESS.search(text):
        return "technique", text
    if _is_size(text):
        return "size", text
    return ("size and more" if _MEASURE.search(text) else "plain"), text


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _is_size(text: str) -> bool:
    """Whether a text begins as a size or a number of things does: `20 x 30 cm`, `hoogte 20 cm`, `1 foto`."""
    if _CARAT.match(text):
        return False
    first = _FIRST_WORD.match(unicodedata.normalize("NFC", text))
    return bool(_STARTS_AS_SIZE.match(text)) or (first is not None and _folded(first[0]) in _SIZE)
