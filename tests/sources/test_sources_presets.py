"""The published tables of museums: recognised, guessed, and their makers told apart."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from preset_cases import read

from arttl.artworks import Artwork
from arttl.sources.presets import PRESETS, recognised
from arttl.sources.remarks import Note
from arttl.sources.settings import SourceSettings
from arttl.sources.table import read_table


def _csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_MET = {
    "Object Number": "66.7",
    "Is Public Domain": "True",
    "Object ID": "1",
    "Object Name": "Painting",
    "Title": "Branch",
    "Artist Role": "Artist",
    "Artist Prefix": " ",
    "Artist Display Name": "John La Farge",
    "Artist Suffix": " ",
    "Artist ULAN URL": "http://vocab.getty.edu/page/ulan/500012491",
    "Object Date": "ca. 1883",
    "Medium": "Oil on canvas",
}
_CLEVELAND = {
    "id": "7",
    "accession_number": "2018.41",
    "share_license_status": "CC0",
    "tombstone": "Portrait, 1780. Attributed to Louis Trinquesse (French, c. 1746–c. 1800). Black chalk.",
    "title": "Portrait",
    "creation_date": "1780",
    "creators": "Louis Trinquesse (French, c. 1746–c. 1800), artist",
    "technique": "Black chalk",
    "type": "Drawing",
    "image_web": "https://cdn.example/2018.41/2018.41_web.jpg",
}
_NGA = {
    "objectid": "70238",
    "accessionnum": "1987.73.2",
    "title": "Tower",
    "displaydate": "c. 1845",
    "medium": "pen and brown ink",
    "attribution": "John Ruskin",
    "classification": "Drawing",
    "departmentabbr": "CG-E",
}
_TATE = {
    "id": "1035",
    "accession_number": "A00001",
    "artist": "Blake, Robert",
    "artistRole": "artist",
    "artistId": "38",
    "title": "A Figure",
    "dateText": "date not known",
    "medium": "Watercolour on paper",
    "thumbnailUrl": "http://www.tate.example/A00001_8.jpg",
}
_CARNEGIE = {
    "title": "Fragment",
    "creation_date": "c. 1860",
    "medium": "satin",
    "accession_number": "79.6",
    "physical_location": "Not on View",
    "classification": "Textiles",
    "full_name": "A. Weaver|B. Dealer",
    "cited_name": "Weaver, A.|Dealer, B.",
    "role": "|publisher",
}
_AXIELL = {
    "recordnummer": "7462",
    "objectnummer": "SK-A-1",
    "titel": "Portret",
    "vervaardiger": "Anspach, Johan$anoniem",
    "datering.datum.start": "1883",
    "datering.datum.eind": "1884",
    "objectnaam": "pastel$tekening",
    "materiaal": "",
    "PID_werk.URI": "https://id.rijksmuseum.nl/200109063",
}
_TATE_RECORD: dict[str, Any] = {
    "acno": "T00001",
    "classification": "on paper, print",
    "contributorCount": 2,
    "contributors": [
        {"fc": "John Constable", "role": "after"},
        {"fc": "David Lucas", "role": "artist"},
    ],
    "dateText": "1953",
    "medium": "Mezzotint on paper",
    "thumbnailUrl": "http://www.tate.example/T00001_8.jpg",
    "title": "Houses",
}
_CARNEGIE_RECORD: dict[str, Any] = {
    "title": "Fragment",
    "creation_date": "c. 1860",
    "medium": "satin",
    "accession_number": "79.6",
    "physical_location": "Not on View",
    "provenance_text": "",
    "classification": "Textiles",
    "images": [],
    "creator": [{"full_name": "A. Weaver", "role": None}, {"full_name": "B. Master", "role": "school of"}],
}


def _file(
    tmp_path: Path, rows: list[dict[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    nested = any(isinstance(value, list) for value in rows[0].values())
    path = tmp_path / ("objects.jsonl" if nested else "objects.csv")
    text = "\n".join(map(json.dumps, rows)) if nested else _csv(rows, delimiter)
    path.write_text(text, encoding=encoding)
    return path


def test_headers_of_known_tables() -> None:
    rows = (_MET, _CLEVELAND, _NGA, _TATE, _TATE_RECORD, _CARNEGIE, _CARNEGIE_RECORD, _AXIELL)
    assert [recognised(list(row)) for row in rows] == list(PRESETS)
    assert recognised(["Object ID", "Object Number", "Object Name", "Medium", "Artist Display Name"]) is None
    assert recognised(["accession_number", "title", "medium", "artist"]) is None


def test_the_met(tmp_path: Path) -> None:
    rows = [
        _MET,
        {**_MET, "Object Number": "2", "Artist Prefix": "Workshop of", "Artist Display Name": "El Greco"},
        {
            **_MET,
            "Object Number": "3",
            "Artist Role": "Artist|Artist|Publisher",
            "Artist Prefix": " |After|Published by",
            "Artist Display Name": "Jan Muller|Bartholomeus Spranger|Harmen Muller",
            "Artist Suffix": " | | ",
            "Artist ULAN URL": "http://u.example/1|http://u.example/2|(not assigned)",
        },
        {**_MET, "Object Number": "4", "Artist Role": "Artist|Artist", "Artist Display Name": "A|B|C"},
        {**_MET, "Object Number": "5", **dict.fromkeys([key for key in _MET if "Artist" in key], "")},
    ]
    artworks, shown, sentences = read(_file(tmp_path, rows))
    assert shown == [
        "objects.csv looks like the table of the Metropolitan Museum of Art; columns guessed:"
        ' --object-number "Object Number" --image "Object Number" --tasks material=Medium "type=Object Name"'
        ' "artist=Artist Display Name" --label-separator \'|\' --title Title --date "Object Date"'
        ' --institution "Metropolitan Museum of Art"; override them with these flags'
    ]
    assert [artwork.labels.get("artist") for artwork in artworks] == [
        ("John La Farge",),
        None,
        ("Jan Muller",),
        None,
        None,
    ]
    assert artworks[0].labels["material"] == ("Oil on canvas",)
    assert artworks[0].labels["type"] == ("Painting",)
    assert (artworks[0].title, artworks[0].date) == ("Branch", "ca. 1883")
    assert {artwork.institution for artwork in artworks} == {"Metropolitan Museum of Art"}
    assert artworks[1].attributions == (("Workshop of", "El Greco"),)
    assert artworks[2].attributions == (
        ("After", "Bartholomeus Spranger"),
        ("Published by", "Harmen Muller"),
    )
    assert artworks[2].identifiers == {
        "artist": {"Jan Muller": ("http://u.example/1",), "Bartholomeus Spranger": ("http://u.example/2",)}
    }
    assert artworks[2].raw_labels["artist"] == ("Jan Muller", "Bartholomeus Spranger", "Harmen Muller")
    # Another number of roles than of names: nobody is taken for the artist in silence.
    assert artworks[3].attributions == tuple(("role unclear", name) for name in "ABC")
    assert (
        "artist: 6 makers are kept as attributions (role unclear (3), workshop of (1), after (1), published by (1))"
        " and are no labels; see --attributed" in sentences
    )
    wide, _, sentences = read(_file(tmp_path, rows), attributed=True)
    assert wide[2].labels["artist"] == ("Jan Muller", "Bartholomeus Spranger")
    assert any("with --attributed" in sentence for sentence in sentences)


def test_cleveland(tmp_path: Path) -> None:
    rows = [
        _CLEVELAND,
        {
            **_CLEVELAND,
            "accession_number": "2",
            "tombstone": "Bacchus after Henry Bone, 1811. Henry Bone (British). Enamel.",
            "creators": "Henry Bone (British, 1755-1834), after Titian (Italian, c. 1488-1576), artist",
        },
        {
            **_CLEVELAND,
            "accession_number": "3",
            "tombstone": "",
            "creators": "Martin, Le Vieux (French, 1659-1735), artist; Jane Roe, publisher",
        },
        {**_CLEVELAND, "accession_number": "4", "tombstone": "", "creators": "Somebody of another form"},
        {**_CLEVELAND, "accession_number": "5", "creators": ""},
        {**_CLEVELAND, "accession_number": "6", "tombstone": "", "creators": "Follower of Bosch"},
        {**_CLEVELAND, "accession_number": "7", "tombstone": "", "creators": "(Italian), artist"},
        {
            **_CLEVELAND,
            "accession_number": "8",
            "tombstone": "",
            "creators": "A (x), artist, B (y), print publisher",
        },
    ]
    artworks, shown, _ = read(_file(tmp_path, rows))
    assert "--image image_web" in shown[0]
    assert "--label-separator" not in shown[0]
    assert [(a.labels.get("artist", ()), a.attributions) for a in artworks] == [
        ((), (("Attributed to", "Louis Trinquesse"),)),
        (("Henry Bone",), (("after", "Titian"),)),
        (("Martin, Le Vieux",), (("publisher", "Jane Roe"),)),
        (("Somebody of another form",), ()),
        ((), ()),
        ((), (("Follower of", "Bosch"),)),
        ((), ()),
        (("A",), (("print publisher", "B"),)),
    ]
    assert artworks[0].labels["material"] == ("Black chalk",)
    assert artworks[0].raw_labels["artist"] == (_CLEVELAND["creators"],)
    assert artworks[0].image.name.startswith("2018.41")


def test_the_national_gallery(tmp_path: Path) -> None:
    rows = [
        _NGA,
        {**_NGA, "accessionnum": "2", "attribution": "Follower of Rembrandt van Rijn"},
        {**_NGA, "accessionnum": "3", "attribution": "Jan Muller after Cornelis van Haarlem"},
        {**_NGA, "accessionnum": "4", "attribution": "American 19th Century"},
    ]
    artworks, shown, _ = read(_file(tmp_path, rows))
    assert "--object-number accessionnum --image accessionnum" in shown[0]
    assert [(a.labels.get("artist", ()), a.attributions) for a in artworks] == [
        (("John Ruskin",), ()),
        ((), (("Follower of", "Rembrandt van Rijn"),)),
        (("Jan Muller",), (("after", "Cornelis van Haarlem"),)),
        (("American 19th Century",), ()),
    ]
    joined = _file(tmp_path, [{**_NGA, "iiifurl": "https://api.nga.example/iiif/uuid"}])
    assert "--image iiifurl" in read(joined)[1][0]


def test_tate(tmp_path: Path) -> None:
    after = {**_TATE, "accession_number": "A2", "artist": "Turner, Joseph", "artistRole": "after"}
    artworks, shown, _ = read(_file(tmp_path, [_TATE, after]))
    assert "--tasks material=medium artist=artist --title" in shown[0]
    assert "--image thumbnailUrl" in shown[0]
    assert [(a.labels.get("artist", ()), a.attributions) for a in artworks] == [
        (("Blake, Robert",), ()),
        ((), (("after", "Turner, Joseph"),)),
    ]
    # The first edition of the table had neither roles nor media.
    old = {key: value for key, value in _TATE.items() if key not in ("artistRole", "medium")}
    artworks, shown, _ = read(_file(tmp_path, [old]))
    assert "--tasks artist=artist --title" in shown[0]
    assert artworks[0].labels == {"artist": ("Blake, Robert",)}


def test_tate_s_records(tmp_path: Path) -> None:
    nobody = {**_TATE_RECORD, "acno": "T2", "contributors": [], "classification": None}
    artworks, shown, _ = read(_file(tmp_path, [_TATE_RECORD, nobody]))
    assert "--tasks material=medium type=classification artist=contributors.fc" in shown[0]
    assert artworks[0].labels == {
        "material": ("Mezzotint on paper",),
        "type": ("on paper, print",),
        "artist": ("David Lucas",),
    }
    assert artworks[0].attributions == (("after", "John Constable"),)
    assert artworks[0].raw_labels["artist"] == ("John Constable", "David Lucas")
    assert artworks[1].labels == {"material": ("Mezzotint on paper",)}


def test_carnegie(tmp_path: Path) -> None:
    (artwork,), shown, _ = read(_file(tmp_path, [_CARNEGIE]))
    assert "--label-separator '|'" in shown[0]
    assert artwork.labels == {"material": ("satin",), "type": ("Textiles",), "artist": ("A. Weaver",)}
    assert artwork.attributions == (("publisher", "B. Dealer"),)
    (artwork,), shown, _ = read(_file(tmp_path, [_CARNEGIE_RECORD]))
    assert "artist=creator.full_name" in shown[0]
    assert artwork.labels == {"material": ("satin",), "type": ("Textiles",), "artist": ("A. Weaver",)}
    assert artwork.attributions == (("school of", "B. Master"),)
    # `after` may join the first to the second, or be the role of the first.
    joined = [
        {
            **_CARNEGIE_RECORD,
            "creator": [{"full_name": "A", "role": "after"}, {"full_name": "B", "role": None}],
        },
        {
            **_CARNEGIE_RECORD,
            "creator": [{"full_name": "A", "role": "after"}, {"full_name": "B", "role": "engraver"}],
        },
    ]
    artworks, _, _ = read(_file(tmp_path, joined))
    assert [(a.labels.get("artist", ()), a.attributions) for a in artworks] == [
        ((), (("role unclear", "A"), ("role unclear", "B"))),
        (("B",), (("after", "A"),)),
    ]
    (artwork,), _, _ = read(_file(tmp_path, [{**_CARNEGIE, "role": "after|"}]))
    assert artwork.attributions == (("role unclear", "A. Weaver"), ("role unclear", "B. Dealer"))
    assert artwork.institution == "Carnegie Museum of Art"


def test_axiell(tmp_path: Path) -> None:
    rows = [_AXIELL, {**_AXIELL, "objectnummer": "SK-A-2", "datering.datum.eind": "1883"}]
    (first, second), shown, _ = read(_file(tmp_path, rows, delimiter=";", encoding="utf-8-sig"))
    assert "looks like an export of Axiell Collections (Adlib); columns guessed" in shown[0]
    assert "--label-separator '$'" in shown[0]
    assert "--institution Rijksmuseum" in shown[0]
    assert first.labels == {"type": ("pastel", "tekening"), "artist": ("Anspach, Johan", "anoniem")}
    assert (first.object_number, first.date, second.date) == ("SK-A-1", "1883-1884", "1883")
    days = [{**_AXIELL, "datering.datum.start": "1802-05-14", "datering.datum.eind": "1802-06-01"}]
    (dated,), _, _ = read(_file(tmp_path, days, delimiter=";"))
    assert dated.date == "1802-05-14/1802-06-01"
    # As Excel and Axiell write it: a byte order mark, quotes inside cells, quoted empty cells, Windows line ends.
    text = (
        "\ufeffrecordnummer;objectnummer;titel;vervaardiger;materiaal;objectnaam\r\n"
        '1;SK-A-1;Plantage "Voorburg"$"Manumittée";"";papier$inkt;"a ""b"""\r\n'
    )
    (tmp_path / "objects.csv").write_bytes(text.encode())
    (artwork,), _, _ = read(tmp_path / "objects.csv")
    assert artwork.labels == {"material": ("papier", "inkt"), "type": ('a "b"',)}
    assert artwork.title == 'Plantage "Voorburg"$"Manumittée"'
    # Another museum with the same program is not the Rijksmuseum.
    other = [{**_AXIELL, "PID_werk.URI": "https://pid.example/1"}]
    (artwork,), shown, _ = read(_file(tmp_path, other, delimiter=";"))
    assert "--institution" not in shown[0]
    assert artwork.institution is None


