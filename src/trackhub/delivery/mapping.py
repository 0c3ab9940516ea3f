"""What a backend does not take, mapped to what it takes: by the key alone, reversible, and told.

Each forbidden piece of a key is percent-encoded (UTF-8; with another sign than "%" where the backend refuses that),
and so is the sign itself in a key that needed it, or that looks as if it had. A key that is too long ends in "~" (or
the sign twice) and eight digits of its SHA-256. So two keys never come to one, and a key comes to the same in whatever
order, and after whatever restart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from trackhub.journal.format import jsonable
from trackhub.plugin import Limits

_EXACT = 2**53
_NOT_UTF8 = "[\ud800-\udfff]"


class Mapper:
    """Maps rows, parameters and keys to the limits of one backend.

    Args:
        limits: what the backend takes.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._forbidden = re.compile(f"(?:{limits.key_forbidden})|{_NOT_UTF8}" if limits.key_forbidden else _NOT_UTF8)
        self._sign = limits.escape
        self._empty = f"{self._sign}empty"
        self._looks_encoded = re.compile(f"{re.escape(self._sign)}(?:[0-9A-F]{{2}}|empty)")
        self._cut_mark = "~" if not self._forbidden.search("~") else self._sign * 2
        self._keys: dict[str, str] = {}

    def row(self, metrics: dict[str, float]) -> tuple[dict[str, float], dict[str, str]]:
        """(the row as the backend takes it, what was changed: original key to mapped key or reason)."""
        changed: dict[str, str] = {}
        mapped: dict[str, float] = {}
        for key, value in metrics.items():
            name = self.key(key)
            if name != key:
                changed[key] = name
            narrowed = self._narrowed(name, value, changed)
            if self._takes(narrowed):
                mapped[name] = narrowed
            else:
                changed[f"{key} = {value}"[:100]] = "left out: the backend stores no such number"
        return mapped, changed

    def key(self, key: str) -> str:
        """`key` as the backend takes it."""
        name = self._keys.get(key)
        if name is None:
            name = self._keys[key] = self._cut(key, self._cleaned(key))
        return name

    def params(self, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """(parameters as the backend takes them, what was changed); as they are where it takes them nested."""
        if not self._limits.flat_params:
            return params, {}
        changed: dict[str, str] = {}
        flat: dict[str, Any] = {}
        for key, value in _flattened("", params):
            name, text = self.key(key), _text(value)
            if name != key:
                changed[key] = name
            if name in flat:
                changed[f"parameter {key}"] = "given twice, nested and by its path: the later one is delivered"
            if self._limits.param_length and len(text) > self._limits.param_length:
                changed[f"parameter {key}"] = f"cut to {self._limits.param_length} of {len(text)} characters"
                text = text[: self._limits.param_length]
            flat[name] = text
        return flat, changed

    def _cleaned(self, key: str) -> str:
        if not key:
            return self._empty
        if self._forbidden.search(key) or self._looks_encoded.search(key):
            sign = self._sign.join(["", *_hexadecimal(self._sign)])
            return self._forbidden.sub(lambda match: self._encoded(match[0]), key.replace(self._sign, sign))
        return key

    def _encoded(self, piece: str) -> str:
        return self._sign.join(["", *_hexadecimal(piece)])

    def _cut(self, key: str, name: str) -> str:
        """`name` at the backend's length."""
        longest = self._limits.key_length
        if not longest or len(name) <= longest:
            return name
        digest = self._cut_mark + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return name[: longest - len(digest)] + digest

    def _takes(self, value: float) -> bool:
        if isinstance(value, int) or value - value == 0:
            return True
        return self._limits.nan if value != value else self._limits.infinite

    def _narrowed(self, name: str, value: float, changed: dict[str, str]) -> float:
        if isinstance(value, int) and not self._limits.big_ints and abs(value) > _EXACT:
            nearest = _nearest(value)
            if self._takes(nearest):
                changed[f"{name} = {value}"[:100]] = _as_float(nearest)
            return nearest
        return value


def _flattened(prefix: str, params: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(key joined with "/", value) of every leaf; an empty mapping is a leaf."""
    for key, value in params.items():
        if isinstance(value, dict) and value:
            yield from _flattened(f"{prefix}{key}/", value)
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    """A value as a text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(jsonable(value)).decode()


def _hexadecimal(piece: str) -> list[str]:
    return [f"{byte:02X}" for byte in piece.encode("utf-8", "surrogatepass")]


def _as_float(nearest: float) -> str:
    """What became of an integer that is too big."""
    endless = nearest - nearest != 0
    return f"delivered as {nearest}: beyond the largest float" if endless else "delivered as the nearest float"


def _nearest(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
