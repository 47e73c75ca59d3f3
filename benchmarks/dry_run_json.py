"""Generated records of Linked Art and IIIF, in the shape of files that museums publish."""

from __future__ import annotations

from typing import Any

from dry_run_items import Item


def _concept(number: int, label: str, *, of: tuple[int, str] | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"id": f"http://vocab.getty.edu/aat/{number}", "type": "Type", "_label": label}
    if of is not None:
        concept["classified_as"] = [_concept(*of)]
    return concept


def linked_art(item: Item) -> dict[str, Any]:
    """About 4 KB of JSON-LD."""
    return {
        "@context": "https://linked.art/ns/v1/linked-art.json",
        "id": item.address,
        "type": "HumanMadeObject",
        "_label": item.title,
        "classified_as": [_concept(300033618, item.kind, of=(300435443, "Type of Work"))],
        "made_of": [
            {"id": f"http://vocab.getty.edu/aat/{30000 + len(name)}", "type": "Material", "_label": name}
            for name in (item.medium, item.support)
        ],
        "identified_by": [
            {
                "id": f"{item.address}/{name}",
                "type": kind,
                "classified_as": [_concept(number, label)],
                "content": content,
            }
            for name, kind, number, label, content in (
                ("number", "Identifier", 300312355, "Accession Number", item.number),
                ("own", "Identifier", 300404621, "Owner-Assigned Number", str(item.index)),
                ("primary-name", "Name", 300404670, "Primary Name", item.title),
            )
        ],
        "referred_to_by": [
            {
                "id": f"{item.address}/{name}",
                "type": "LinguisticObject",
                "_label": label,
                "classified_as": [_concept(number, label), _concept(300418049, "brief texts")],
                "content": content,
            }
            for name, number, label, content in (
                ("material", 300435429, "Material Statement", item.material),
                ("credit-line", 300026687, "acknowledgements", item.note),
            )
        ],
        "member_of": [{"id": f"{item.address}/set", "type": "Set", "_label": "European Art"}],
        "produced_by": {
            "id": f"{item.address}/production",
            "type": "Production",
            "timespan": {
                "type": "TimeSpan",
                "_label": f"about {item.year}",
                "begin_of_the_begin": f"{item.year}-01-01T00:00:00Z",
                "end_of_the_end": f"{item.year}-12-31T00:00:00Z",
            },
            "carried_out_by": [
                {
                    "id": f"http://vocab.getty.edu/ulan/{item.artist_number}",
                    "type": "Actor",
                    "_label": item.artist,
                }
            ],
        },
        "current_owner": [
            {
                "id": "http://vocab.getty.edu/ulan/500300517",
                "type": "Group",
                "_label": "Museum of Example",
                "classified_as": [_concept(300312281, "museums (institutions)")],
            }
        ],
    }


def manifest(item: Item) -> dict[str, Any]:
    """About 5 KB: Presentation API 3, eight pairs of metadata and two canvases."""

    def only(text: str) -> dict[str, list[str]]:
        return {"en": [text]}

    pairs = {
        "Date": str(item.year),
        "Classification": item.kind,
        "Credit Line": "Bequest of a collector",
        "Object Number": item.number,
        "Artist": f"{item.artist}, 1853 - 1890",
        "Medium": item.material,
        "Dimensions": f"{item.index % 90} x 50.3 cm (24 3/16 x 19 13/16 in.)",
        "Provenance": item.note,
    }
    canvases = []
    for page in (1, 2):
        canvas = f"{item.address}/canvas/{page}"
        service = {"id": f"https://museum.example/image/{item.index}-{page}", "type": "ImageService3"}
        body = {
            "id": f"{service['id']}/full/max/0/default.jpg",
            "type": "Image",
            "format": "image/jpeg",
            "height": 2550,
            "width": 2087,
            "service": [{**service, "profile": "level2"}],
        }
        painting = {
            "id": f"{canvas}/a",
            "type": "Annotation",
            "motivation": "painting",
            "body": body,
            "target": canvas,
        }
        canvases.append(
            {
                "id": canvas,
                "type": "Canvas",
                "label": only(str(page)),
                "height": 2550,
                "width": 2087,
                "items": [{"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}],
            }
        )
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{item.address}/manifest",
        "type": "Manifest",
        "label": only(item.title),
        "metadata": [{"label": only(label), "value": only(value)} for label, value in pairs.items()],
        "requiredStatement": {"label": only("Attribution"), "value": only("Museum of Example")},
        "items": canvases,
    }
