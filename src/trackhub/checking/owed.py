"""The points that a tracker should hold: from the journal, by the rules of the courier and the declared limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from trackhub.checking.paper import Paper, handover
from trackhub.checking.points import Column, narrowed
from trackhub.delivery.cursor import Cursor, Progress
from trackhub.journal.following import Follower
from trackhub.layout import RunFolder
from trackhub.plugin import Row

ROWS = ("log_metrics", "log_metrics_batch")


class Owed:
    """The points that a tracker should hold, by the rules of the courier and its declared limits.

    Args:
        folder: the run.
        name: the tracker.
        plugin: an instance of its class; none of its hooks is called.
        cursor: its cursor, which knows the rows that it refused.
        view: "effective", or "raw" for what a rewind took back as well.
    """

    def __init__(self, folder: RunFolder, name: str, plugin: object, cursor: Cursor, view: str = "effective") -> None:
        self._folder = folder
        self._name = name
        self._plugin = plugin
        self._view = view
        self._refused = {(one.file, one.n): one.reason for one in cursor.handed.rejections}

    def counts(self) -> Counter[str]:
        """How many points there are of each key."""
        found: Counter[str] = Counter()
        self._each(lambda row: found.update(row.metrics.keys()))
        return found

    def columns(self, keys: Iterable[str]) -> dict[str, Column]:
        """The points of these keys."""
        found = {key: Column() for key in keys}
        limits = Paper(self._name, self._plugin, lambda _hook, _arguments: None).limits

        def take(row: Row) -> None:
            for key in found.keys() & row.metrics.keys():
                value = row.metrics[key] if row.metrics[key] or limits.signed_zero else 0.0
                found[key].add(row.step, narrowed(value, limits.float_bits), row.timestamp)

        self._each(take)
        return found

    def _each(self, take: Callable[[Row], None]) -> None:
        paper = Paper(self._name, self._plugin, _rows_to(take), ROWS)
        follower = Follower(self._folder, view=self._view)
        everything = Progress(rewinds=1 << 62)  # no rewind is told here: the view is what counts
        hand = handover(self._folder, paper, Cursor(tracker=self._name, handed=everything), dict(self._refused))
        while items := follower.read():
            hand.take(items)


def _rows_to(take: Callable[[Row], None]) -> Callable[[str, dict[str, Any]], None]:
    def listen(hook: str, arguments: dict[str, Any]) -> None:
        if hook == "log_metrics_batch":
            for row in arguments["rows"]:
                take(row)
        elif hook == "log_metrics":
            take(Row(arguments["metrics"], arguments["step"], arguments["timestamp"], 0))

    return listen
