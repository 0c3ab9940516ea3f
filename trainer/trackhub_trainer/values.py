"""Values as users write them, on a command line or in YAML, made into the type of their setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field
from math import isfinite
from typing import Any


def parse(entry: Field[Any], raw: Any) -> Any:
    """`raw` as a value of the setting `entry`.

    Raises:
        ValueError: what is wrong with it, in words.
    """
    kind, _, optional = str(entry.type).partition(" | ")
    if raw is None and optional:
        return None
    value = PARSERS[kind](raw)
    _check(value, entry.metadata)
    return value


def _check(value: Any, limits: Mapping[str, Any]) -> None:
    """Raise ValueError where `value` is outside the limits of its setting."""
    if "choices" in limits and value not in limits["choices"]:
        raise ValueError(f"is none of {', '.join(limits['choices'])}")
    if "some" in limits and not value:
        raise ValueError("needs a name at least")
    if "least" in limits and value < limits["least"]:
        raise ValueError(f"must be at least {limits['least']}")
    if "above" in limits and value <= limits["above"]:
        raise ValueError(f"must be above {limits['above']}")
    if "below" in limits and value >= limits["below"]:
        raise ValueError(f"must be below {limits['below']}")


def _integer(raw: Any) -> int:
    number = _number(raw)
    if number != int(number):
        raise ValueError("must be a whole number")
    return int(number)


def _number(raw: Any) -> float:
    """YAML 1.1 reads 1e-5 as a string: it is a number here."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("must be a number")
    try:
        number = float(raw)
    except ValueError:
        raise ValueError("must be a number") from None
    if not isfinite(number):
        raise ValueError("must be a finite number")
    return number


def _boolean(raw: Any) -> bool:
    """YAML has booleans, and people write them as words."""
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    word = str(raw).strip().lower()
    if word not in known:
        raise ValueError("must be true or false")
    return known[word]


def _string(raw: Any) -> str:
    if isinstance(raw, Mapping | list | tuple) or raw is None or str(raw).strip() == "":
        raise ValueError("must be a text")
    return str(raw).strip()


def _strings(raw: Any) -> tuple[str, ...]:
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be names, separated by commas or as a list")
    return tuple(part.strip() for part in parts if part.strip())


def _anything(raw: Any) -> Any:
    return raw


PARSERS: dict[str, Callable[[Any], Any]] = {
    "bool": _boolean,
    "int": _integer,
    "float": _number,
    "str": _string,
    "tuple[str, ...]": _strings,
    "Trackers": _anything,
    "object": _anything,
}
"""By the type of the setting."""
