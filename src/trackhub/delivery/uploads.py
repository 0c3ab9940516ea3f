"""Which checkpoints and artifacts a tracker is given, where its policy wants a choice among all of them.

With "last" and "best" nobody knows before the end of the run which ones count; so the choice is made then, from the
journal, and nothing is uploaded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trackhub.events import Artifact, Checkpoint
from trackhub.journal.following import Follower, Item
from trackhub.layout import RunFolder


class Uploads:
    """The choice for one tracker.

    Args:
        policy: none, last, best or all.
        best: "min" or "max" by metric: the first of them that a checkpoint carries ranks it.
    """

    def __init__(self, policy: str, best: Mapping[str, str]) -> None:
        self._policy = policy
        self._best = best

    def chosen(self, run: Path) -> list[Item]:
        """The files to hand over at the end of the run, in the order of the journal."""
        if self._policy not in ("last", "best"):
            return []
        items = _files(RunFolder(run))
        artifacts = {item.event.name: item for item in items if isinstance(item.event, Artifact)}
        checkpoints = [item for item in items if isinstance(item.event, Checkpoint)]
        return [*artifacts.values(), *self._ranked(checkpoints)[-1:]]

    def _ranked(self, checkpoints: list[Item]) -> list[Item]:
        """Checkpoints, the one to choose last; as they came where no metric of theirs says which is best."""
        ranked = [metric for metric in self._best if any(metric in _metrics(item) for item in checkpoints)]
        if self._policy == "last" or not ranked:
            return checkpoints
        return sorted(checkpoints, key=self._merit(ranked[0]))

    def _merit(self, metric: str) -> Callable[[Item], float]:
        sign = -1 if self._best[metric] == "min" else 1

        def merit(item: Item) -> float:
            value = sign * float(_metrics(item).get(metric, float("nan")))
            return value if value == value else float("-inf")

        return merit


def _metrics(item: Item) -> dict[str, Any]:
    return item.event.metrics if isinstance(item.event, Checkpoint) else {}


def _files(folder: RunFolder) -> list[Item]:
    follower, found = Follower(folder), []
    while items := follower.read(10_000):
        found += [item for item in items if isinstance(item.event, Artifact | Checkpoint)]
    return found
