"""What kind of picture a file is, from its first bytes and never from its name."""

from __future__ import annotations

from arttl.picture_headers.bad_pictures import BadPicture

_READ: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_CAMERA = "a camera's raw file"
# Offset, bytes and name. Those of cameras come first, since some of them also are TIFF.
_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    (8, b"CR\x02\0", _CAMERA),  # Canon CR2, a TIFF
    (0, b"IIRO", _CAMERA),  # Olympus
    (0, b"IIRS", _CAMERA),
    (0, b"MMOR", _CAMERA),
    (0, b"IIU\0", _CAMERA),  # Panasonic, Leica
    (8, b"IIIICwaR", _CAMERA),  # Phase One, a TIFF
    (8, b"IIIITwaR", _CAMERA),
    (8, b"MMMMRawC", _CAMERA),
    (8, b"MMMMRawT", _CAMERA),
    (0, b"II\x1a\0\0\0HEAPCCDR", _CAMERA),  # Canon CRW
    (0, b"FUJIFILMCCD-RAW", _CAMERA),
    (0, b"FOVb", _CAMERA),  # Sigma
    (0, b"\0MRM", _CAMERA),  # Minolta
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"8BPS", "Photoshop"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"DDS ", "DirectDraw surface"),
    (0, b"\0\0\x01\0", "icon"),
    (0, b"\0\0\x02\0", "cursor"),
    (0, b"icns", "icon"),
    (0, b"qoif", "QOI"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"\x8aMNG", "MNG"),
    (0, b"\x8bJNG", "JNG"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"\x97JB2\r\n\x1a\n", "JBIG2"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    *((0, b"P%d%c" % (kind, blank), "portable anymap") for kind in range(1, 8) for blank in b" \t\n\r#"),
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_MOST_BRANDS = 64
FIRST_BYTES = 4096
"""More than any format needs to be told from others."""
REMEDY = "export it as TIFF or JPEG"


def picture_format(data: bytes) -> str:
    """Pillow's name for the format, from the first bytes and not from the file's name.

    Raises:
        BadPicture: for other formats and for no picture at all.
    """
    for offset, signature, name in _REFUSED:
        if data.startswith(signature, offset):
            raise BadPicture("unsupported-format", f"{name}; {REMEDY}")
    for signature, name in _READ:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _iso_media_format(data)
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        if b"<svg" in data[:1000]:
            raise BadPicture("unsupported-format", f"an SVG drawing; {REMEDY}")
        raise BadPicture("not-a-picture", "HTML or XML, perhaps an error page saved under a picture's name")
    raise BadPicture("not-a-picture", f"the file starts with the bytes {data[:8].hex(' ')}")


def _iso_media_format(data: bytes) -> str:
    """AVIF or HEIF, by the brands of the file type box (ISO/IEC 14496-12, 4.3): the main one, then the others."""
    end = min(int.from_bytes(data[:4], "big"), len(data), 16 + 4 * _MOST_BRANDS)
    brands = [data[8:12], *(data[start : start + 4] for start in range(16, end - 3, 4))]
    if brands[0] == b"crx ":
        raise BadPicture("unsupported-format", f"{_CAMERA}; {REMEDY}")
    if _AVIF_BRANDS.intersection(brands):
        return "AVIF"
    if _HEIF_BRANDS.intersection(brands):
        return "HEIF"
    name = brands[0].decode("ascii", "replace").strip()
    name = name if name.isprintable() else brands[0].hex(" ")
    raise BadPicture("unsupported-format", f"a video or another file of the brand {name!r}; {REMEDY}")
