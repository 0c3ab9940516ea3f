"""The summary of a run: computed when it is read, never while it is logged."""

from __future__ import annotations

from typing import Any

from trackhub.events import Metrics
from trackhub.journal.following import first_start, read
from trackhub.layout import RunFolder


def summary(folder: RunFolder) -> dict[str, dict[str, float]]:
    """Last, min and max of each metric; best and best_step where the run states a direction, "min" or "max".

    NaN counts as last, but never as min, max or best. Of two equal values the first is the best one.
    """
    start = first_start(folder)
    best = start.best if start else {}
    found: dict[str, dict[str, float]] = {}
    for event in read(folder):
        if isinstance(event, Metrics):
            for key, value in event.metrics.items():
                _add(found, key, value)
                if key in best:
                    _add_best(found[key], best[key], value, event.step)
    return found


def _add(found: dict[str, dict[str, float]], key: str, value: Any) -> None:
    entry = found.setdefault(key, {"last": value, "min": value, "max": value})
    entry["last"] = value
    if not entry["min"] <= value:
        entry["min"] = value if value == value else entry["min"]
    if not entry["max"] >= value:
        entry["max"] = value if value == value else entry["max"]


def _add_best(entry: dict[str, float], direction: str, value: Any, step: int) -> None:
    if value == value and ("best" not in entry or is_better(direction, value, entry["best"])):
        entry["best"], entry["best_step"] = value, step


def is_better(direction: str, value: float, than: float) -> bool:
    """Whether `value` beats `than` in a direction, "min" or "max"."""
    return value < than if direction == "min" else value > than
