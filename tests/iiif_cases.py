"""IIIF documents in the tests' own hand."""

from __future__ import annotations

from typing import Any

SERVICE = "https://images.example/iiif/27992"


def image_3(service: str = SERVICE, **more: Any) -> dict[str, Any]:
    described = {"id": service, "type": "ImageService3", "profile": "level2"}
    return {"id": f"{service}/full/max/0/default.jpg", "type": "Image", "service": [described], **more}


def canvas_3(*bodies: Any, number: int = 1, targets: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    address = f"https://museum.example/canvas/{number}"
    annotations = [
        {
            "type": "Annotation",
            "motivation": "painting",
            "body": body,
            "target": address + (targets[index] if targets else ""),
        }
        for index, body in enumerate(bodies)
    ]
    pages = [{"type": "AnnotationPage", "items": annotations}]
    return {"id": address, "type": "Canvas", "width": 400, "height": 300, "items": pages, **more}


def manifest_3(metadata: Any = (), *canvases: Any, **more: Any) -> dict[str, Any]:
    """A manifest of version 3; the pairs may be given as a mapping of plain texts."""
    if isinstance(metadata, dict):
        metadata = [{"label": {"en": [label]}, "value": {"en": [value]}} for label, value in metadata.items()]
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": "https://museum.example/iiif/27992/manifest",
        "type": "Manifest",
        "label": {"en": ["A landscape"]},
        "metadata": list(metadata),
        "items": list(canvases) or [canvas_3(image_3())],
        **more,
    }


def manifest_2(metadata: Any = (), **more: Any) -> dict[str, Any]:
    service = {
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": SERVICE,
        "profile": "http://iiif.io/api/image/2/level2.json",
    }
    resource = {"@id": f"{SERVICE}/full/full/0/default.jpg", "@type": "dctypes:Image", "service": service}
    annotation = {"@type": "oa:Annotation", "motivation": "sc:painting", "resource": resource, "on": "c"}
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@id": "https://museum.example/iiif/27992/manifest",
        "@type": "sc:Manifest",
        "label": "A landscape",
        "metadata": list(metadata),
        "sequences": [{"canvases": [{"@id": "c", "@type": "sc:Canvas", "images": [annotation]}]}],
        **more,
    }
