"""The receipt: what each tracker of a run has confirmed, from its cursor, the journal and the supervisor's word."""

from __future__ import annotations

import time

import msgspec

from trackhub import locks
from trackhub.delivery import cursor as cursors
from trackhub.delivery.cost import Cost
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.protocol import SupervisorStatus, TrackerStatus
from trackhub.delivery.subjects import subject
from trackhub.events import Rewind
from trackhub.journal.following import Follower, Item
from trackhub.journal.state import ended, state
from trackhub.layout import RunFolder

SIMPLE = ("log_metrics", "log_params")
"""What a tracker is taken to take as long as it has not been opened."""
SLOW = 1.0
"""Seconds after which a hook that has not returned is worth naming."""


class Receipt(msgspec.Struct):
    """What one tracker has confirmed, in events."""

    tracker: str
    logged: int
    """Events in the journal that this tracker takes."""
    delivered: int
    mapped: int
    """Keys and values that were changed for the backend; the journal keeps the originals."""
    rejected: int
    lag: int
    """Events that are not delivered yet."""
    state: str
    """waiting, starting, delivering, backing off, parked, delivered, or stopped."""
    reason: str = ""
    rule: str = ""
    """The idempotence rule; "" means that points may repeat after a crash."""
    where: str = ""
    """What the tracker said of itself: its run id, its url."""
    rejections: list[str] = []
    left: dict[str, int] = {}
    """Files that the tracker was not given, by what they are: they stay in the run folder."""
    mappings: dict[str, str] = {}
    told: list[str] = []
    behind: float = 0.0
    """Seconds since the oldest event that is not delivered yet."""
    cost: Cost = Cost()
    """What its couriers have used so far."""

    @property
    def complete(self) -> bool:
        """Whether everything is delivered and nothing was set aside."""
        return self.state == "delivered" and not self.rejected


def receipts(folder: RunFolder, trackers: tuple[str, ...] | None = None) -> list[Receipt]:
    """The receipts of a run: of its own trackers, and of those that were filled later."""
    found = sorted(path.stem for path in folder.delivery.glob("*.json"))
    names = trackers if trackers is not None else tuple(dict.fromkeys((*state(folder).trackers, *found)))
    status = supervisor_status(folder)
    return [_receipt(folder, name, status) for name in names]


def supervisor_status(folder: RunFolder) -> SupervisorStatus | None:
    """The supervisor's last word; None if there never was one."""
    try:
        return msgspec.json.decode(folder.supervisor_status.read_bytes(), type=SupervisorStatus)
    except (OSError, msgspec.DecodeError):
        return None


def delivering(folder: RunFolder) -> bool:
    """Whether a supervisor works on this run now."""
    return bool(locks.is_locked(folder.supervisor_lock))


def _receipt(folder: RunFolder, name: str, status: SupervisorStatus | None) -> Receipt:
    cursor = cursors.load(folder.cursor(name), name)
    progress = cursor.handed
    lag, since = _lag(folder, cursor)
    word = (status.trackers if status else {}).get(name, TrackerStatus(state="waiting"))
    shown = _state(folder, cursor, lag, word)
    return Receipt(
        tracker=name,
        logged=progress.delivered + progress.rejected + lag,
        delivered=progress.delivered,
        mapped=progress.mapped_values,
        rejected=progress.rejected,
        lag=lag,
        state=shown,
        reason="" if shown == "delivered" else _reason(word, shown),
        rule=cursor.rule,
        where=", ".join(f"{key} {value}" for key, value in cursor.remembered.items() if not key.startswith("_")),
        rejections=[f"{item.what}: {item.reason}" for item in progress.rejections],
        left=progress.left,
        mappings=progress.mapped,
        told=cursor.told,
        behind=round(max(time.time() - since, 0.0), 3) if lag else 0.0,
        cost=cursor.cost,
    )


def _lag(folder: RunFolder, cursor: Cursor) -> tuple[int, float]:
    """(events behind the cursor that the tracker takes, when the oldest of them happened)."""
    takes = set(cursor.takes or SIMPLE)
    follower = Follower(folder, cursor.handed.positions)
    count, since = 0, 0.0
    while items := follower.read(10_000):
        times = [item.event.t for item in items if subject(item.event) in takes or _is_untold(item, cursor)]
        since = since or min(times, default=0.0)
        count += len(times)
    return count, since


def _is_untold(item: Item, cursor: Cursor) -> bool:
    """Whether this is a rewind that the tracker has not been told of: it holds what was taken back."""
    return isinstance(item.event, Rewind) and item.attempt > cursor.handed.rewinds and cursor.handed.delivered > 0


def _state(folder: RunFolder, cursor: Cursor, lag: int, word: TrackerStatus) -> str:
    end = ended(folder)
    if end and not lag and cursor.safe.ended == end.status:
        return "delivered"
    if word.state == "delivered":
        return "waiting"
    active = word.state in ("starting", "delivering", "backing off")
    return "stopped" if active and not delivering(folder) else word.state


def _reason(word: TrackerStatus, shown: str) -> str:
    if shown == "delivering" and word.hook and time.time() - word.since > SLOW:
        return f"{word.hook} has not returned for {time.time() - word.since:.0f} s"
    return word.reason
