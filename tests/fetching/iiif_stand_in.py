"""A IIIF server over loopback, of images and of documents, that misbehaves as it is told."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import served_by
from PIL import Image

Fault = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Served:
    """An image, and what its server supports."""

    width: int = 900
    height: int = 600
    version: int = 2
    level: int = 2
    sizes: tuple[tuple[int, int], ...] = ()
    above_full: bool = False
    """Whether a size above that of the image is sent, and not refused."""
    info: dict[str, Any] = field(default_factory=dict)
    """Further keys of info.json."""

    def document(self, address: str) -> dict[str, Any]:
        key = "id" if self.version == 3 else "@id"
        level = (
            f"level{self.level}"
            if self.version == 3
            else f"http://iiif.io/api/image/2/level{self.level}.json"
        )
        kind = {"type": "ImageService3"} if self.version == 3 else {}
        sizes = (
            {"sizes": [{"width": width, "height": height} for width, height in self.sizes]}
            if self.sizes
            else {}
        )
        return {
            "@context": f"http://iiif.io/api/image/{self.version}/context.json",
            "protocol": "http://iiif.io/api/image",
            key: address,
            "width": self.width,
            "height": self.height,
            "profile": level if self.version == 3 else [level],
            **kind,
            **sizes,
            **self.info,
        }

    def size(self, text: str) -> tuple[int, int] | None:
        """Width and height of an image of a size, None for one that is refused."""
        size = self._size(text)
        largest = self.info.get("maxWidth", 10**6), self.info.get("maxArea", 10**12)
        if size is None or (size[0] <= largest[0] and size[0] * size[1] <= largest[1]):
            return size
        return None

    def _size(self, text: str) -> tuple[int, int] | None:
        whole = "max" if self.version == 3 else "full"
        if text == whole or (text == "max" and "maxWidth" in self.info):
            return self.width, self.height
        if match := re.fullmatch(r"(\d+),(\d*)", text):
            asked = int(match[1]), int(match[2] or 0)
            for size in self.sizes:
                if asked in (size, (size[0], 0)):
                    return size
        if match := re.fullmatch(r"!(\d+),(\d+)", text):
            scale = min(int(match[1]) / self.width, int(match[2]) / self.height)
            least = 2
        elif match := re.fullmatch(r"(\d+),", text):
            scale, least = int(match[1]) / self.width, 1
        elif match := re.fullmatch(r",(\d+)", text):
            scale, least = int(match[1]) / self.height, 1
        else:
            return None
        if self.level < least or (scale > 1 and not self.above_full):
            return None
        return max(round(self.width * scale), 1), max(round(self.height * scale), 1)


@dataclass
class StandIn:
    """Its documents and images, and how it behaves."""

    documents: dict[str, Any] = field(default_factory=dict)
    """Path to a document, or to the bytes of any file."""
    images: dict[str, Served] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """Path to what happens to the first requests for it."""
    always: dict[str, Fault] = field(default_factory=dict)
    """Path to what happens to every request for it."""
    requests: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    address: str = ""

    def manifest(self, name: str, *images: str, **more: Any) -> str:
        """Add a manifest of version 3 of these images, and return its address."""
        canvases = []
        for number, image in enumerate(images, start=1):
            service = f"{self.address}/image/{image}"
            served = self.images.setdefault(image, Served())
            described = {
                "id": service,
                "type": f"ImageService{served.version}",
                "profile": f"level{served.level}",
            }
            body = {
                "id": f"{service}/full/max/0/default.jpg",
                "type": "Image",
                "width": served.width,
                "height": served.height,
                "service": [described],
            }
            annotation = {
                "type": "Annotation",
                "motivation": "painting",
                "body": body,
                "target": f"c{number}",
            }
            page = {"type": "AnnotationPage", "items": [annotation]}
            canvases.append({"id": f"c{number}", "type": "Canvas", "items": [page]})
        address = f"{self.address}/{name}/manifest"
        self.documents[f"/{name}/manifest"] = {
            "@context": "http://iiif.io/api/presentation/3/context.json",
            "id": address,
            "type": "Manifest",
            "label": {"en": [name]},
            "metadata": [{"label": "Medium", "value": "oil"}, {"label": "Object Number", "value": name}],
            "items": canvases,
            **more,
        }
        return address

    def collection(self, name: str, *addresses: str, **more: Any) -> str:
        """Add a collection that names manifests and collections, and return its address."""
        items = [
            {"id": address, "type": "Manifest" if address.endswith("manifest") else "Collection"}
            for address in addresses
        ]
        self.documents[f"/{name}"] = {
            "id": f"{self.address}/{name}",
            "type": "Collection",
            "items": items,
            **more,
        }
        return f"{self.address}/{name}"


@contextmanager
def serving(stand_in: StandIn | None = None) -> Iterator[StandIn]:
    """Serve it until the block ends."""
    museum = stand_in or StandIn()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                self._respond()

        def _respond(self) -> None:
            museum.requests.append(self.path)
            museum.times.append(time.monotonic())
            museum.agents.add(self.headers.get("User-Agent", ""))
            if fault := museum.always.get(self.path):
                return fault(self)
            if faults := museum.faults.get(self.path):
                return faults.pop(0)(self)
            if self.path in museum.documents:
                document = museum.documents[self.path]
                return send(self, document if isinstance(document, bytes) else json.dumps(document).encode())
            if match := re.fullmatch(
                r"/image/([^/]+)/(?:(info\.json)|full/([^/]+)/0/(?:default|native)\.jpg)", self.path
            ):
                served = museum.images.get(match[1])
                if served is not None and match[2]:
                    return send(
                        self, json.dumps(served.document(f"{museum.address}/image/{match[1]}")).encode()
                    )
                size = served.size(match[3]) if served is not None and match[3] else None
                return send(self, jpeg(*size), "image/jpeg") if size else self.send_error(400)
            return self.send_error(404)

    with served_by(Handler) as museum.address:
        yield museum


def jpeg(width: int, height: int) -> bytes:
    """A picture of a size."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG", quality=60)
    return file.getvalue()


def send(
    handler: BaseHTTPRequestHandler, data: bytes, kind: str = "application/json", length: int | None = None
) -> None:
    """A response; with another length than it has, if that is given."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


def status(code: int, **headers: str) -> Fault:
    """An error, or a redirect with `Location`."""

    def fault(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def sends(data: bytes, kind: str = "image/jpeg", length: int | None = None) -> Fault:
    """Other bytes than those that were asked for."""
    return lambda handler: send(handler, data, kind, length)


def without_length(data: bytes, kind: str = "image/jpeg") -> Fault:
    """A body that ends where the connection does."""

    def fault(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        handler.wfile.write(data)

    return fault


def endless(
    chunk: bytes = b"\xff\xd8\xff" + b"x" * 65_533, pause: float = 0.0, headers: bool = False
) -> Fault:
    """A body, or headers, without an end."""

    def fault(handler: BaseHTTPRequestHandler) -> None:
        if not headers:
            handler.send_response(200)
            handler.send_header("Content-Type", "image/jpeg")
            handler.end_headers()
        else:
            handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Header: ")
        for _ in range(10_000):
            handler.wfile.write(chunk)
            time.sleep(pause)

    return fault
