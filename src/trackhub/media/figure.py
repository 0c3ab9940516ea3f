"""A figure of a plotting library."""

from __future__ import annotations

import io
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.arrays import is_a
from trackhub.media.base import Encoded, Medium
from trackhub.media.sizes import size
from trackhub.media.text import page

DPI = 150
PLOTLY = "plotly.basedatatypes.BaseFigure"


class Figure(Medium):
    """A figure: of matplotlib as PNG at 150 dpi (it stays open), of plotly, altair and the like as a page.

    A page of plotly's loads plotly.js from the network when it is looked at. To have everything in the file, 5 MB of
    it, log ``trackhub.Html(figure.to_html())``.

    Args:
        data: a matplotlib figure, or whatever has `savefig` or `to_html`.
        caption: a line for people that goes with it.
    """

    def encoded(self) -> Encoded:
        """The figure as PNG or as a page."""
        if callable(getattr(self.data, "savefig", None)):
            content = _png(self.data)
            return Encoded("figure", "png", content, size(content))
        if not callable(getattr(self.data, "to_html", None)):
            raise Refusal(f"a figure is one of matplotlib or plotly, not {type(self.data).__name__}")
        return page(self.data.to_html(include_plotlyjs="cdn") if is_a(self.data, PLOTLY) else self.data.to_html())


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
