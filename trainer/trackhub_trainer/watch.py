"""Metrics on their way to the run: the latest value of each, for those who decide by it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

MEASURED = ("train/loss", "train/lr", "val/loss", "val/accuracy")
"""What is logged while a training goes on; those of validation with ``--eval-every``."""


def unmeasured(metric: str) -> str:
    """What is said of a metric that nothing logs; "" if it is logged."""
    if metric in MEASURED:
        return ""
    close = difflib.get_close_matches(metric, MEASURED, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"nothing logs {metric} while it trains: there are {', '.join(MEASURED)}.{hint}"


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
