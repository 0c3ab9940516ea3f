"""Credentials that are known by their value: those in this process's environment, and what `hide` was given."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from trackhub._secret_names import REDACTED, STRONG, hides, strength

_SHORTEST = 8
"""Characters; what is shorter stands in other words too often."""
_LOOK_EVERY = 1.0
"""Seconds between two looks at the environment, which a training may change."""


def hide(options: Mapping[str, Any]) -> None:
    """From now on hide the values in `options` whose names say that they are credentials, wherever they occur."""
    _given.update(_values(options))
    _state.looked = 0.0


def hide_known(text: str) -> str:
    """`text` without any credential that is known by its value."""
    now = time.monotonic()
    if now - _state.looked > _LOOK_EVERY:
        _state.looked = now
        _state.known = sorted({*_given, *_values(os.environ)}, key=len, reverse=True)
    for value in _state.known:
        if value in text:
            text = text.replace(value, REDACTED)
    return text


def _values(named: Any, name: str = "") -> Iterator[str]:
    """The values below `named` that are credentials by their names."""
    if isinstance(named, Mapping):
        for key, value in named.items():
            yield from _values(value, f"{name}.{key}" if name else str(key))
    elif isinstance(named, list | tuple):
        for value in named:
            yield from _values(value, name)
    elif isinstance(named, str):
        yield from (part for part in {named, *named.split()} if _is_telling(name, part))


def _is_telling(name: str, value: str) -> bool:
    """Whether a value is a credential that no other text holds by chance: long enough, and no path or plain word."""
    random = any(map(str.isdigit, value)) or len(value) >= 2 * _SHORTEST
    return (
        len(value) >= _SHORTEST and random and strength(name) == STRONG and hides(name, value) and value[0] not in "/~"
    )


class _State:
    known: list[str] = []  # noqa: RUF012 - replaced as a whole
    looked = 0.0


_given: set[str] = set()
_state = _State()
