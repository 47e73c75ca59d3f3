"""The names that exports of collection systems and data sets usually give their columns."""

from __future__ import annotations

# Names that exports of collection systems and data sets give their columns, without blanks and marks, best first.
USUAL_NUMBERS = (
    *("objectnumber", "inventorynumber", "accessionnumber", "inventarisnummer", "inventarnummer"),
    *("objectnummer", "accession", "invnr", "inv", "objectid", "identifier", "number", "id"),
)
USUAL_IMAGES = (
    *("image", "imagefile", "imagefilename", "imagepath", "filename", "file", "picture", "photo"),
    *("photograph", "path", "bild", "afbeelding"),
)
USUAL_TASKS = {
    "material": ("material", "materials", "medium", "materiaal", "materialien", "dcmateriaal"),
    "type": ("type", "objecttype", "objectname", "worktype", "classification", "objectsoort", "dctype"),
    "artist": ("artist", "creator", "maker", "artistdisplayname", "artistname", "kunstenaar", "dccreator"),
}
