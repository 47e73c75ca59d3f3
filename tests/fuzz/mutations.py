"""A valid file with something wrong with it: changed bytes, and changed parts of what the bytes mean."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from lxml import etree
from malformed import malformed

_NUMBERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    -1,
)
_TOKENS = (
    *(
        b"",
        b"\0",
        b"\n",
        b"\r\n",
        b"\t",
        b'"',
        b"'",
        b",",
        b";",
        b"<",
        b">",
        b"&",
        b"]]>",
        b"\\",
        b"/",
        b"..",
        b"%s",
    ),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\xe2\x80\xae",
        b"\x85",
        b"\xe2\x80\x8b",
        b"\xed\xa0\x80",
        b"\x1b[2J",
    ),
    *(
        b"1e999",
        b"NaN",
        b"-0",
        b"0x",
        b"9" * 400,
        b"{" * 300,
        b"[" * 300,
        b"(" * 300,
        b"A" * 5000,
        b"\xd9\xa3",
    ),
    *(b"<a>" * 300, b"&lt;", b"&#0;", b"<!--", b"<![CDATA[", b"<?x ", b"null", b"true", b'""', b"[]", b"{}"),
    *(b"ca. ", b" - ", b"/", b"th century", b" BC", b"?", b"n.d.", b"18", b"=1+1", b"|", b": ", b"- &a *a"),
)


def mutated(data: bytes, name: str, others: list[bytes], draw: random.Random) -> bytes:
    """The file with one to eight changes, of its bytes or of what its suffix says that they are.

    Args:
        data: of the file.
        name: of the file.
        others: files of the same suffix, to take parts of.
        draw: decides everything.
    """
    structured = next((change for suffixes, change in _BY_SUFFIX.items() if name.endswith(suffixes)), None)
    if structured is not None and draw.random() < 0.6:
        try:
            return structured(data, others, draw)
        except Exception:  # what was changed before may be no such file any more
            pass
    return _changed_bytes(data, others, draw)


def _changed_bytes(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        # Headers are at the beginning, directories at the end.
        last = max(len(result) - 1, 0)
        at = draw.choice(
            (draw.randint(0, last), draw.randint(0, min(last, 200)), max(0, last - draw.randint(0, 200)))
        )
        size = draw.choice((1, 2, 4, 8, draw.randint(0, 64), draw.randint(0, 4096)))
        act = draw.randrange(10)
        if act < 2 and result:
            result[at] ^= 1 << draw.randrange(8)
        elif act == 2 and result:
            result[at] = draw.randrange(256)
        elif act == 3:
            del result[at : at + size]
        elif act == 4:
            result[at:at] = result[at : at + size] * draw.choice((1, 1, 2, 50))
        elif act == 5:
            other = draw.choice(others)
            start = draw.randint(0, len(other))
            result[at : at + draw.choice((0, size))] = other[start : start + size]
        elif act == 6:
            width, order = draw.choice("BHIQ"), draw.choice("<>")
            packed = struct.pack(order + width, draw.choice(_NUMBERS) % 256 ** struct.calcsize(width))
            result[at : at + len(packed)] = packed
        elif act == 7:
            result[at : at + draw.choice((0, 1, size))] = draw.choice(_TOKENS)
        elif act == 8 and (numbers := list(re.finditer(rb"-?\d+", result))):
            found = draw.choice(numbers)
            result[found.start() : found.end()] = str(draw.choice(_NUMBERS)).encode()
        elif draw.random() < 0.3:
            del result[at:]
    return bytes(result)


def _json(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    return malformed(json.loads(data), draw.randrange(2**32)).encode("utf-8", "surrogatepass")


def _lines(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    lines = data.splitlines()
    index = draw.randrange(len(lines))
    lines[index] = _json(lines[index], others, draw)
    return b"\n".join(lines)


def _xml(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    root = etree.fromstring(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        elements: list[Any] = [element for element in root.iter() if isinstance(element.tag, str)]
        element, other = draw.choice(elements), draw.choice(elements)
        act, parent = draw.randrange(7), element.getparent()
        if act == 0 and parent is not None:
            parent.remove(element)
        elif act == 1:
            element.text = draw.choice((*_TOKENS, other.text or "")) or None
        elif act == 2:
            element.tag = other.tag
        elif act == 3:
            element.insert(draw.randint(0, len(element)), deepcopy(other))
        elif act == 4:
            element.attrib.update(dict(other.attrib))
        elif act == 5 and element.attrib:
            element.attrib[draw.choice(list(element.attrib))] = draw.choice(
                (*_TOKENS, b"x y", b"de", b"http://")
            )
        elif parent is not None:
            element.tail = draw.choice(("text", " ", "\u00a0"))
            parent.append(element)
    return etree.tostring(root)


def _tar(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Changed bytes, and the sums of the headers after them."""
    result = bytearray(_changed_bytes(data, others, draw))
    for at in range(0, len(result) - 511, 512):
        if result[at + 257 : at + 262] == b"ustar":
            result[at + 148 : at + 156] = b" " * 8
            result[at + 148 : at + 156] = b"%06o\0 " % sum(result[at : at + 512])
    return bytes(result)


def _png(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Changed bytes, and the sums of the chunks after them."""
    result, at = bytearray(_changed_bytes(data, others, draw)), 8
    while at + 12 <= len(result):
        end = at + 8 + int.from_bytes(result[at : at + 4], "big")
        if end + 4 <= len(result):
            result[end : end + 4] = zlib.crc32(result[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(result)


def _zip(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """A member changed, removed, doubled or renamed, and all sums after it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    index = draw.randrange(len(members))
    info, content = members[index]
    act = draw.randrange(8)
    if act == 0:
        del members[index]
    elif act == 1:
        members.insert(index, draw.choice(members))
    elif act == 2:
        info.filename = draw.choice((draw.choice(members)[0].filename, "../x", "/x", "x", "a/" * 50 + "x"))
    else:
        members[index] = info, mutated(content, info.filename, [content], draw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, content in members:
            archive.writestr(info.filename, content, compress_type=info.compress_type)
    return buffer.getvalue()


def _safetensors(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = _json(data[8 : 8 + length], others, draw)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


_BY_SUFFIX: dict[tuple[str, ...], Callable[[bytes, list[bytes], random.Random], bytes]] = {
    (".json",): _json,
    (".jsonl",): _lines,
    (".xml",): _xml,
    (".tar",): _tar,
    (".png",): _png,
    (".zip", ".pth", ".keras"): _zip,
    (".safetensors",): _safetensors,
}
