"""Pictures as bytes of pixels, and bytes of pixels as encoded pictures."""

from __future__ import annotations

import io
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.arrays import TOLERANCE, as_numpy, is_tensor, without_nonfinite

CHANNELS = (1, 3, 4)


def pillow() -> Any:
    """The module `PIL.Image`.

    Raises:
        Refusal: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise Refusal("encoding a picture needs Pillow: pip install 'trackhub-ml[media]'") from None
    return Image


def picture(value: Any) -> tuple[Any, dict[str, int]]:
    """(uint8 pixels of shape (H, W), (H, W, 3) or (H, W, 4), what was odd about them).

    Args:
        value: an array (H, W) or (H, W, 1|3|4); a torch tensor may have its channels first, as torch does.
    """
    array = as_numpy(value)
    if array.ndim == 3 and is_tensor(value) and array.shape[0] in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in CHANNELS):
        raise Refusal(_shape_fix(array.shape))
    return as_uint8(array)


def _shape_fix(shape: tuple[int, ...]) -> str:
    says = f"an image has the shape (H, W) or (H, W, 1|3|4), not {shape}"
    if len(shape) == 4:
        return f"{says}: log a batch as a list, [trackhub.Image(one) for one in batch]"
    if len(shape) == 3 and shape[0] in CHANNELS:
        return f"{says}: put the channels last, array.transpose(1, 2, 0)"
    return says


def as_uint8(array: Any) -> tuple[Any, dict[str, int]]:
    """(bytes of bools, of integers from 0 to 255, or of floats from 0 to 1, what was odd about them).

    Raises:
        Refusal: values beyond that range.
    """
    odd: dict[str, int] = {}
    if array.dtype.kind == "f":
        array, odd = without_nonfinite(array, 0.0)
    least, largest = array.min(), array.max()
    if array.dtype.kind == "f":
        _check_floats(float(least), float(largest))
        array = (array.clip(0, 1) * 255).round()
    elif array.dtype.kind == "b":
        array = array * 255
    elif least < 0 or largest > 255:
        raise Refusal(f"pixels are integers from 0 to 255, not from {least} to {largest}")
    return array.astype("uint8"), odd


def _check_floats(least: float, largest: float) -> None:
    if least >= -TOLERANCE and largest <= 1 + TOLERANCE:
        return
    fix = "(image + 1) / 2" if least >= -1 and largest <= 1 else "image / 255" if least >= 0 else "image.clip(0, 1)"
    raise Refusal(f"float pixels are from 0 to 1, not from {least:.4g} to {largest:.4g}: perhaps {fix}")


def png(picture: Any) -> bytes:
    """A PIL image as PNG; colours that PNG does not know become RGB."""
    known = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")
    buffer = io.BytesIO()
    (picture if picture.mode in known else picture.convert("RGB")).save(buffer, format="PNG")
    return buffer.getvalue()
