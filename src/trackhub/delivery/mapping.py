"""What a backend does not take, mapped to what it takes: by the key alone, reversible, and told.

Each forbidden piece of a key is percent-encoded (UTF-8), and so is "%" itself in a key that needed it, or that looks as
if it had. A key that is too long ends in "~" and eight digits of its SHA-256. So two keys never come to one, and a key
comes to the same in whatever order, and after whatever restart.
"""

from __future__ import annotations

import re
from hashlib import sha256

from trackhub.plugin import Limits

_EXACT = 2**53
_NOT_UTF8 = "[\ud800-\udfff]"
_EMPTY = "%empty"
_LOOKS_ENCODED = re.compile("%[0-9A-F]{2}|%empty")


class Mapper:
    """Maps rows to the limits of one backend.

    Args:
        limits: what the backend takes.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._forbidden = re.compile(f"(?:{limits.key_forbidden})|{_NOT_UTF8}" if limits.key_forbidden else _NOT_UTF8)
        self._keys: dict[str, str] = {}

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
            name = self._keys[key] = self._cut(key, self._cleaned(key))
        return name

    def _cleaned(self, key: str) -> str:
        if not key:
            return _EMPTY
        if self._forbidden.search(key) or _LOOKS_ENCODED.search(key):
            return self._forbidden.sub(lambda match: _encoded(match[0]), key.replace("%", "%25"))
        return key

    def _cut(self, key: str, name: str) -> str:
        """`name` at the backend's length."""
        longest = self._limits.key_length
        if not longest or len(name) <= longest:
            return name
        digest = "~" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return name[: longest - len(digest)] + digest

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
