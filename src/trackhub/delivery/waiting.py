"""Waiting for deliveries: a bounded time, and only while some of them advance."""

from __future__ import annotations

import subprocess
import sys
import time

from trackhub.delivery import cursor as cursors
from trackhub.delivery.progress import Progress
from trackhub.delivery.protocol import SupervisorStatus
from trackhub.delivery.receipt import supervisor_status
from trackhub.errors import JournalError
from trackhub.layout import RunFolder
from trackhub.processes import host, is_alive
from trackhub.tell import tell

TICK = 0.05
AT_REST = ("parked", "backing off", "delivered", "stopped")
"""States in which nobody advances."""
PATIENCE = 1.5
"""Seconds without any advance after which the end of a training waits no more."""
STARTS_WITHIN = 60.0
"""Seconds that a supervisor has to say its first word."""
SHOW_AFTER = 1.0
"""Seconds after which a person wants to see what is being waited for."""


class Patience:
    """Runs out when no courier has advanced for a while; a hung one counts as advancing until its deadline.

    Args:
        folder: the run.
        trackers: whose couriers to look at.
        limit: seconds without any advance.
    """

    def __init__(self, folder: RunFolder, trackers: tuple[str, ...], limit: float) -> None:
        self._folder = folder
        self._trackers = trackers
        self._limit = limit
        self._begin = self._last = time.monotonic()

    def is_over(self) -> bool:
        """Whether it has run out."""
        if self._somebody_advances():
            self._last = time.monotonic()
        return time.monotonic() - self._last > self._limit

    def _somebody_advances(self) -> bool:
        status = supervisor_status(self._folder)
        if status is None or _is_stale(status) or any(name not in status.trackers for name in self._trackers):
            return (
                time.monotonic() - self._begin < STARTS_WITHIN
            )  # its disk may be full: it cannot even say that it lives
        return any(status.trackers[name].state not in AT_REST for name in self._trackers)


def _is_stale(status: SupervisorStatus) -> bool:
    """Whether these are the words of an earlier supervisor, while the one that is waited for still starts."""
    return status.host == host() and not is_alive(status.pid, status.pid_started)


def wait(folder: RunFolder, trackers: tuple[str, ...], process: subprocess.Popen[bytes], timeout: float) -> None:
    """At the end of a training: wait for the supervisor at most `timeout` seconds, then tell what is left."""
    try:
        _wait(folder, trackers, process, timeout)
    except KeyboardInterrupt:
        tell("not waiting any longer: the deliveries go on in the background")
    if not folder.journal.is_dir():
        tell(f"the run folder {folder.path} was deleted during the run: what was logged is lost")
        return
    left = [name for name in trackers if not _is_delivered(folder, name)]
    if left:
        tell(f"not yet delivered: {', '.join(left)}. See: trackhub status {folder.path}")
        tell(f"what the background does not finish: trackhub sync {folder.path}")


def _wait(folder: RunFolder, trackers: tuple[str, ...], process: subprocess.Popen[bytes], timeout: float) -> None:
    begin = time.monotonic()
    patience = Patience(folder, trackers, PATIENCE)
    with Progress(folder, trackers) as progress:
        while process.poll() is None and time.monotonic() - begin < timeout and not patience.is_over():
            if time.monotonic() - begin > SHOW_AFTER and sys.stderr.isatty():
                progress.show()
            time.sleep(TICK)


def _is_delivered(folder: RunFolder, name: str) -> bool:
    try:
        return bool(cursors.load(folder.cursor(name), name).safe.ended)
    except JournalError:
        return False
