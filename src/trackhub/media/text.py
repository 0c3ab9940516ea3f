"""Text, and pages."""

from __future__ import annotations

import os
import re
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.base import Encoded, Medium, existing
from trackhub.secrets import redact_text

_SCRIPT = re.compile(r"(<script\b[^>]*>)(.*?)(?=</script)", re.IGNORECASE | re.DOTALL)
_LIBRARY = 50_000
"""From this length on a script that begins with a comment is a library, such as plotly.js: no data of the user's."""


class Text(Medium):
    """Text, stored as UTF-8; Markdown is shown as such where the tracker does. Credentials in it are redacted.

    Args:
        data: the text.
        caption: a line for people that goes with it.
    """

    def encoded(self) -> Encoded:
        """The text in UTF-8."""
        if not isinstance(self.data, str):
            raise Refusal(f"text is a string, not {type(self.data).__name__}: perhaps str(...)")
        content = redact_text(str(self.data)).encode("utf-8", "backslashreplace")
        return Encoded("text", "txt", content, {"characters": len(self.data)})


class Html(Medium):
    """A page, stored as it is but for the credentials in it.

    Args:
        data: the page, or the path of one. A string is a path if it ends in ".html" and has no "<".
        caption: a line for people that goes with it.
    """

    def encoded(self) -> Encoded:
        """The page in UTF-8, or in whatever encoding its file has."""
        if not isinstance(self.data, str | os.PathLike):
            raise Refusal(f"html is a string or a path, not {type(self.data).__name__}")
        return page(
            existing(self.data).read_bytes().decode("utf-8", "surrogateescape") if _named(self.data) else self.data
        )


def page(text: Any) -> Encoded:
    """A page without credentials; the libraries in it are left alone: redacting breaks them, and takes seconds."""
    pieces, done = [], 0
    for match in _SCRIPT.finditer(text):
        if len(match[2]) >= _LIBRARY and match[2].lstrip().startswith("/*"):
            pieces += [redact_text(text[done : match.start(2)]), match[2]]
            done = match.end(2)
    whole = "".join([*pieces, redact_text(text[done:])])
    return Encoded("html", "html", _as_it_was(whole))


def _as_it_was(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _named(data: str | os.PathLike[str]) -> bool:
    return not isinstance(data, str) or ("<" not in data and data.lower().endswith((".html", ".htm")))
