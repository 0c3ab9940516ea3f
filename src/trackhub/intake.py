"""What a training loop hands in, as the journal can hold it: numbers of many makes, bad ones kept out and told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from trackhub.errors import InvalidValue
from trackhub.journal.format import escape_key, spell
from trackhub.secrets import redact_text
from trackhub.tensors import Copy, on_device

PLAIN = frozenset({float, int})
"""The types that need no conversion."""
LONGEST_INT = 13_000
"""Bits of the longest integer that is kept: Python turns no longer one into text."""


def copies_in(row: Mapping[str, Any]) -> list[Copy]:
    """The values of a row that are still on their way."""
    return [item for item in row.values() if not isinstance(item, int | float | str)]


class Refusal(Exception):  # noqa: N818 - travels from a check to its report, never to the user
    """One value that cannot be logged."""


class Intake:
    """Checks what comes in, for one run.

    Args:
        refuse: called with (key, reason, value, step) for what is kept out.
        tell: called with a line for people, once per kind and key.
        begin: starts the copy of a value that is on a device.
    """

    def __init__(
        self,
        refuse: Callable[[str, str, Any, int | None], None],
        tell: Callable[[str], None],
        begin: Callable[[Any], Copy] | None = None,
    ) -> None:
        self._begin = begin
        self._refuse = refuse
        self._tell = tell
        self._told: set[tuple[str, str]] = set()
        self.known_keys: set[str] = set()
        """Keys that were checked before."""

    def metrics(self, given: Any, step: int) -> dict[str, Any]:
        """`given` as numbers by key, nested mappings joined with "/"; what is no number is refused.

        A value on a device is the copy of it that is on its way: see `arrived`.
        """
        if not self.is_mapping("log_metrics", given, step):
            return {}
        row: dict[str, Any] = {}
        self._collect(row, "", given, step)
        if not given:
            self.tell("empty", "", f"log_metrics got an empty dict at step {step}: nothing to log")
        return row

    def is_mapping(self, call: str, given: Any, step: int | None) -> bool:
        """Whether `given`, the argument of `call`, is a dict or the like; anything else is told and kept out."""
        if not isinstance(given, Mapping):
            reason = f"{call} takes a dict, not {type(given).__name__}"
            self.strict(reason)
            self.tell("bad", call, f"{reason}: the call is left out. TRACKHUB_STRICT=1 shows where")
            self._refuse("", reason, given, step)
        return isinstance(given, Mapping)

    def _collect(self, row: dict[str, Any], prefix: str, given: Mapping[Any, Any], step: int) -> None:
        for key, value in given.items():
            if not isinstance(key, str):
                self.bad(shown(key), f"a metric's key is a string, not {type(key).__name__}", value, step)
            elif isinstance(value, Mapping):
                self._collect(row, f"{prefix}{redact_text(key)}/", value, step)
            else:
                self._take(row, prefix + key, value, step)

    def _take(self, row: dict[str, Any], key: str, value: Any, step: int) -> None:
        try:
            row[self._known(key)] = self._begin(value) if self._begin and on_device(value) else number(value)
        except Refusal as refusal:
            self.bad(key, str(refusal), value, step)

    def arrived(self, row: dict[str, Any], step: int) -> dict[str, Any]:
        """`row` with the values of its copies; one that the device does not give is told and refused."""
        return {key: value for key, item in row.items() if (value := self._arrived(key, item, step)) is not None}

    def _arrived(self, key: str, item: Any, step: int) -> int | float | str | None:
        if isinstance(item, int | float | str):
            return item
        try:
            return number(item.value())
        except Exception as error:  # noqa: BLE001 - a device that fails must not end what is not about logging
            reason = f"its value could not be read from the device: {error}"
            self.tell("bad", key, f"{key[:80]!r} is kept out: {reason}")
            self._refuse(key, reason, "", step)
            return None

    def _known(self, key: str) -> str:
        if key in self.known_keys:
            return key
        escaped = escape_key(redact_text(key))
        if escaped == key:
            self.known_keys.add(key)
        return escaped

    def step(self, given: Any, last: int) -> int:
        """`given` as an int: None counts on from the last step, 3.0 is 3, and 3.5 is told and rounded down."""
        if given is None:
            return last + 1
        try:
            return given.__index__()  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001 - numpy, torch and jax each raise their own
            return self._odd_step(given, last)

    def _odd_step(self, given: Any, last: int) -> int:
        try:
            value = float(given)
            step = int(value)
        except Exception:  # noqa: BLE001 - whatever an object does when it is asked for its number
            self.strict(f"a step is an integer, not {shown(given)[:80]}")
            self.tell("step", "", f"a step is an integer, not {shown(given)[:80]}: logged at step {last + 1}")
            return last + 1
        if step != value:
            self.strict(f"a step is an integer, not {value!r}")
            self.tell("step", "fraction", f"a step is an integer, not {value!r}: logged at step {step}")
        return step

    def bad(self, key: str, reason: str, value: Any, step: int | None) -> None:
        """Keep a value out: journaled as rejected, told once per key; raised under TRACKHUB_STRICT."""
        self.strict(f"{reason} (key {key[:80]!r})")
        self.tell("bad", key, f"{key[:80]!r} is kept out: {reason}. TRACKHUB_STRICT=1 shows where")
        self._refuse(key, reason, value, step)

    def tell(self, kind: str, key: str, line: str) -> None:
        """Say `line` once per kind and key; after 100 different ones there is silence."""
        if (kind, key) not in self._told and len(self._told) < 100:
            self._told.add((kind, key))
            self._tell(line)

    @staticmethod
    def strict(line: str) -> None:
        """Raise `line` under ``TRACKHUB_STRICT=1``."""
        if os.environ.get("TRACKHUB_STRICT", "") not in ("", "0"):
            raise InvalidValue(line)


def number(value: Any) -> int | float | str:
    """`value` as the journal holds a number; numpy, torch and jax scalars and arrays of one element included.

    Raises:
        Refusal: it is no number, with what to do instead.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return spell(float(value))
    if isinstance(value, int):
        return _bounded(int(value))
    return _unwrapped(value)


def _bounded(value: int) -> int:
    if value.bit_length() > LONGEST_INT:
        raise Refusal("an integer of more than 4,000 digits cannot be written as text: log its logarithm")
    return value


def shown(value: Any) -> str:
    """What `value` looks like, at most 2,000 characters; whatever its `repr` does."""
    try:
        return repr(value[:500] if isinstance(value, str | bytes | list | tuple) else value)[:2000]
    except Exception:  # noqa: BLE001 - an object whose repr fails
        return f"<{type(value).__name__}>"


def _unwrapped(value: Any) -> int | float | str:
    item = getattr(value, "item", None)
    if callable(item):
        try:
            inner = item()
        except Exception as error:
            raise Refusal("an array of several numbers is no scalar: log its mean, or its parts by name") from error
        if isinstance(inner, bool | int | float):
            return number(inner)
        value = inner
    if isinstance(value, str):
        raise Refusal("a string is no number: use log_message or log_params for text")
    if not hasattr(value, "__float__") or isinstance(value, complex):
        raise Refusal(f"{type(value).__name__} is no number")
    try:
        return spell(float(value))
    except Exception as error:
        raise Refusal(f"{type(value).__name__} gives no number: {error}") from error
