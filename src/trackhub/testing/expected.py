"""What a backend has to hold, told from what was logged and what the tracker states of itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trackhub.checking.points import narrowed, same_number
from trackhub.delivery.facade import Tracker
from trackhub.delivery.mapping import Mapper

Point = tuple[int, Any, float]
Row = tuple[dict[str, float], int, float]
"""Metrics, step, time."""
ULP = 4e-7
"""Seconds between two neighbouring floats of our time, and a little."""


def expected(tracker: Tracker, rows: Iterable[Row]) -> dict[str, list[Point]]:
    """The points of each metric, under the name that the backend gives it, in the order of the journal."""
    limits, mapper = tracker.limits, Mapper(tracker.limits)
    found: dict[str, list[Point]] = {}
    for metrics, step, moment in rows:
        if limits.steps is not None and not limits.steps[0] <= step <= limits.steps[1]:
            continue
        for key, value in mapper.row(metrics)[0].items():
            number = value if value or limits.signed_zero else abs(value)
            found.setdefault(key, []).append((step, narrowed(number, limits.float_bits), moment))
    return {key: _repeated(points, getattr(tracker.plugin, "repeats", "keep")) for key, points in found.items()}


def in_order(tracker: Tracker, points: list[Point]) -> list[Point]:
    """Points in the order in which the tracker gives them back, as far as it promises one."""
    if getattr(tracker.plugin, "order", "journal") == "journal":
        return points
    return sorted(points, key=lambda point: (round(point[2], 3), point[0], point[1]))


def _repeated(points: list[Point], rule: str) -> list[Point]:
    """What is left of points that share a step: all, the first, or the last."""
    if rule == "keep":
        return points
    by_step: dict[int, Point] = {}
    for point in points if rule == "last" else reversed(points):
        by_step[point[0]] = point
    return [point for point in points if by_step[point[0]] is point]


def difference(wanted: list[Point], stored: list[Point], time_step: float = 0.0) -> str:
    """How what is stored differs from what was logged, in words; "" if it does not. Order counts."""
    if len(wanted) != len(stored):
        return f"{len(stored)} points are stored, and {len(wanted)} were logged{_first(wanted, stored, time_step)}"
    return _first(wanted, stored, time_step)


def _first(wanted: list[Point], stored: list[Point], time_step: float) -> str:
    pairs = zip(wanted, stored, strict=False)
    differing = next((pair for pair in pairs if not _same(*pair, time_step)), None)
    return "" if differing is None else f"; first difference: logged {differing[0]}, stored {differing[1]}"


def _same(wanted: Point, stored: Point, time_step: float) -> bool:
    close = abs(wanted[2] - stored[2]) <= (time_step + ULP if time_step else 0.0)
    return wanted[0] == stored[0] and close and same_number(wanted[1], stored[1])
