"""What a tracker holds, compared with what the journal says that it should hold; key by key, in a process of its own.

The tracker is opened on a copy of its own files, so that nothing of the run changes, whatever it does when it opens:
trackers cut back, set aside or discard what is not as they left it. Journal, media and checkpoints are not copied.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from shlex import quote
from typing import Any

import msgspec

from trackhub import registry
from trackhub.checking.asking import Alarm, Answer, Asking, answer
from trackhub.checking.owed import Owed
from trackhub.checking.points import SHOWN, Column, Comparison, Point
from trackhub.checking.tracker_copy import CopiedRun, Copy
from trackhub.delivery import cursor as cursors
from trackhub.delivery.cursor import Cursor
from trackhub.delivery.facade import Tracker
from trackhub.delivery.protocol import Orders
from trackhub.delivery.receipt import delivering, receipts
from trackhub.delivery.sync import one_by_one, orders_for
from trackhub.errors import TrackhubError
from trackhub.files import first_free
from trackhub.journal.following import Follower
from trackhub.journal.state import state
from trackhub.layout import RunFolder
from trackhub.local import OBJECT
from trackhub.plugin import Rebuild

AT_ONCE = 1_000_000
"""Points that are held in memory at once, beside those of the one key that is being compared."""


class Verified(Answer, kw_only=True):
    """What was found at one tracker."""

    cannot: str = ""
    """Why it cannot be asked."""
    keys: int = 0
    """Metrics that were compared, by the names that the tracker gives them."""
    expected: int = 0
    """Points that it should hold."""
    found: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    first: list[str] = msgspec.field(default_factory=list)
    """A few of the differences, in words."""
    note: str = ""
    mends: str = ""
    """The command that delivers everything again, where something is not as it should be."""

    @property
    def agrees(self) -> bool:
        """Whether the tracker holds what it should, as far as it can be asked."""
        return not (self.problem or self.missing or self.extra or self.different)


def verify_all(folder: RunFolder, options: Mapping[str, Mapping[str, Any]] | None = None) -> list[Verified]:
    """Ask each tracker of a run, also those that were filled later, in a process of its own.

    Args:
        folder: the run.
        options: options by tracker; they win over those that the run was started with.

    Raises:
        TrackhubError: a delivery of the run is under way.
        ConfigError: options for a tracker that the run does not have.
    """
    if delivering(folder):
        raise TrackhubError(
            f"a delivery of {folder.path.name} is under way, and what its trackers hold changes meanwhile. "
            f"See: trackhub status {folder.path}; wait for its end: trackhub sync {folder.path}"
        )
    run = state(folder)
    asked = [receipt.tracker for receipt in receipts(folder)]
    objects = [name for name in asked if run.sources.get(name) == OBJECT]
    names = tuple(name for name in asked if name not in objects)
    questions = one_by_one(orders_for(folder, run, names, options or {}))
    found: list[Verified] = Asking("trackhub.checking.verify", Verified, scratch=True).ask(questions)
    return [*found, *(Verified(tracker=name, cannot="it was an object of the training process") for name in objects)]


def verify(folder: RunFolder, name: str, plugin: object, copy: Copy) -> Verified:
    """Compare one tracker with the journal.

    Args:
        folder: the run; no delivery of it may be under way.
        name: the tracker.
        plugin: an instance of its class.
        copy: where its files are opened.

    Raises:
        TrackhubError: it was delivered to meanwhile.
    """
    tracker = Tracker(name, plugin, Alarm(plugin, copy.remove))
    if not tracker.has("read_back"):
        return Verified(cannot="it has no read_back")
    before = _bytes(folder.cursor(name))
    cursor = cursors.load(folder.cursor(name), name)
    made = Verified(note=_note(cursor, bool(before)))
    try:
        if before:
            tracker.on_run_start(CopiedRun(folder, cursor).at(copy.of(folder)), cursor.state)
        Verification(folder, tracker, cursor, made).run(tracker.read_back if before else lambda _key: [])
    except NotImplementedError as error:
        return Verified(cannot=str(error) or "read_back is not implemented")
    except Rebuild as rebuild:
        made.problem = f"it does not hold what was delivered: {rebuild}"
    if before and not made.agrees:
        path = folder.cursor(name)
        aside = first_free(path.with_name(f"{path.name}.old-{number}") for number in count(1))
        made.mends = f"mv {quote(str(path))} {quote(str(aside))}; trackhub sync {quote(str(folder.path))} --to {name}"
    if _bytes(folder.cursor(name)) != before:
        raise TrackhubError("it was delivered to meanwhile: ask again when that has ended")
    return made


class Verification:
    """Compares one open tracker, and adds up what it finds.

    Args:
        folder: the run.
        tracker: the tracker.
        cursor: its cursor.
        made: what was found; grows.
    """

    def __init__(self, folder: RunFolder, tracker: Tracker, cursor: Cursor, made: Verified) -> None:
        plugin = tracker.plugin
        self._made = made
        self._journal = Owed(folder, tracker.name, plugin, cursor)
        appends = str(getattr(plugin, "rewinds", "") or "append") == "append" and bool(Follower(folder).rewinds)
        self._raw = Owed(folder, tracker.name, plugin, cursor, "raw") if appends else None
        repeats = str(getattr(plugin, "repeats", "") or "keep")
        self._comparison = Comparison(tracker.limits.time_step, repeats, merges=tracker.rule == "key")

    def run(self, read_back: Callable[[str], list[Point]]) -> None:
        """Compare key by key, as many keys at once as memory should hold."""
        for keys in _groups(self._journal.counts()):
            columns = self._journal.columns(keys)
            taken_back = self._raw.columns(keys) if self._raw is not None else {}
            for key in keys:
                self._compare(key, columns.pop(key), taken_back.pop(key, None), list(read_back(key)))

    def _compare(self, key: str, column: Column, raw: Column | None, stored: list[Point]) -> None:
        wanted = self._comparison.expected(column)
        made = self._made
        made.keys += 1
        made.expected += len(wanted)
        made.found += len(stored)
        difference = self._comparison.compare(wanted, stored)
        if raw is not None and difference.extra:  # it keeps what a rewind took back
            difference.extra = self._comparison.compare(self._comparison.expected(raw), stored).extra
        made.missing += difference.missing
        made.extra += difference.extra
        made.different += difference.different
        if difference.missing or difference.extra or difference.different:
            made.first += [f"{key}, {told}" for told in difference.first][: SHOWN - len(made.first)]


def _groups(counts: Counter[str]) -> Iterator[list[str]]:
    keys: list[str] = []
    points = 0
    for key, many in counts.items():
        if keys and points + many > AT_ONCE:
            yield keys
            keys, points = [], 0
        keys.append(key)
        points += many
    if keys:
        yield keys


def _note(cursor: Cursor, opened: bool) -> str:
    """What to know of the numbers."""
    progress = cursor.handed
    unnamed = progress.rejected - len(progress.rejections)
    told = [
        "" if opened else "nothing was delivered yet",
        f"{progress.rejected} events that it refused are not looked for" if progress.rejected and not unnamed else "",
        f"{unnamed} events that it refused are not named, and count as missing" if unnamed else "",
    ]
    return "; ".join(filter(None, told))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def main() -> None:
    """Answer the question on standard input."""
    copy = Copy(Path(sys.argv[-1]))

    def find_out(orders: Orders, plugin: object) -> Verified:
        name = orders.trackers[0]
        if missing := registry.missing_sdk(name, type(plugin)):
            return Verified(problem=missing)
        return verify(RunFolder(orders.folder), name, plugin, copy)

    answer(Verified, find_out, copy.remove)
