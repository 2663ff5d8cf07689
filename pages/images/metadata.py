"""A picture file without its metadata: the same pixels, byte for byte, and no place, name, date or comment.

What is kept is listed, so that an unknown part is dropped, not published. Forms whose parts cannot be taken out one by
one are refused when they hold anything but pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PNG = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB", b"sBIT", b"pHYs")
_WEBP = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH")
_WEBP_FLAGS = 0x10  # of VP8X: alpha; not profile, EXIF, XMP or animation
_AVIF_BOXES = (b"ftyp", b"meta", b"mdat")
_AVIF_ITEMS = (b"Exif", b"mime", b"uri ", b"uuid", b"prof", b"rICC")
_JPEG_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}  # Huffman, arithmetic, quantisation, restart interval
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def without_metadata(content: bytes, form: str) -> bytes | None:
    """`content` of a JPEG, PNG, WebP or AVIF with nothing but pixels; None where that cannot be had."""
    try:
        match form:
            case "jpeg":
                return b"".join(_jpeg(content))
            case "png":
                return content[:8] + b"".join(_png(content))
            case "webp":
                chunks = b"".join(_webp(content))
                return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
            case "avif":
                return content if _only_pixels(content) else None
    except (struct.error, IndexError, ValueError):
        pass
    return None


def _jpeg(content: bytes) -> Iterator[bytes]:
    """The segments up to the end of the first picture; phones append films and other pictures behind it."""
    yield content[:2]
    at = 2
    while (marker := content[at + 1]) != 0xD9:
        if content[at] != 0xFF:
            raise ValueError("no marker where one must be")
        if marker == 0xFF:  # padding
            at += 1
            continue
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        if marker == 0xDA:
            end = _end_of_scan(content, end)
        segment = content[at:end]
        jfif = marker == 0xE0 and len(segment) == 18 and segment[4:9] == b"JFIF\0"  # longer with a thumbnail
        adobe = marker == 0xEE and segment[4:9] == b"Adobe"
        if marker == 0xDA or marker in _JPEG_TABLES | _JPEG_FRAMES or jfif or adobe:
            yield segment
        at = end
    yield b"\xff\xd9"


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the next marker begins that is neither a stuffed byte nor a restart."""
    at = content.index(b"\xff", at)
    while content[at + 1] == 0 or 0xD0 <= content[at + 1] <= 0xD7:
        at = content.index(b"\xff", at + 2)
    return at


def _png(content: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind in _PNG:
            yield content[at : at + 12 + length]
        if kind == b"IEND":
            return
        at += 12 + length
    raise ValueError("no end")


def _webp(content: bytes) -> Iterator[bytes]:
    at, end, pixels = 12, 8 + struct.unpack_from("<I", content, 4)[0], False
    while at < end:
        kind, length = struct.unpack_from("<4sI", content, at)
        chunk = content[at : at + 8 + length + length % 2]
        if kind == b"VP8X":
            yield chunk[:8] + bytes([chunk[8] & _WEBP_FLAGS]) + chunk[9:]
        elif kind in _WEBP:
            yield chunk
            pixels = pixels or kind in (b"VP8 ", b"VP8L")
        at += len(chunk)
    if not pixels:
        raise ValueError("an animation, of one frame")


def _only_pixels(content: bytes) -> bool:
    """Whether an AVIF has no box and no item that could hold anything but pixels."""
    at, meta = 0, b""
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind not in _AVIF_BOXES or length < 8 or at + length > len(content):
            return False
        meta += content[at : at + length] if kind == b"meta" else b""
        at += length
    return not any(item in meta for item in _AVIF_ITEMS)
