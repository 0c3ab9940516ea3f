"""Metrics on their way to the run: the latest value of each, for those who decide by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Watch:
    """Passes metrics on, and remembers the latest value of each. No value is looked at before somebody asks.

    Args:
        log: where they go: `Run.log_metrics`.
    """

    def __init__(self, log: Callable[[dict[str, Any], int], None]) -> None:
        self._log = log
        self._latest: dict[str, tuple[int, Any]] = {}

    def log(self, metrics: dict[str, Any], step: int) -> None:
        """Log a row."""
        for name, value in metrics.items():
            self._latest[name] = (step, value)
        self._log(metrics, step)

    def at(self, metric: str, step: int) -> float | None:
        """The value of a metric, if it was logged at `step`; waits for the device where it lies."""
        logged, value = self._latest.get(metric, (-1, None))
        return float(value) if logged == step else None

    def row(self, step: int) -> Mapping[str, Any]:
        """All that was logged at `step`, as it came."""
        return {name: value for name, (logged, value) in self._latest.items() if logged == step}

    def known(self) -> tuple[str, ...]:
        """The names of all metrics so far."""
        return tuple(self._latest)
