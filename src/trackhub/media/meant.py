"""Which medium a plain value is, where there can be no doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.arrays import is_a
from trackhub.media.base import Medium
from trackhub.media.figure import PLOTLY, Figure
from trackhub.media.image import Image
from trackhub.media.table import Table
from trackhub.media.text import Text

_CLASSES: dict[str, Callable[[Any], Medium]] = {
    "PIL.Image.Image": Image,
    "matplotlib.figure.Figure": Figure,
    PLOTLY: Figure,
    "pandas.DataFrame": Table,
    "polars.DataFrame": Table,
}


def meant(value: Any) -> Medium:
    """`value` as a medium.

    Raises:
        Refusal: it could be several, or none.
    """
    if isinstance(value, Medium):
        return value
    if isinstance(value, str):
        return Text(value)
    for name, medium in _CLASSES.items():
        if is_a(value, name):
            return medium(value)
    raise Refusal(
        f"{type(value).__name__} does not say what it is: wrap it in trackhub.Image, Audio, Video, Figure, "
        "Histogram, Table, Text or Html"
    )
