"""Events become hook calls: rows in batches, everything else one by one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from trackhub.delivery.arguments import Arguments
from trackhub.delivery.attempts import Attempts, Reopen
from trackhub.delivery.context import RunContext
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.facade import Tracker
from trackhub.delivery.ledger import Key, Ledger, key
from trackhub.delivery.subjects import hook_of, stays, subject, taken
from trackhub.delivery.uploads import Uploads
from trackhub.events import Metrics, Params, Rewind, RunEnded, RunStarted
from trackhub.journal.following import Item
from trackhub.plugin import Rejected, Row


class Handover:
    """Hands events to one tracker.

    Args:
        tracker: the open tracker.
        cursor: its `handed` progress moves with every event.
        attempts: calls the hooks.
        run: what the tracker was told of its run.
        refused: reasons by event of what this tracker refused before; grows.
    """

    def __init__(
        self, tracker: Tracker, cursor: Cursor, attempts: Attempts, run: RunContext, refused: dict[Key, str]
    ) -> None:
        self.ended = ""
        """The status that the run ended with, once everything before its end was taken."""
        self.ended_at = 0.0
        """When it ended, in Unix seconds."""
        self._tracker = tracker
        self._cursor = cursor
        self._attempts = attempts
        self._run = run
        self._arguments = Arguments(tracker.limits, run.path)
        self._ledger = Ledger(cursor, tracker.limits, refused)
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

    def _take_rows(self, items: list[Item]) -> None:
        size = 1 if self._one_by_one else len(items)
        for start in range(0, len(items), size):
            self._hand_rows(items[start : start + size])

    def _hand_rows(self, items: list[Item]) -> None:
        """Hand over rows; a refused batch is halved until the refused row is alone, and set aside."""
        rows, changes = self._rows(items)
        try:
            if rows:
                self._attempts.call(lambda: self._tracker.log_rows(rows), key(items[0]))
        except Rejected as rejected:
            self._refuse(items, rejected)
            return
        for item in items:
            if reason := self._ledger.reason(item):
                self._ledger.set_aside(item, reason)
            else:
                self._ledger.handed_over()
            self._ledger.passed(item)
        for changed in changes:
            self._ledger.mapped(changed)

    def _rows(self, items: list[Item]) -> tuple[list[Row], list[dict[str, str]]]:
        """The rows that nothing is known against, and what was changed in them."""
        numbered = enumerate(items, self._ledger.ordinal + 1)
        made = [self._arguments.row(item, number) for number, item in numbered if not self._ledger.reason(item)]
        return [row for row, _ in made if row is not None], [changed for _, changed in made if changed]

    def _refuse(self, items: list[Item], rejected: Rejected) -> None:
        if len(items) > 1:
            middle = len(items) // 2
            self._hand_rows(items[:middle])
            self._hand_rows(items[middle:])
            return
        self._ledger.set_aside(items[0], str(rejected))
        self._ledger.passed(items[0])
        if self._attempts.goes_back and rejected.__cause__ is not None:
            raise Reopen

    def _take_each(self, items: Iterable[Item], is_row: bool) -> None:
        for item in items:
            if not is_row:
                self._take_one(item)
            self._ledger.passed(item)

    def _take_one(self, item: Item) -> None:
        event = item.event
        if isinstance(event, RunStarted):
            self.ended = self._cursor.handed.ending = self._cursor.handed.ended = ""
        elif isinstance(event, RunEnded):
            self.ended, self.ended_at = event.status, event.t
            self._cursor.handed.ending = event.status
        elif isinstance(event, Rewind):
            self._rewind(item, event.step)
        elif subject(event) in self._taken:
            self._hand_one(item)
        elif what := stays(event):
            self._ledger.left(what)

    def hand_chosen(self) -> None:
        """The run has ended: hand over the files that the upload policy chooses among all that there are."""
        for item in self._uploads.chosen(self._run.path):
            if self._tracker.has(hook_of(item.event)) and self._hand_one(item):
                self._ledger.left(stays(item.event), -1)

    def _hand_one(self, item: Item) -> bool:
        """Hand over one event that is no row. Returns whether the tracker has it."""
        event = item.event
        if isinstance(event, Params):
            self._run.params.update(event.params)
        try:
            if reason := self._ledger.reason(item):
                raise Rejected(reason)
            argument, changed = self._arguments.of(item)
            self._attempts.call(lambda: getattr(self._tracker, hook_of(event))(argument), key(item))
        except Rejected as rejected:
            self._ledger.set_aside(item, str(rejected))
            return False
        self._ledger.handed_over()
        self._ledger.mapped(changed)
        return True

    def _rewind(self, item: Item, step: int) -> None:
        """Tell of a rewind once; a tracker that replaces raises `Rebuild`, which the courier heeds."""
        if item.attempt > self._cursor.handed.rewinds:
            self._attempts.call(lambda: self._tracker.on_rewind(step), key(item))
            self._cursor.handed.rewinds = item.attempt
