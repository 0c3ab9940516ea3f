"""The points of one metric: those that a tracker has to hold by its journal, and how those that it holds differ."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

Point = tuple[int, Any, float]
"""Step, value, time in Unix seconds."""
ULP = 4e-7
"""Seconds between two neighbouring floats of our time, and a little."""
SHOWN = 5
"""Differences that are told in words."""
_KEPT = 10_000
"""Points without a counterpart that are kept, to be told from those that only differ."""
_EXACT = 2**53


class Column:
    """Many points of one metric in the order of the journal, in some 60 bytes each."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._values = array("d")
        self._times = array("d")
        self._whole: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Point]:
        for place, (step, value, moment) in enumerate(zip(self._steps, self._values, self._times, strict=True)):
            yield step, self._whole.get(place, value), moment

    def add(self, step: int, value: float, moment: float) -> None:
        """One more point; whole numbers that no float holds stay exact."""
        if isinstance(value, int) and abs(value) > _EXACT:
            self._whole[len(self)] = value
            value = 0.0
        self._steps.append(step)
        self._values.append(value)
        self._times.append(moment)


class Difference(msgspec.Struct):
    """How what is stored differs from what was logged."""

    missing: int = 0
    extra: int = 0
    different: int = 0
    """Points at the right step with another value or time."""
    first: list[str] = msgspec.field(default_factory=list)
    """A few of them, in words."""


def narrowed(value: float, bits: int) -> float:
    """`value` as a float of this width holds it."""
    if bits == 64 or not math.isfinite(value):
        return value
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def same_number(one: float, other: float) -> bool:
    """Whether two numbers are equal to the last bit; NaN equals NaN, and -0.0 is not 0.0 unless a whole number."""
    if one != one or other != other:
        return one != one and other != other
    return one == other and (one != 0 or math.copysign(1, one) == math.copysign(1, other))


class Comparison:
    """Compares points by what a tracker states of itself.

    Args:
        time_step: seconds between two times that it can tell apart; 0 for floats as they are.
        repeats: what it holds of several points at one step: "keep", "first" or "last".
        merges: whether points with equal step, value and time are one there.
    """

    def __init__(self, time_step: float = 0.0, repeats: str = "keep", merges: bool = False) -> None:
        self._tolerance = time_step + ULP if time_step else 0.0
        self._per_second = round(1 / time_step) if time_step else 0
        self._repeats = repeats
        self._merges = merges

    def expected(self, points: Iterable[Point]) -> list[Point]:
        """What is left of the logged points by the tracker's rule for those that repeat; order is kept."""
        left = list(points)
        if self._repeats in ("first", "last"):
            chosen = {point[0]: point for point in (left if self._repeats == "last" else reversed(left))}
            left = list(chosen.values())
        return list({self._key(point): point for point in left}.values()) if self._merges else left

    def compare(self, wanted: list[Point], stored: list[Point]) -> Difference:
        """How `stored` differs from `wanted`; both are sorted in place unless they agree as they are."""
        if len(wanted) == len(stored) and all(map(self._same, wanted, stored)):
            return Difference()
        wanted.sort(key=self._key)
        stored.sort(key=self._key)
        return self._told(*self._unmatched(wanted, stored))

    def _key(self, point: Point) -> tuple[int, float, str]:
        """Step, time in the backend's own units, and the value as what sorts, NaN included."""
        moment = round(point[2] * self._per_second) if self._per_second else point[2]
        return point[0], moment, repr(float(point[1])) if abs(point[1]) <= _EXACT else repr(point[1])

    def _same(self, wanted: Point, stored: Point) -> bool:
        near = abs(wanted[2] - stored[2]) <= self._tolerance
        return near and wanted[0] == stored[0] and same_number(wanted[1], stored[1])

    def _unmatched(self, wanted: list[Point], stored: list[Point]) -> tuple[list[Point], list[Point]]:
        """The points of both sides without a counterpart, after one walk through both."""
        missing: list[Point] = []
        extra: list[Point] = []
        at, there = 0, 0
        while at < len(wanted) and there < len(stored):
            if self._same(wanted[at], stored[there]):
                at, there = at + 1, there + 1
            elif self._key(wanted[at]) <= self._key(stored[there]):
                missing.append(wanted[at])
                at += 1
            else:
                extra.append(stored[there])
                there += 1
        return missing + wanted[at:], extra + stored[there:]

    def _told(self, missing: list[Point], extra: list[Point]) -> Difference:
        found = Difference()
        by_step = {step: list(points) for step, points in groupby(extra[:_KEPT], key=lambda point: point[0])}
        for number, point in enumerate(missing):
            others = by_step.get(point[0], []) if number < _KEPT else []
            same = next((other for other in others if self._same(point, other)), None)
            other = same or next(iter(others), None)
            if other is None:
                found.missing += 1
                _tell(found, f"step {point[0]}: {point[1]!r} is missing")
                continue
            others.remove(other)
            if same is None:
                found.different += 1
                _tell(found, f"step {point[0]}: logged {_words(point)}, stored {_words(other)}")
        paired = min(len(extra), _KEPT) - sum(map(len, by_step.values()))
        found.extra = len(extra) - paired
        for point in (point for points in by_step.values() for point in points):
            if len(found.first) >= SHOWN:
                break
            _tell(found, f"step {point[0]}: {point[1]!r} was never logged")
        return found


def _tell(found: Difference, words: str) -> None:
    if len(found.first) < SHOWN:
        found.first.append(words)


def _words(point: Point) -> str:
    return f"{point[1]!r} at {point[2]!r}"
