"""Suggestions, decisions and vocabularies for the tests of formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork
from arttl.sources.registry import open_source
from arttl.sources.settings import SourceSettings

SCHEMAS = Path(__file__).parent / "schemas"
AAT, ULAN = "http://vocab.getty.edu/aat/", "http://vocab.getty.edu/ulan/"

VOCABULARY = f"""task,label,uri,scheme,broader,alternative_labels,language
material,oil paint,{AAT}300015050,AAT,,oil colour,en
material,canvas,{AAT}300014078,AAT,,,en
material,canvas,http://www.wikidata.org/entity/Q4259259,,,,
type,painting,{AAT}300033618,AAT,,,en
technique,painting (image making),{AAT}300054216,AAT,,,en
artist,"Avercamp, Hendrick",{ULAN}500015012,ULAN,,,
"""
ACCEPTED = """object_number,task,label,verdict,who,when
SK-A-1718,material,oil paint,accepted,A. Curator,2026-11-30
SK-A-1718,material,canvas,accepted,A. Curator,2026-11-30
SK-A-1718,artist,"Avercamp, Hendrick",accepted,A. Curator,2026-11-30T09:15:00+01:00
RP-P-1,artist,Rembrandt,rejected,A. Curator,2026-11-30
RP-P-1,artist,"Lievens, Jan",corrected,A. Curator,2026-11-30
1907.1 <&>,type,vase,accepted,,
1907.1 <&>,technique,painting (image making),accepted,,
"""
# What a reader must find again: object number to labels, and to the addresses of those that have any.
ACCEPTED_LABELS = {
    "SK-A-1718": {"material": ("oil paint", "canvas"), "artist": ("Avercamp, Hendrick",)},
    "RP-P-1": {"artist": ("Lievens, Jan",)},
    "1907.1 <&>": {"type": ("vase",), "technique": ("painting (image making)",)},
}
ACCEPTED_IDENTIFIERS = {
    "SK-A-1718": {
        "material": {
            "oil paint": (f"{AAT}300015050",),
            "canvas": (f"{AAT}300014078", "http://www.wikidata.org/entity/Q4259259"),
        },
        "artist": {"Avercamp, Hendrick": (f"{ULAN}500015012",)},
    },
    "RP-P-1": {},
    "1907.1 <&>": {"technique": {"painting (image making)": (f"{AAT}300054216",)}},
}


def suggestion(*ranked: tuple[str, float], status: str = "suggested", labels: int = 1) -> dict[str, Any]:
    """One task of a record of `arttl predict`; the first labels are suggested."""
    return {
        "labels": [label for label, _ in ranked[:labels]],
        "status": status,
        "ranked": [{"label": label, "probability": probability} for label, probability in ranked],
    }


PREDICTIONS: list[dict[str, Any]] = [
    {
        "key": "SK-A-1718",
        "object_number": "SK-A-1718",
        "problem": None,
        "material": suggestion(("oil paint", 0.9731), ("canvas", 0.9405), labels=2),
        "type": suggestion(("painting", 0.9912)),
        "artist": suggestion(("Avercamp, Hendrick", 0.51), status="unsure"),
    },
    {
        "key": "RP-P-1",
        "object_number": "RP-P-1",
        "problem": None,
        "material": suggestion(("paper", 0.9988)),
        "type": suggestion(("print", 0.98), status="outside"),
        "artist": suggestion(("Rembrandt", 0.95)),
    },
    {"key": "X-3", "object_number": "X.3", "problem": "damaged: cut off"},
    {
        "key": "NG-4",
        "object_number": "NG.4",
        "problem": None,
        "material": suggestion(("oil paint", 0.7), status="unsure"),
        "type": suggestion(("painting", 0.97)),
        "artist": suggestion(("Rembrandt", 0.96)),
    },
]


def write_inputs(folder: Path, **texts: str) -> list[str]:
    """The three files, and the flags that name them; a keyword replaces a file's text."""
    texts = {
        "predictions": "".join(f"{json.dumps(record)}\n" for record in PREDICTIONS),
        "accepted": ACCEPTED,
        "vocabulary": VOCABULARY,
        **texts,
    }
    flags = []
    for name, text in texts.items():
        path = folder / f"{name}.{'jsonl' if name == 'predictions' else 'csv'}"
        path.write_text(text, encoding="utf-8")
        flags += [f"--{name}", str(path)]
    return flags


def read_back(source: str, path: Path, **settings: Any) -> tuple[dict[str, Artwork], list[str]]:
    """The objects that `arttl shards` reads from a file, and the sentences that it prints."""
    reading = open_source(SourceSettings(source=source, metadata=path, dry_run=True, **settings))
    artworks = {artwork.object_number: artwork for artwork in reading if isinstance(artwork, Artwork)}
    return artworks, list(reading.sentences())


def labels_of(artworks: Mapping[str, Artwork]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Object number to its labels; objects without any are left out."""
    return {
        number: labels
        for number, artwork in artworks.items()
        if (labels := {task: tuple(names) for task, names in artwork.labels.items() if names})
    }


def identifiers_of(artworks: Mapping[str, Artwork]) -> dict[str, dict[str, dict[str, tuple[str, ...]]]]:
    """Object number to the identifiers of its labels; objects without labels are left out."""
    return {
        number: {task: dict(each) for task, each in artworks[number].identifiers.items() if each}
        for number in labels_of(artworks)
    }
