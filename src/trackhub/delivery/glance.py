"""How far the deliveries of a run are, at a glance: sizes and positions of files, and no event is read.

Looking is cheap, so that it does not compete with the delivery.
"""

from __future__ import annotations

from typing import NamedTuple

from trackhub.delivery import cursor as cursors
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.receipt import supervisor_status
from trackhub.errors import JournalError
from trackhub.layout import RunFolder


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
