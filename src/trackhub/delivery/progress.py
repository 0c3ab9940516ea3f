"""A line per run and tracker while somebody waits: how much of the journal it has got, and what it is doing.

Looking is cheap, so that it does not compete with the delivery: sizes and positions of files, and no event is read.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Self

from trackhub.delivery import cursor as cursors
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.receipt import supervisor_status
from trackhub.errors import JournalError
from trackhub.layout import RunFolder

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live


EVERY = 0.1
"""Seconds between two drawings; four times what the last one took, where that is more."""


class Glance(NamedTuple):
    """One tracker of one run, as it looks from afar."""

    tracker: str
    state: str
    share: float
    """Of the bytes of the journal, from 0 to 1."""
    delivered: int
    reason: str


def glance(folder: RunFolder, trackers: tuple[str, ...]) -> list[Glance]:
    """How far the deliveries of a run are."""
    status = supervisor_status(folder)
    found = []
    for name in trackers:
        cursor = _cursor(folder, name)
        word = (status.trackers if status else {}).get(name)
        state = "delivered" if cursor.safe.ended else word.state if word else "waiting"
        share = 1.0 if cursor.safe.ended else _share(folder, cursor)
        reason = word.reason if word and state not in ("delivered", "waiting") else ""
        found.append(Glance(name, state, share, cursor.handed.delivered, reason))
    return found


def unread(folder: RunFolder, tracker: str) -> int:
    """Bytes of the journal that a tracker has not got yet."""
    positions = _cursor(folder, tracker).handed.positions
    return sum(size - (positions[file].offset if file in positions else 0) for file, size in _sizes(folder).items())


def _share(folder: RunFolder, cursor: Cursor) -> float:
    sizes = _sizes(folder)
    read = sum(position.offset for file, position in cursor.handed.positions.items() if file in sizes)
    return min(read / max(sum(sizes.values()), 1), 1.0)


def _sizes(folder: RunFolder) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.journal.glob("*.jsonl")}


def _cursor(folder: RunFolder, tracker: str) -> Cursor:
    try:
        return cursors.load(folder.cursor(tracker), tracker)
    except JournalError:
        return Cursor(tracker=tracker)


class Progress:
    """Progress lines on standard error; nothing is drawn, nor rich imported, before `show`.

    Args:
        folder: a run to watch from the beginning on; None for none yet.
        trackers: those of its trackers to show.
        total: how many runs there are in all; with more than one they are counted.
    """

    def __init__(self, folder: RunFolder | None = None, trackers: tuple[str, ...] = (), total: int = 1) -> None:
        self._watched = {folder: trackers} if folder is not None else {}
        self._total = total
        self._done = 0
        self._live: Live | None = None
        self._next = 0.0

    def add(self, folder: RunFolder, trackers: tuple[str, ...]) -> None:
        """Watch another run; any thread may."""
        self._watched[folder] = trackers

    def remove(self, folder: RunFolder) -> None:
        """A run is done."""
        self._watched.pop(folder, None)
        self._done += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self) -> None:
        """Draw the lines as they are now, seldom enough."""
        begin = time.monotonic()
        if begin < self._next:
            return
        self._draw()
        self._next = time.monotonic() + max(EVERY, 4 * (time.monotonic() - begin))

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._lines(), refresh=True)

    def _lines(self) -> Group:
        from trackhub.cli.tables import progress_lines

        several = self._total > 1
        watched = [(folder.path.name, glance(folder, names)) for folder, names in list(self._watched.items())]
        return progress_lines(watched, f"{self._done} of {self._total} runs done" if several else "")
