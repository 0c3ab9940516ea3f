"""What became of each event, written into the cursor: handed over, mapped, set aside, or left in the run folder."""

from __future__ import annotations

from trackhub.delivery.cursor import Cursor
from trackhub.events import Event, Media, Metrics
from trackhub.journal.following import Item
from trackhub.plugin import Limits

Key = tuple[str, int]
"""An event: its file, and its ordinal there."""


class Ledger:
    """Keeps the books of one delivery.

    Every event that the tracker takes has an ordinal, whether it was handed over or set aside: so a row has the same
    one after a crash, also where another row was refused the first time and is accepted now.

    Args:
        cursor: its `handed` progress moves with every event.
        limits: what the backend takes.
        refused: reasons by event of what this tracker refused before; grows.
    """

    def __init__(self, cursor: Cursor, limits: Limits, refused: dict[Key, str]) -> None:
        self._cursor = cursor
        self._steps = limits.steps
        self._refused = refused

    @property
    def ordinal(self) -> int:
        """That of the last event that was handed over or set aside."""
        return self._cursor.handed.ordinal

    def reason(self, item: Item) -> str:
        """Why the tracker will not take this event; "" if nothing is known against it."""
        return self._refused.get(key(item)) or self._out_of_steps(item.event)

    def _out_of_steps(self, event: Event) -> str:
        if self._steps is None or not isinstance(event, Metrics | Media):
            return ""
        least, largest = self._steps
        return (
            ""
            if least <= event.step <= largest
            else f"the backend takes steps from {least} to {largest}, not {event.step}"
        )

    def passed(self, item: Item) -> None:
        """The courier is behind this event."""
        self._cursor.handed.positions[item.file] = item.position

    def handed_over(self) -> None:
        """The tracker has one event more. What comes after an end, of a late rank say, has it told of the end again."""
        self._cursor.handed.ordinal += 1
        self._cursor.handed.delivered += 1
        self._cursor.handed.ended = ""

    def set_aside(self, item: Item, reason: str) -> None:
        """The tracker refused it."""
        self._refused[key(item)] = reason
        self._cursor.handed.add_rejection(item.file, item.event.n, _what(item.event), reason)
        self._cursor.handed.ordinal += 1

    def left(self, what: str, count: int = 1) -> None:
        """A file stays in the run folder; -1 for one that was handed over after all."""
        self._cursor.handed.add_left(what, count)

    def mapped(self, changed: dict[str, str]) -> None:
        """Keys and values were changed for the backend."""
        self._cursor.handed.mapped_values += len(changed)
        for original, mapped in changed.items():
            self._cursor.handed.add_mapping(original, mapped)


def key(item: Item) -> Key:
    """What names an event."""
    return item.file, item.event.n


def _what(event: Event) -> str:
    if isinstance(event, Metrics):
        return f"metrics at step {event.step}: {', '.join(list(event.metrics)[:5])}"[:200]
    return type(event).__name__.lower()
