"""What a backend does not take, mapped to what it takes: deterministic, reversible, and told.

Each forbidden piece of a key is percent-encoded (UTF-8), and so is "%" itself in a key that needed it. A key that is
too long, or that meets another after mapping, ends in "~" and eight digits of its SHA-256.
"""

from __future__ import annotations

import re
from hashlib import sha256

from trackhub.journal.format import unescape_key
from trackhub.plugin import Limits

_EXACT = 2**53
KEPT_LENGTH = 500
"""Characters of a key in the receipt: a longer one is cut there, and no longer itself."""
_NOT_UTF8 = "[\ud800-\udfff]"


class Mapper:
    """Maps rows to the limits of one backend.

    Args:
        limits: what the backend takes.
        known: mappings that were made earlier, original to mapped, so that they stay.
    """

    def __init__(self, limits: Limits, known: dict[str, str] | None = None) -> None:
        self._limits = limits
        self._forbidden = re.compile(f"(?:{limits.key_forbidden})|{_NOT_UTF8}" if limits.key_forbidden else _NOT_UTF8)
        self._keys: dict[str, str] = {}
        whole = (
            (unescape_key(original), mapped)
            for original, mapped in (known or {}).items()
            if len(original) < KEPT_LENGTH
        )
        self._taken: dict[str, str] = {mapped: original for original, mapped in whole}

    def row(self, metrics: dict[str, float]) -> tuple[dict[str, float], dict[str, str]]:
        """(the row as the backend takes it, what was changed: original key to mapped key or reason)."""
        changed: dict[str, str] = {}
        mapped: dict[str, float] = {}
        for key, value in metrics.items():
            name = self._key(key)
            if name != key:
                changed[key] = name
            if self._takes(value):
                mapped[name] = self._narrowed(name, value, changed)
            else:
                changed[f"{key} = {value}"] = "left out: the backend stores no such number"
        return mapped, changed

    def _key(self, key: str) -> str:
        name = self._keys.get(key)
        if name is None:
            name = self._free(key, self._cleaned(key))
            self._keys[key] = name
            self._taken[name] = key
        return name

    def _cleaned(self, key: str) -> str:
        if not key or self._forbidden.search(key):
            escaped = key.replace("%", "%25")
            return self._forbidden.sub(lambda match: _encoded(match[0]), escaped) or "%"
        return key

    def _free(self, key: str, name: str) -> str:
        """`name` cut to the backend's length, and kept apart from another key that came to the same."""
        longest = self._limits.key_length
        if (longest and len(name) > longest) or self._taken.get(name, key) != key:
            digest = "~" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            return name[: (longest or len(name) + 9) - len(digest)] + digest
        return name

    def _takes(self, value: float) -> bool:
        return self._limits.nonfinite or isinstance(value, int) or value - value == 0

    def _narrowed(self, name: str, value: float, changed: dict[str, str]) -> float:
        if isinstance(value, int) and not self._limits.big_ints and abs(value) > _EXACT:
            changed[f"{name} = {value}"[:100]] = "delivered as the nearest float"
            return _nearest(value)
        return value


def _encoded(piece: str) -> str:
    return "".join(f"%{byte:02X}" for byte in piece.encode("utf-8", "surrogatepass"))


def _nearest(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
