"""Columns: at SwanLab each key has one type, for ever. What comes under it of another type ends an upload."""

from __future__ import annotations

import logging

SCALAR = "scalar"
TYPES = {
    "image": "image",
    "figure": "image",
    "video": "image",
    "audio": "audio",
    "text": "text",
    "html": "html",
    "table": "echarts",
    "histogram": "echarts",
}
"""As what each kind of medium is stored: SwanLab's own words, and the names of its folders."""
LONGEST = 512


class Columns:
    """Which key is of which type: the first to come keeps the plain name.

    Args:
        known: types by key, as the state holds them.
    """

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def of(self, key: str, kind: str) -> str:
        """The column for `key`: itself, or with its type behind it where another type has that name already."""
        name = self.find(key, kind)
        if name not in self.known:
            self.known[name] = kind
            if name != key:
                logging.getLogger("trackhub").warning(
                    "swanlab: %r is %s already, and a key has one type: what is %s stands under %r (said once)",
                    key, self.known[key], kind, name,
                )  # fmt: skip
        return name

    def find(self, key: str, kind: str) -> str:
        """`of`, without taking the name."""
        name, mark = key, f" ({kind})"
        while self.known.get(name, kind) != kind:
            name = name[: LONGEST - len(mark)] + mark
        return name
