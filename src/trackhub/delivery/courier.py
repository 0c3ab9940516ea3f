"""A courier: carries a run's journal to one tracker. The same code for live delivery, sync and backfill.

It starts at the cursor, hands over what follows, asks the plugin to flush, and moves the cursor: so everything
arrives at least once, and exactly once where the plugin's rule holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from trackhub.delivery import cursor as cursors
from trackhub.delivery.attempts import Attempts, Parked, Reopen, Stopped
from trackhub.delivery.context import RunContext
from trackhub.delivery.cost import Spending
from trackhub.delivery.cursor import Progress
from trackhub.delivery.facade import Tracker
from trackhub.delivery.handover import Handover
from trackhub.delivery.protocol import Word
from trackhub.journal.following import Follower
from trackhub.journal.state import is_written, latest
from trackhub.journal.summary import summary
from trackhub.layout import RunFolder
from trackhub.plugin import Rebuild, Rejected

BATCH = 1000
"""Events that are read, and rows that are handed over, at once."""
POLL = 0.1
"""Seconds between two looks at a journal that does not grow."""
FLUSH_EVERY = 1.0
"""Seconds between two flushes."""
GRACE = 5.0
"""Seconds that other writers of an ended run are waited for."""
GOES_BACK = ("truncate", "rebuild", "known_step")
"""Rules of trackers that, opened anew at the cursor, have forgotten everything behind it, or drop it."""


class Courier:
    """Delivers one run to one tracker.

    Args:
        folder: the run.
        name: the tracker's name.
        make: makes a fresh instance of the plugin.
        speak: takes the courier's words for its supervisor.
        stop: set when the courier is to end.
    """

    def __init__(
        self,
        folder: RunFolder,
        name: str,
        make: Callable[[], object],
        speak: Callable[[Word], None],
        stop: threading.Event,
    ) -> None:
        self._folder = folder
        self._path = folder.cursor(name)
        self._cursor = cursors.load(self._path, name)
        self._spending = Spending(self._cursor.cost)
        self._name = name
        self._make = make
        self._stop = stop
        self._attempts = Attempts(speak, stop)
        self._refused: dict[tuple[str, int], str] = {}
        self._flushed_at = 0.0
        self._dirty = False

    def deliver(self) -> bool:
        """Deliver until the run has ended and everything is handed over. Returns False if it was stopped before.

        Raises:
            Parked: the tracker does not open, or cannot make safe what it was given.
        """
        rebuild = ""
        while True:
            try:
                if rebuild:
                    self._begin_again(rebuild)
                    rebuild = ""
                return self._session()
            except Reopen:
                continue
            except Rebuild as asked:
                rebuild = str(asked) or "as the tracker asked"
            except Stopped:
                return False

    def _session(self) -> bool:
        """One life of a plugin instance: opened at the cursor, fed, closed."""
        self._attempts.open(self._open)
        self._attempts.goes_back = self._tracker.rule in GOES_BACK
        while not self._stop.is_set():
            items = self._follower.read(BATCH)
            self._handover.take(items)
            self._dirty = self._dirty or bool(items)
            if not items and self._over():
                return self._close()
            self._flush_if_due()
            if not items:
                self._stop.wait(POLL)
        self._flush()
        return False

    def _open(self) -> None:
        """A new plugin instance at the cursor."""
        self._attempts.calling("__init__")
        plugin = self._attempts.plugin = self._make()
        self._tracker = Tracker(self._name, plugin, self._attempts.calling)
        self._cursor.rule = self._tracker.rule
        self._cursor.handed = self._cursor.safe.copy()
        self._face_the_journal(Follower(self._folder, self._cursor.safe.positions))
        self._open_run()
        self._follower = Follower(self._folder, self._cursor.safe.positions)
        self._handover = Handover(self._tracker, self._cursor, self._attempts, self._run, self._refused)
        self._handover.ended = self._cursor.safe.ending or self._cursor.safe.ended
        self._seal()

    def _face_the_journal(self, follower: Follower) -> None:
        """Where the journal is not what was read before (a power cut took its end, say), deliver it again.

        But not to a tracker without a rule, which would then hold everything twice.
        """
        changed = follower.mismatches()
        if changed and self._tracker.rule:
            self._start_over(f"{', '.join(changed)} is not what was read before")
        elif changed:
            self._cursor.tell(f"{', '.join(changed)} is not what was read before; the tracker keeps what it has")
            self._cursor.safe.positions |= {name: follower.end_of(name) for name in changed}
        elif not self._cursor.safe.positions:
            self._cursor.safe.rewinds = max(follower.rewinds, default=0)
        self._cursor.handed = self._cursor.safe.copy()

    def _open_run(self) -> None:
        self._run = RunContext(self._folder, self._cursor)
        try:
            self._tracker.on_run_start(self._run, self._cursor.state)
        except Rebuild as rebuild:
            self._start_over(str(rebuild))
            self._tracker.on_run_start(self._run, None)

    def _start_over(self, why: str) -> None:
        """Forget what was delivered. The rewinds that the journal holds by now are part of what comes."""
        self._cursor.tell(f"delivered again from the beginning: {why}")
        self._cursor.safe = Progress(rewinds=max(Follower(self._folder).rewinds, default=0))
        self._cursor.handed = self._cursor.safe.copy()
        self._cursor.state = None
        cursors.store(self._path, self._cursor)

    def _begin_again(self, why: str) -> None:
        """`_start_over` with patience: the disk of the cursor may be full just now."""
        self._attempts.open(lambda: self._start_over(why))

    def _flush_if_due(self) -> None:
        unsealed = self._cursor.handed != self._cursor.safe
        if (self._dirty or unsealed) and time.monotonic() - self._flushed_at >= FLUSH_EVERY:
            self._flush()

    def _flush(self) -> None:
        try:
            self._attempts.call(self._seal, ("flush", 0))
        except Rejected as rejected:
            raise Parked(f"flush: {rejected}") from rejected

    def _seal(self) -> None:
        """Ask for everything to be safe, and move the cursor if it is."""
        sealed, state = self._tracker.flush()
        self._tell_losses()
        advances = sealed and self._cursor.safe.positions != self._cursor.handed.positions
        if sealed:
            self._cursor.state = state
            self._cursor.safe = self._cursor.handed.copy()
        if sealed or self._dirty:
            self._cursor.cost = self._spending.now()
            cursors.store(self._path, self._cursor)
        if advances:
            self._refused.clear()
            self._attempts.forget()
        self._dirty = False
        self._flushed_at = time.monotonic()

    def _tell_losses(self, ended: bool = False) -> None:
        """A damaged journal is read as far as it goes; what is missing is told in the receipt."""
        for words in self._follower.losses(ended):
            self._cursor.tell(words)

    def _over(self) -> bool:
        """Whether the run has ended and nobody of it writes any more, but for at most `GRACE` seconds."""
        if not self._handover.ended:
            return False
        others = (path for path in self._folder.journal.glob("rank-*.jsonl") if path != latest(self._folder))
        return time.time() - self._handover.ended_at > GRACE or not any(map(is_written, others))

    def _close(self) -> bool:
        """Tell the tracker how the run ended, and make that safe. A tracker that fails at it has it set aside."""
        self._tell_losses(ended=True)
        status = self._handover.ended
        if self._cursor.handed.ended != status:
            self._handover.hand_chosen()
            # A summary takes a read of the whole journal: made for those alone who look at it.
            found = summary(self._folder) if self._tracker.wants("on_run_end", "summary") else {}
            try:
                self._attempts.call(lambda: self._tracker.on_run_end(status, found), ("end", 0))
            except Rejected as rejected:
                self._cursor.handed.add_rejection("", 0, f"on_run_end({status!r})", str(rejected))
            self._cursor.handed.ended = status
        return self._all_safe()

    def _all_safe(self) -> bool:
        """Flush until what was handed over could survive a crash. Returns False if the courier was stopped before.

        Raises:
            Parked: the tracker did not take the end, and seals nothing without it.
        """
        self._dirty = True
        self._flush()
        while self._cursor.safe != self._cursor.handed:
            if failed := [item.reason for item in self._cursor.handed.rejections if item.what.startswith("on_run_end")]:
                raise Parked(f"on_run_end failed, and what was delivered is not safe: {failed[-1]}")
            if self._stop.wait(FLUSH_EVERY):
                return False
            self._flush()
        return True