def test_flags_override_what_is_guessed(tmp_path: Path) -> None:
    path = _file(tmp_path, [{**_MET, "Artist Prefix": "After", "photo": "p/1.jpg"}])
    (artwork,), shown, _ = read(
        path,
        object_number="Object ID",
        tasks=("maker=Artist Display Name",),
        institution="Mine",
        label_separator="",
        title="Medium",
    )
    assert shown == [
        "objects.csv looks like the table of the Metropolitan Museum of Art; columns guessed: --image"
        ' photo --date "Object Date";'
        " override them with these flags"
    ]
    assert (artwork.object_number, artwork.title, artwork.institution) == ("1", "Oil on canvas", "Mine")
    assert artwork.image == Path("p/1.jpg")
    # The makers are told apart whatever the task is called, and only where the column is the table's own.
    assert artwork.attributions == (("After", "John La Farge"),)
    (artwork,), _, _ = read(path, tasks=("maker=Title",))
    assert (artwork.labels, artwork.attributions) == ({"maker": ("Branch",)}, ())


def test_a_table_of_one_s_own_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("inv,file,artist\n1,a.jpg,After Rembrandt\n")
    items = list(
        read_table(SourceSettings(metadata=path, object_number="inv", tasks=("artist",), dry_run=True))
    )
    assert not any(isinstance(item, Note) for item in items)
    assert isinstance(items[0], Artwork)
    assert items[0].labels == {"artist": ("After Rembrandt",)}
