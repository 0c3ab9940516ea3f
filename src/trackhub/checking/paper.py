"""A delivery on paper: all that a courier would hand over, by the courier's own rules, and no hook is called.

The preview of a sync and the verification of a tracker both ask what a tracker has to get; there is one rule for it,
and it is that of `Handover`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from trackhub.delivery.attempts import Attempts
from trackhub.delivery.context import RunContext
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.facade import Tracker
from trackhub.delivery.handover import Handover
from trackhub.layout import RunFolder

Listener = Callable[[str, dict[str, Any]], None]


class Paper(Tracker):
    """A tracker that is asked what it takes, and told what it would get.

    Args:
        name: the tracker's name.
        plugin: an instance of the plugin class; none of its hooks is called.
        listen: called with the hook and its arguments instead.
        hooks: the hooks that count as there; by default all that the plugin has.
    """

    def __init__(self, name: str, plugin: object, listen: Listener, hooks: tuple[str, ...] | None = None) -> None:
        super().__init__(name, plugin)
        self._listen = listen
        self._hooks = hooks

    def has(self, hook: str) -> bool:
        """Whether the plugin implements `hook`, and it counts here."""
        return super().has(hook) and (self._hooks is None or hook in self._hooks)

    def _call(self, hook: str, **arguments: Any) -> Any:
        self._listen(hook, arguments)


class ReadOnlyRun(RunContext):
    """A run whose tracker's facts stay in memory."""

    def remember(self, **facts: Any) -> None:
        """Keep the facts, and leave the disk alone."""
        self.remembered.update(facts)


def handover(folder: RunFolder, paper: Paper, cursor: Cursor, refused: dict[tuple[str, int], str]) -> Handover:
    """What hands a run's events to a paper.

    Args:
        folder: the run.
        paper: is told of every event that the tracker takes.
        cursor: only kept in memory; counts what is handed over.
        refused: reasons by (file, ordinal) of events that are set aside.
    """
    attempts = Attempts(lambda _word: None, threading.Event())
    return Handover(paper, cursor, attempts, ReadOnlyRun(folder, cursor), refused)
