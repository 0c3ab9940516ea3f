"""Whether a tracker holds what was logged: the journal's points, each once, and the true status."""

from __future__ import annotations

import math
from pathlib import Path

from holdings import SIX, Point, points, status_of
from trackhub_mlflow import MlflowTracker

from trackhub.checking.points import narrowed, same_number
from trackhub.delivery.mapping import Mapper
from trackhub.journal import read

TIME_STEPS = {"swanlab": 1e-6, "mlflow": 1e-3}
"""Seconds to which a backend keeps times."""


def of_journal(path: Path) -> list[Point]:
    """What was logged, as far as it counts."""
    return sorted(
        (key, event.step, float(value), event.t)
        for event in read(path)
        if type(event).__name__ == "Metrics"
        for key, value in event.metrics.items()
    )


def logged(path: Path, tracker: str) -> list[Point]:
    """What the tracker should hold: the journal's points, under its names and as wide as its numbers are."""
    found = of_journal(path)
    if tracker == "mlflow":
        key_of = Mapper(MlflowTracker.limits).key
        return [(key_of(key), step, abs(v) if v == 0 else v, t) for key, step, v, t in found if not math.isinf(v)]
    return [(key, step, narrowed(v, 32), t) for key, step, v, t in found] if tracker == "tensorboard" else found


def difference(path: Path, tracker: str) -> str:
    """How what a tracker holds differs from what was logged, in words; "" if it does not."""
    wanted, found = sorted(logged(path, tracker), key=_order), sorted(points(path, tracker), key=_order)
    if len(wanted) != len(found):
        return f"{tracker} holds {len(found)} points, and {len(wanted)} were logged"
    within = TIME_STEPS.get(tracker, 0.0)
    pairs = zip(wanted, found, strict=True)
    wrong = [f"{tracker} holds {b}, and {a} was logged" for a, b in pairs if not _same(a, b, within)]
    return "; ".join(wrong[:3])


def _order(point: Point) -> tuple[str, int, float, bool, float]:
    key, step, value, moment = point
    return key, step, round(moment, 3), value != value, value if value == value else 0.0


def _same(one: Point, other: Point, within: float) -> bool:
    return one[:2] == other[:2] and same_number(one[2], other[2]) and abs(one[3] - other[3]) <= within


def assert_each_point_once(path: Path, *trackers: str, status: str = "") -> None:
    """Every tracker holds each point that was logged exactly once, and the true status; all six, if none is named."""
    assert of_journal(path)
    for tracker in trackers or SIX:
        assert difference(path, tracker) == ""
        assert not status or status_of(path, tracker) in (None, status), tracker
