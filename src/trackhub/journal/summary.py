"""The summary of a run: computed when it is read, never while it is logged."""

from __future__ import annotations

from trackhub.events import Metrics
from trackhub.journal.following import read
from trackhub.layout import RunFolder


def summary(folder: RunFolder) -> dict[str, dict[str, float]]:
    """Last, min and max of each metric. NaN counts as last, but never as min or max."""
    found: dict[str, dict[str, float]] = {}
    for event in read(folder):
        if isinstance(event, Metrics):
            for key, value in event.metrics.items():
                _add(found, key, value)  # type: ignore[arg-type]
    return found


def _add(found: dict[str, dict[str, float]], key: str, value: float) -> None:
    entry = found.setdefault(key, {"last": value, "min": value, "max": value})
    entry["last"] = value
    if not entry["min"] <= value:
        entry["min"] = value if value == value else entry["min"]
    if not entry["max"] >= value:
        entry["max"] = value if value == value else entry["max"]
