"""Width and height of an encoded picture, from its head: nothing is decoded."""

from __future__ import annotations

from struct import error, unpack_from

from trackhub.media import magic

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers with the size behind them."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers with nothing behind them."""


def size(content: bytes) -> dict[str, int]:
    """{"width": ..., "height": ...} in pixels; empty where the head does not say."""
    try:
        width, height = _READERS[magic.image(content)](content)
    except (KeyError, error, IndexError):
        return {}
    return {"width": width, "height": height}


def _png(content: bytes) -> tuple[int, int]:
    width, height = unpack_from(">II", content, 16)
    return width, height


def _gif(content: bytes) -> tuple[int, int]:
    width, height = unpack_from("<HH", content, 6)
    return width, height


def _jpeg(content: bytes) -> tuple[int, int]:
    at = 2
    while True:
        start, marker = unpack_from(">BB", content, at)
        if start != 0xFF:
            raise IndexError(at)
        if marker in _START_OF_FRAME:
            height, width = unpack_from(">HH", content, at + 5)
            return width, height
        at += 1 if marker == 0xFF else 2 if marker in _BARE else 2 + unpack_from(">H", content, at + 2)[0]


def _webp(content: bytes) -> tuple[int, int]:
    """Of a lossy, a lossless, or an extended file."""
    form = content[12:16]
    if form == b"VP8 ":
        width, height = unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        (bits,) = unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form != b"VP8X" or len(content) < 30:
        raise IndexError(form)
    return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1


_READERS = {"png": _png, "gif": _gif, "jpg": _jpeg, "webp": _webp}
