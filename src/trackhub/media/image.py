"""A picture."""

from __future__ import annotations

import io
from typing import Any

from trackhub.intake import Refusal
from trackhub.media import magic
from trackhub.media.arrays import is_a, is_array
from trackhub.media.base import Encoded, Medium, content_of, is_path
from trackhub.media.pixels import picture, pillow, png
from trackhub.media.sizes import size


class Image(Medium):
    """A picture, stored as PNG; what is encoded already (PNG, JPEG, GIF, WebP) is kept as it is.

    Args:
        data: an array of shape (H, W) or (H, W, 1|3|4): uint8, other integers from 0 to 255, bools, or floats from
            0 to 1 (up to 0.01 beyond is clipped; NaN is stored as black and counted in the details as "nonfinite");
            a torch tensor, also (1|3|4, H, W), of any device and type; a PIL image; a path; or encoded bytes.
        caption: a line for people that goes with it.
    """

    def encoded(self) -> Encoded:
        """The picture as PNG, or as it came."""
        data = self.data
        if is_path(data) or isinstance(data, bytes | bytearray | memoryview):
            return _from_bytes(content_of(data))
        if is_a(data, "PIL.Image.Image"):
            return _encoded(png(data))
        if not is_array(data):
            raise Refusal(f"an image is an array, a PIL image, a path or bytes, not {type(data).__name__}")
        pixels, odd = picture(data)
        return _encoded(png(pillow().fromarray(pixels)), **odd)


def _from_bytes(content: bytes) -> Encoded:
    """What every viewer shows stays as it is; other formats that Pillow reads become PNG."""
    if magic.image(content):
        return _encoded(content)
    image = pillow()
    try:
        with image.open(io.BytesIO(content)) as opened:
            return _encoded(png(opened))
    except image.UnidentifiedImageError:
        raise Refusal("the bytes are no picture: give PNG, JPEG, GIF, WebP, or what Pillow opens") from None


def _encoded(content: bytes, **odd: Any) -> Encoded:
    return Encoded("image", magic.image(content), content, {**size(content), **odd})
