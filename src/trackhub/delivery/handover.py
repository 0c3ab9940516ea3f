"""Events become hook calls: rows in batches, everything else one by one, each counted in the receipt."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import msgspec

from trackhub.delivery.attempts import Attempts, Reopen
from trackhub.delivery.context import RunContext
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.facade import Tracker
from trackhub.delivery.mapping import Mapper
from trackhub.delivery.subjects import hook_of, stays, subject, taken
from trackhub.delivery.uploads import Uploads
from trackhub.events import Artifact, Checkpoint, Event, Media, Metrics, Params, Rewind, RunEnded, RunStarted
from trackhub.journal.following import Item
from trackhub.plugin import Rejected, Row


class Handover:
    """Hands events to one tracker.

    Args:
        tracker: the open tracker.
        cursor: its `handed` progress moves with every event.
        attempts: calls the hooks.
        run: what the tracker was told of its run.
        refused: reasons by (file, ordinal) of what this tracker refused before; grows.
    """

    def __init__(
        self,
        tracker: Tracker,
        cursor: Cursor,
        attempts: Attempts,
        run: RunContext,
        refused: dict[tuple[str, int], str],
    ) -> None:
        self.ended = ""
        """The status that the run ended with, once everything before its end was taken."""
        self.ended_at = 0.0
        """When it ended, in Unix seconds."""
        self._tracker = tracker
        self._cursor = cursor
        self._attempts = attempts
        self._run = run
        self._refused = refused
        self._mapper = Mapper(tracker.limits)
        self._steps = tracker.limits.steps
        self._uploads = Uploads(tracker.upload, run.best)
        self._one_by_one = not tracker.has("log_metrics_batch")
        self._taken = taken(tracker)
        cursor.takes = sorted(self._taken)

    def take(self, items: list[Item]) -> None:
        """Hand over `items`, in their order."""
        for is_row, group in groupby(items, key=lambda item: isinstance(item.event, Metrics)):
            if is_row and "log_metrics" in self._taken:
                self._take_rows(list(group))
            else:
                self._take_each(group, is_row)

    def _take_each(self, items: Iterable[Item], is_row: bool) -> None:
        for item in items:
            if not is_row:
                self._take_one(item)
            self._passed(item)

    def _passed(self, item: Item) -> None:
        self._cursor.handed.positions[item.file] = item.position

    def _take_rows(self, items: list[Item]) -> None:
        size = 1 if self._one_by_one else len(items)
        for start in range(0, len(items), size):
            self._hand_rows(items[start : start + size])

    def _hand_rows(self, items: list[Item]) -> None:
        """Hand over rows; a refused batch is halved until the refused row is alone, and set aside."""
        wanted = [item for item in items if not self._known_refusal(item)]
        ordinal = self._cursor.handed.ordinal
        rows, changes = self._rows(wanted, ordinal)
        try:
            if rows:
                self._attempts.call(lambda: self._tracker.log_rows(rows), _key(wanted[0]))
        except Rejected as rejected:
            self._refuse(wanted, rejected)
            return
        self._handed_over(len(wanted))
        self._count(changes)
        self._passed_all(items)

    def _passed_all(self, items: list[Item]) -> None:
        for item in items:
            self._passed(item)

    def _rows(self, items: list[Item], ordinal: int) -> tuple[list[Row], list[dict[str, str]]]:
        rows, changes = [], []
        for number, item in enumerate(items, ordinal + 1):
            event = item.event
            assert isinstance(event, Metrics)  # noqa: S101 - for the type checker; grouped so by `take`
            metrics, changed = self._mapper.row(_ranked(item, event.metrics))
            changes.append(changed)
            if metrics:
                rows.append(Row(metrics, event.step, event.t, number, event.source))
        return rows, changes

    def _count(self, changes: list[dict[str, str]]) -> None:
        for changed in changes:
            self._cursor.handed.mapped_values += len(changed)
            for original, mapped in changed.items():
                self._cursor.handed.add_mapping(original, mapped)

    def _refuse(self, items: list[Item], rejected: Rejected) -> None:
        if len(items) > 1:
            middle = len(items) // 2
            self._hand_rows(items[:middle])
            self._hand_rows(items[middle:])
            return
        self._set_aside(items[0], str(rejected))
        if self._attempts.goes_back and rejected.__cause__ is not None:
            raise Reopen

    def _known_refusal(self, item: Item) -> bool:
        reason = self._refused.get(_key(item)) or self._out_of_steps(item.event)
        if reason:
            self._set_aside(item, reason)
        return bool(reason)

    def _out_of_steps(self, event: Event) -> str:
        if self._steps is None or not isinstance(event, Metrics | Media):
            return ""
        least, largest = self._steps
        return (
            ""
            if least <= event.step <= largest
            else f"the backend takes steps from {least} to {largest}, not {event.step}"
        )

    def _set_aside(self, item: Item, reason: str) -> None:
        self._refused[_key(item)] = reason
        self._cursor.handed.add_rejection(item.file, item.event.n, _what(item), reason)
        self._passed(item)

    def _take_one(self, item: Item) -> None:
        event = item.event
        if isinstance(event, RunStarted):
            self.ended = self._cursor.handed.ended = ""
        elif isinstance(event, RunEnded):
            self.ended, self.ended_at = event.status, event.t
        elif isinstance(event, Rewind):
            self._rewind(item, event.step)
        elif subject(event) in self._taken:
            if not self._known_refusal(item):
                self._hand_one(item)
        elif what := stays(event):
            self._cursor.handed.add_left(what)

    def hand_chosen(self) -> None:
        """The run has ended: hand over the files that the upload policy chooses among all that there are."""
        for item in self._uploads.chosen(self._run.path):
            if self._tracker.has(hook_of(item.event)) and not self._known_refusal(item):
                self._hand_one(item)
                self._cursor.handed.add_left(stays(item.event), -1)

    def _hand_one(self, item: Item) -> None:
        event = item.event
        if isinstance(event, Params):
            self._run.params.update(event.params)
        try:
            argument = self._argument(item)
            self._attempts.call(lambda: getattr(self._tracker, hook_of(event))(argument), _key(item))
        except Rejected as rejected:
            self._set_aside(item, str(rejected))
            return
        self._handed_over(1)

    def _handed_over(self, count: int) -> None:
        """Count events. Whatever comes after an end, of a rank that was late, say, has the tracker told of it again."""
        handed = self._cursor.handed
        handed.ordinal, handed.delivered, handed.ended = handed.ordinal + count, handed.delivered + count, ""

    def _argument(self, item: Item) -> Any:
        """What the hook gets: parameters and keys heed the limits, and paths are absolute.

        Raises:
            Rejected: the file of the event is gone.
        """
        event: Event = item.event
        if isinstance(event, Params):
            params, changed = self._mapper.params(event.params)
            self._count([changed])
            return params
        if isinstance(event, Media):
            original = _of_rank(item, event.key)
            event = msgspec.structs.replace(event, key=self._mapper.key(original))
            self._count([{original: event.key}] if event.key != original else [])
        if not isinstance(event, Media | Artifact | Checkpoint):
            return event
        path = self._run.path / event.path
        if not path.exists():
            raise Rejected(f"{event.path} is gone")
        return msgspec.structs.replace(event, path=str(path))

    def _rewind(self, item: Item, step: int) -> None:
        """Tell of a rewind once; a tracker that replaces raises `Rebuild`, which the courier heeds."""
        if item.attempt > self._cursor.handed.rewinds:
            self._attempts.call(lambda: self._tracker.on_rewind(step), _key(item))
            self._cursor.handed.rewinds = item.attempt


def _key(item: Item) -> tuple[str, int]:
    return item.file, item.event.n


def _of_rank(item: Item, key: str) -> str:
    """What other ranks than 0 log carries their rank in front of the key."""
    return f"rank-{item.rank}/{key}" if item.rank else key


def _ranked(item: Item, metrics: dict[str, Any]) -> dict[str, Any]:
    return {_of_rank(item, key): value for key, value in metrics.items()} if item.rank else metrics


def _what(item: Item) -> str:
    event = item.event
    if isinstance(event, Metrics):
        return f"metrics at step {event.step}: {', '.join(list(event.metrics)[:5])}"[:200]
    return type(event).__name__.lower()
