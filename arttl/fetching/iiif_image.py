"""A picture from an image server, about as large as it is needed.

The forms are those of the IIIF Image API 1.1, 2.1 and 3.0 (https://iiif.io/api/image/), of which servers support parts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arttl.errors import ArttlError
from arttl.fetching.http import FetchError, PoliteClient, Response
from arttl.iiif.manifest import read_info
from arttl.iiif.pictures import Picture
from arttl.iiif.resources import whole_number
from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures.formats import picture_format
from arttl.records.json_records import parse_document

_PIXELS = re.compile(r"([\d.]+),([\d.]+),([\d.]+),([\d.]+)")
_PERCENT = re.compile(r"pct:([\d.]+),([\d.]+),([\d.]+),([\d.]+)")
_MOST_SIZES = 1000
_MOST_INFO = 1 << 20  # bytes
_OTHER_SIZE = (400, 403, 404, 405, 414, 415, 422, 500, 501)  # statuses of servers that do not send a size
_NO_PICTURE = ("text/html", "application/xhtml+xml", "application/json", "application/ld+json")


@dataclass(frozen=True)
class ImageService:
    """What an image server can do.

    Attributes:
        version: of the API.
        level: of compliance, from 0 to 2.
        width, height: of the whole picture in pixels; 0: not known.
        sizes: width and height of the sizes that it lists.
        features: beyond the level.
        longest: the longest side that it sends, in pixels; infinite where it states none.
    """

    version: int = 2
    level: int = 0
    width: int = 0
    height: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    features: frozenset[str] = frozenset()
    longest: float = math.inf


def fetch_picture(
    client: PoliteClient,
    picture: Picture,
    *,
    max_side: int,
    most_bytes: int,
    local: bool = False,
    service: ImageService | None = None,
) -> Response:
    """A picture in the size that is asked for, or the next larger one that the server has.

    Args:
        client: asks for it.
        picture: as a manifest names it.
        max_side: longest side in pixels; 0: as large as the server sends it.
        most_bytes: of its file.
        local: whether it may be on a private network.
        service: what its server can do; None: not known yet.

    Raises:
        FetchError: if it cannot be had.
    """
    failure = FetchError("it has no address that can be asked for")
    for address in _requests(client, picture, max_side, local, service):
        try:
            return client.get(address, most_bytes=most_bytes, local=local, check=check_picture)
        except FetchError as error:
            failure = error
            if error.status not in _OTHER_SIZE:
                break
    raise failure


def _requests(
    client: PoliteClient, picture: Picture, side: int, local: bool, service: ImageService | None
) -> Iterator[str]:
    """Addresses of a picture, each for the case that the server refuses the one before it."""
    is_whole = (picture.region, picture.rotation) == ("full", "0")
    if picture.service:
        # A server of level 2 need not be asked what it can do, where the picture is larger than needed.
        large = 0 < side < max(picture.width, picture.height)
        if service is None and picture.level >= 2 and is_whole and large:
            yield request_address(picture, ImageService(picture.version), f"!{side},{side}")
        try:
            service = service or _fetch_service(client, picture, local)
        except FetchError as error:
            if error.status not in _OTHER_SIZE or not is_whole or not picture.address:
                raise
        else:
            for size in size_requests(service, picture, side):
                yield request_address(picture, service, size)
    if is_whole and picture.address:
        yield picture.address


def _fetch_service(client: PoliteClient, picture: Picture, local: bool) -> ImageService:
    response = client.get(f"{picture.service}/info.json", most_bytes=_MOST_INFO, local=local)
    try:
        document = parse_document(response.data, "the info.json that the server sent")
    except ArttlError as error:
        raise FetchError(str(error), status=404) from error  # as if there were none
    return read_service(document) if isinstance(document, dict) else ImageService()


def is_picture_data(response: Response) -> bool:
    """Whether a response holds a picture of a supported format, by its first bytes."""
    try:
        picture_format(response.data)
    except BadPicture:
        return False
    return True


def check_picture(response: Response) -> None:
    """Check that a response holds a picture, whole as far as its end shows.

    Raises:
        FetchError: if it does not.
    """
    if response.content_type in _NO_PICTURE:
        raise FetchError(f"the server sent {response.content_type} in the place of a picture")
    try:
        kind = picture_format(response.data)
    except BadPicture as error:
        raise FetchError(f"the server sent no picture that can be used: {error.detail}") from error
    end = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}.get(kind, b"")
    if end not in response.data[-4096:]:
        raise FetchError("the picture is cut", temporary=True)


def read_service(info: Mapping[str, Any]) -> ImageService:
    """What an `info.json` says."""
    picture = read_info(dict(info))
    parts = [part for part in (info, *_list(info.get("profile"))) if isinstance(part, dict)]
    features = [
        name for part in parts for key in ("supports", "extraFeatures") for name in _list(part.get(key))
    ]
    limits = []
    for part in parts:
        width, height, area = (whole_number(part.get(key)) for key in ("maxWidth", "maxHeight", "maxArea"))
        limits += [limit for limit in (width, height) if limit]
        if area and picture.width and picture.height:
            long, short = max(picture.width, picture.height), min(picture.width, picture.height)
            limits.append(int(math.sqrt(area * long / short)))
    sizes = {
        (whole_number(size.get("width")), whole_number(size.get("height")))
        for size in _list(info.get("sizes"))[:_MOST_SIZES]
        if isinstance(size, dict)
    }
    return ImageService(
        picture.version or 2,
        max(picture.level, 0),
        picture.width,
        picture.height,
        tuple(sorted(size for size in sizes if all(size))),
        frozenset(str(name) for name in features),
        min(limits, default=math.inf),
    )


def size_requests(service: ImageService, picture: Picture, most: int) -> list[str]:
    """The sizes to ask for, in the form of the API, the best first; later ones are for servers that refuse it.

    Args:
        service: of the picture.
        picture: its region has an effect.
        most: the longest side in pixels; 0: as large as the server sends it.
    """
    whole = ["max", "full"] if service.version >= 3 or service.longest < math.inf else ["full", "max"]
    width, height = _region_size(service, picture.region)
    side = int(min(most or math.inf, service.longest, 10**6))
    if most == 0 or (width and height and max(width, height) <= side):
        return whole
    confined = service.level >= 2 or "sizeByConfinedWh" in service.features
    requests = [f"!{side},{side}"] if confined else []
    if width >= height and (service.level >= 1 or "sizeByW" in service.features):
        requests.append(f"{side},")
    elif height > width and (service.level >= 1 or "sizeByH" in service.features):
        requests.append(f",{side}")
    if service.sizes and picture.region == "full":
        covering = [size for size in service.sizes if max(size) >= side]
        listed = min(covering, key=max) if covering else max(service.sizes, key=max)
        forms = [f"{listed[0]},", f"{listed[0]},{listed[1]}"]
        requests += forms[::-1] if service.version >= 3 else forms
    return [*dict.fromkeys(requests), *whole]


def request_address(picture: Picture, service: ImageService, size: str) -> str:
    """The address of a picture in a size."""
    quality = "native" if service.version == 1 else "default"
    return f"{picture.service}/{picture.region}/{size}/{picture.rotation}/{quality}.jpg"


def _region_size(service: ImageService, region: str) -> tuple[int, int]:
    """Width and height of a region in pixels; zeros where they are not known."""
    if region == "square":
        side = min(service.width, service.height)
        return side, side
    if match := _PIXELS.fullmatch(region):
        return whole_number(match[3]), whole_number(match[4])
    if match := _PERCENT.fullmatch(region):
        shares = whole_number(match[3]), whole_number(match[4])
        return math.ceil(service.width * shares[0] / 100), math.ceil(service.height * shares[1] / 100)
    return service.width, service.height


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
