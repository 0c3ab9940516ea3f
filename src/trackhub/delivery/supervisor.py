"""The supervisor of a run: starts the couriers, watches over them, notices the trainer's death, and ends.

It is the trainer's child in a session of its own, so that Ctrl-C reaches only the trainer. `trackhub sync` starts the
same supervisor on a journal that no longer grows.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import msgspec

from trackhub.delivery import cursor as cursors
from trackhub.delivery.chores import Chores
from trackhub.delivery.cost import own_cost
from trackhub.delivery.protocol import BUSY, Orders, SupervisorStatus
from trackhub.delivery.trainer_watch import TrainerWatch
from trackhub.delivery.warden import Warden
from trackhub.events import RunEnded
from trackhub.journal.others import without_a_word
from trackhub.journal.state import ended, latest, says_ended, state, writer_alive
from trackhub.journal.writing import JournalWriter, new_header
from trackhub.layout import RunFolder
from trackhub.locks import FileLock
from trackhub.processes import host, start_time

TICK = 0.05
"""Seconds between two looks at everything."""
SIGN_OF_LIFE = 10.0
"""Seconds between two writings of an unchanged status."""
TAKEOVER = 6.0
"""Seconds that the supervisor of an earlier attempt has to go away."""


class Supervisor:
    """Watches over the deliveries of one run.

    Args:
        orders: what to deliver.
        parent: set when the process that gave the orders is gone, or wants this to end.
    """

    def __init__(self, orders: Orders, parent: threading.Event) -> None:
        self._orders = orders
        self._folder = RunFolder(orders.folder)
        self._parent_gone = parent
        self._trainer = TrainerWatch(orders.trainer_pid, orders.trainer_started)
        self._wardens = [Warden(name, orders) for name in orders.trackers] if orders.couriers else []
        pid = os.getpid()
        self._status = SupervisorStatus(pid, host(), time.time(), orders.live, pid_started=start_time(pid))
        self._written: bytes = b""
        self._stop = False
        self._over = False
        self._alone_since = 0.0

    def run(self) -> None:
        """Deliver until everything is delivered or parked, or until told to stop."""
        self._journal = self._open_journal()
        chores = Chores(self._folder, self._journal, self._orders)
        chores.start()
        if not self._orders.live:
            self._declare_dead_if_so()
        while not self._stop and not self._finished():
            for warden in self._wardens:
                warden.look()
            self._journal.retry()
            self._report()
            time.sleep(TICK)
        self._end(chores)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End soon: couriers finish their step first."""
        self._stop = True

    def _open_journal(self) -> JournalWriter:
        run = state(self._folder)
        header = new_header(run.id, run.name)
        return JournalWriter(self._folder.supervisor_journal, header, reopen=True)

    def _finished(self) -> bool:
        """Whether there is nothing left to do, or nobody left to do it for."""
        if not self._orders.live:
            return self._parent_gone.is_set() or all(warden.at_rest for warden in self._wardens)
        if not self._run_is_over():
            return False
        return all(warden.at_rest for warden in self._wardens) or self._lingered() > self._orders.linger

    def _lingered(self) -> float:
        """Seconds since the trainer stopped waiting for the deliveries."""
        if not self._alone_since and (self._parent_gone.is_set() or not self._trainer.alive()):
            self._alone_since = time.monotonic()
        return time.monotonic() - self._alone_since if self._alone_since else -1.0

    def _run_is_over(self) -> bool:
        if not self._over:
            if not self._trainer.alive():
                self._declare_dead_if_so()
                self._over = True
            else:
                self._over = says_ended(latest(self._folder))
            if self._over:
                yield_cpu(0)
        return self._over

    def _declare_dead_if_so(self) -> None:
        """Nobody writes the journal any more and it has no end: then the run was killed."""
        gone = not self._trainer.alive() if self._orders.live else not writer_alive(self._folder)
        if gone and ended(self._folder) is None:
            status, reason = without_a_word(self._folder)
            self._journal.append(RunEnded, status=status, reason=reason)

    def _report(self) -> None:
        """Put the couriers' states on disk when they change, and as a sign of life."""
        self._status.trackers = {warden.name: warden.status for warden in self._wardens}
        content = msgspec.json.encode(self._status.trackers)
        if content != self._written or time.time() - self._status.updated > SIGN_OF_LIFE:
            self._written = content
            self._write_status()

    def _write_status(self) -> None:
        self._status.updated, self._status.cost = time.time(), own_cost()
        try:
            cursors.write_atomically(self._folder.supervisor_status, msgspec.json.encode(self._status), sync=False)
        except OSError:
            return

    def _end(self, chores: Chores) -> None:
        for warden in self._wardens:
            warden.stop()
        for warden in self._wardens:
            warden.wait()
        chores.stop()
        self._journal.close()
        self._status.stopped = True
        self._status.trackers = {warden.name: warden.status for warden in self._wardens}
        self._write_status()


def main() -> None:
    """Supervise as ordered on standard input."""
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    parent_gone = threading.Event()
    threading.Thread(target=_watch_parent, args=(parent_gone,), name="trackhub-parent", daemon=True).start()
    if orders.live:
        _be_nice()
        yield_cpu(19)
    lock = FileLock(RunFolder(orders.folder).supervisor_lock)
    if not _take(lock, TAKEOVER if orders.live else 0.0):
        sys.exit(BUSY)
    supervisor = Supervisor(orders, parent_gone)
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor.run()


def _take(lock: FileLock, patience: float) -> bool:
    """The lock of the run's one supervisor; an earlier attempt's may be on its way out."""
    until = time.monotonic() + patience
    while not lock.acquire():
        if time.monotonic() >= until:
            return False
        time.sleep(TICK)
    return True


def _watch_parent(gone: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    gone.set()


def _be_nice() -> None:
    """For systems without autogroups."""
    if hasattr(os, "nice"):
        os.nice(10)


def yield_cpu(level: int) -> None:
    """Yield the CPU to the training: 19 while it runs, 0 when it is over and people wait for the delivery.

    nice counts only inside a session's autogroup, so it is the group of this session that is niced.
    """
    try:
        Path("/proc/self/autogroup").write_text(str(level))
    except OSError:
        return
