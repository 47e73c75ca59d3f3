"""Web Annotation (W3C Recommendation, 2017): labels as annotations of images or of canvases of IIIF."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

from arttl.exchange.values import Objects, Target, Value, begin_and_end
from arttl.version import __version__

# The vocabulary has no confidence of an annotation; that of ITS 2.0 (W3C, 5.7.3), 0 to 1, is in wide use for it.
CONTEXT = [
    "http://www.w3.org/ns/anno.jsonld",
    {
        "confidence": {
            "@id": "http://www.w3.org/2005/11/its/rdf#taConfidence",
            "@type": "http://www.w3.org/2001/XMLSchema#double",
        }
    },
]
_MEDIA_FRAGMENTS = "http://www.w3.org/TR/media-frags/"


def annotation_chunks(objects: Objects, *, language: str = "") -> Iterator[bytes]:
    """An AnnotationCollection with all annotations on its one page.

    Args:
        objects: the values; of rejected ones, and of those without a target, there is no annotation.
        language: of labels whose concepts have none, as BCP 47 writes it; empty: it is not known.
    """
    head = {"@context": CONTEXT, "type": "AnnotationCollection", "label": "Labels of museum objects"}
    yield (
        json.dumps(head, ensure_ascii=False)[:-1]
        + ', "first": {"type": "AnnotationPage", "startIndex": 0, "items": ['
    ).encode()
    digest, total = hashlib.sha256(), 0
    for values in objects:
        for value in values:
            if value.verdict == "rejected" or value.target is None:
                continue
            data = json.dumps(annotation(value, value.target, language=language), ensure_ascii=False).encode()
            digest.update(data)
            yield (b",\n" if total else b"\n") + data
            total += 1
    # What the collection and its page are called follows from all that is in them.
    page, collection = (_urn(name, digest.hexdigest()) for name in ("page", "collection"))
    yield f'\n], "id": "{page}", "partOf": "{collection}"}}, "total": {total}, "id": "{collection}"}}\n'.encode()


def annotation(value: Value, target: Target, *, language: str = "") -> dict[str, Any]:
    """The annotation of one value.

    Its creator is the software for a suggestion, and for a decision the person. `label` is the task.

    Args:
        value: a suggestion or an accepted label.
        target: that it is about.
        language: see `annotation_chunks`.
    """
    shown: Any = target.address
    if target.region is not None:
        region = target.region
        shown = {
            "type": "SpecificResource",
            "source": target.address,
            "selector": {
                "type": "FragmentSelector",
                "conformsTo": _MEDIA_FRAGMENTS,
                "value": f"xywh={region.x},{region.y},{region.width},{region.height}",
            },
        }
    text: dict[str, Any] = {"type": "TextualBody", "value": value.label, "format": "text/plain"}
    if own := next((concept.language for concept in value.concepts if concept.language), language):
        text["language"] = own
    content: dict[str, Any] = {
        "type": "Annotation",
        "label": value.task,
        "motivation": "classifying",
        "body": [
            {**text, "purpose": "classifying"},
            *(
                {"type": "SpecificResource", "source": concept.uri, "purpose": "identifying"}
                for concept in value.concepts
            ),
        ],
        "target": shown,
    }
    if value.verdict is None and value.model is not None:
        content["creator"] = {"type": "Software", "name": value.model.name}
        if value.model.uri:
            content["creator"] = {"id": value.model.uri, **content["creator"]}
    elif value.who:
        content["creator"] = {"type": "Person", "name": value.who}
    if value.when:
        content["created"], _ = begin_and_end(value.when)
    if value.probability is not None:
        content["confidence"] = round(value.probability, 4)
    identity = json.dumps([value.object_number, value.picture, content], ensure_ascii=False)
    generator = {"type": "Software", "name": f"arttl {__version__}"}
    return {"id": _urn("annotation", identity), **content, "generator": generator}


def _urn(kind: str, content: str) -> str:
    """An address that is always the same for the same content (RFC 9562, UUID of version 5)."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}\0{content}").urn
