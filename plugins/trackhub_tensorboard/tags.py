"""Tags: in TensorBoard each has one kind, for ever. What comes under it of another kind is not shown, and breaks it."""

from __future__ import annotations

import logging

SCALAR = "scalar"
DASHBOARDS = {
    "image": "image",
    "figure": "image",
    "video": "image",
    "audio": "audio",
    "text": "text",
    "histogram": "histogram",
}
"""Where each kind of medium is shown."""


class Tags:
    """Which tag is of which kind: the first to come keeps the plain name.

    Args:
        known: kinds by tag, as the state holds them.
    """

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def of(self, key: str, kind: str) -> str:
        """The tag for `key`: itself, or with its kind behind it where another kind has that tag already."""
        tag = self.find(key, kind)
        if tag not in self.known:
            self.known[tag] = kind
            if tag != key:
                logging.getLogger("trackhub").warning(
                    "tensorboard: %r is %s already, and a tag has one kind: what is %s stands under %r (said once)",
                    key, self.known[key], kind, tag,
                )  # fmt: skip
        return tag

    def find(self, key: str, kind: str) -> str:
        """`of`, without taking the tag."""
        tag = key
        while self.known.get(tag, kind) != kind:
            tag = f"{tag} ({kind})"
        return tag
