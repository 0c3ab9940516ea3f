"""The writing end: one writer a file, for ever, and one `write` per event.

When `append` returns, the event is in the operating system's hands: killing the process loses nothing. fsync is
the supervisor's work, once a second. While the disk takes nothing, events wait in a `Backlog`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trackhub import locks
from trackhub.errors import JournalBusy, JournalError
from trackhub.events import FORMAT, Event, Header, Metrics
from trackhub.journal.backlog import Backlog
from trackhub.journal.format import decode, encode, encode_text
from trackhub.processes import host, start_time

_PAIR, _MEASURED, _CARRIES = 62, 16, 17
"""Of 64 rows the 16th is measured, and the 17th carries how long that took: early enough for a short run."""
_UNLIKELY = 600.0
"""Seconds that no call takes: such a row is of another time, and was imported."""
_OPEN = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def new_header(run_id: str, run_name: str, rank: int = 0, attempt: int = 0) -> Header:
    """The header for a file that this process is about to write."""
    pid = os.getpid()
    return Header(
        trackhub=FORMAT,
        run_id=run_id,
        run_name=run_name,
        host=host(),
        pid=pid,
        pid_started=start_time(pid),
        started=time.time(),
        rank=rank,
        attempt=attempt,
    )


class Closed:
    """Stands in for the journal of a run that is over: says so once, and keeps nothing.

    Args:
        tell: called for each event, with a line for people.
        line: that line.
    """

    waiting = 0

    def __init__(self, tell: Callable[[str], None], line: str) -> None:
        self._tell = tell
        self._line = line

    def append(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""
        self._tell(self._line)

    append_metrics = append

    def measured(self, t: float) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Nothing is open."""

    abandon = close


class JournalWriter:
    """Appends events to one journal file.

    Args:
        path: the file; a new one, unless `reopen`.
        header: its first line.
        reopen: go on with an existing file. Only the supervisor does: its file has one writer at a time.
        trouble: called with a line for people when the disk refuses, and when it takes again.

    Raises:
        JournalBusy: a living process writes this file.
        JournalError: the file exists (without `reopen`), or cannot be made.
    """

    def __init__(
        self, path: Path, header: Header, reopen: bool = False, trouble: Callable[[str], None] | None = None
    ) -> None:
        self.path = path
        self.header = header
        self.last = 0
        """Ordinal of the last event."""
        self.locked = True
        """False on a file system without locks: host, pid and start time in the header then decide."""
        self._lock = threading.RLock()
        self._backlog = Backlog()
        self._trouble = trouble or (lambda _line: None)
        self._told = False
        self._took = 0.0
        self._descriptor = self._open(reopen)
        if os.fstat(self._descriptor).st_size == 0:
            self._put(encode_text(header) + b"\n")
        else:
            self._resume()

    def _open(self, reopen: bool) -> int:
        try:
            descriptor = os.open(self.path, _OPEN if reopen else _OPEN | os.O_EXCL, 0o666)
        except FileExistsError as error:
            raise JournalBusy(f"{self.path} exists: a journal file has one writer, for ever") from error
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error
        held = locks.lock_patiently(descriptor)
        if held is False:
            os.close(descriptor)
            raise JournalBusy(f"{self.path} is being written by another process")
        self.locked = held is not None
        return descriptor

    def _resume(self) -> None:
        """Go on behind the last whole event; a torn tail is closed with a newline, and skipped by readers."""
        with self.path.open("rb") as file:
            lines = file.read().split(b"\n")
        if lines[-1]:
            self._put(b"\n")
        for line in reversed(lines[1:]):
            try:
                event = decode(line)
            except JournalError:
                continue
            if event is not None:
                self.last = event.n
                return

    def append(self, event_type: type[Event], t: float | None = None, **fields: Any) -> Event:
        """Write one event at the time `t` (Unix seconds; now by default), and return it with its ordinal."""
        with self._lock:
            if self._took and event_type is Metrics and (self.last + 1) % 64 == _CARRIES:
                fields, self._took = {**fields, "took": self._took}, 0.0
            event = event_type(n=self.last + 1, t=time.time() if t is None else t, **fields)
            line = encode_text(event) + b"\n"
            self.last = event.n
            self._put(line)
        return event

    def append_metrics(self, t: float, step: int, metrics: dict[str, Any]) -> None:
        """`append` of a `Metrics` row, for the hot path."""
        with self._lock:
            n = self.last + 1
            if n & _PAIR != _MEASURED:
                line = encode(Metrics(n, t, step, metrics)) + b"\n"
                self.last = n
                self._put(line)
            else:
                self._append_measured(n, t, step, metrics)

    def _append_measured(self, n: int, t: float, step: int, metrics: dict[str, Any]) -> None:
        """A row whose call is measured from its beginning at `t`, or the one after it, which carries what that took."""
        line = encode(Metrics(n, t, step, metrics, took=self._took)) + b"\n"
        self.last = n
        self._put(line)
        self._took = 0.0
        self.measured(t)

    def measured(self, t: float) -> None:
        """A log call that began at `t` is nearly over: what it took is kept if its row is one to be measured."""
        took = time.time() - t
        if self.last % 64 == _MEASURED and 0 < took < _UNLIKELY:
            self._took = round(took, 7)

    def _put(self, line: bytes) -> None:
        """One write; where it fails or is cut short, the rest waits for better times."""
        if self._backlog.lines:
            self._backlog.add(line)
            self.retry()
            return
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            self._backlog.add(line)
            self._put_off(error)
            return
        if written < len(line):
            self._backlog.add(line[written:])
            self.retry(now=True)

    def _put_off(self, error: OSError) -> None:
        """The disk takes nothing: told once, until it takes again."""
        self._backlog.put_off()
        if not self._told:
            self._told = True
            self._trouble(f"the journal {self.path} cannot be written ({error.strerror}): events wait in memory")

    def retry(self, now: bool = False) -> bool:
        """Write what waits, if it is time to try again (or `now`). Returns whether nothing waits any more."""
        with self._lock:
            if not self._backlog.lines or not (now or self._backlog.due()):
                return not self._backlog.lines
            try:
                while self._backlog.lines:
                    self._backlog.written(os.write(self._descriptor, self._backlog.first()))
            except OSError as error:
                self._put_off(error)
                return False
            if self._told:
                self._tell_back()
            return True

    def _tell_back(self) -> None:
        self._told = False
        dropped, self._backlog.dropped = self._backlog.dropped, 0
        lost = f"; {dropped} events did not fit into memory and are lost" if dropped else ""
        self._trouble(f"the journal {self.path} can be written again{lost}")

    @property
    def waiting(self) -> int:
        """Lines that wait in memory for the disk."""
        return len(self._backlog.lines)

    def close(self) -> None:
        """Write what waits, as far as the disk takes it, and give the file back."""
        with self._lock:
            if self._descriptor >= 0:
                if not self.retry(now=True):
                    lost = self.waiting + self._backlog.dropped
                    self._trouble(f"the journal {self.path} still cannot be written: {lost} events are lost")
                self.abandon()

    def abandon(self) -> None:
        """Let go of the file without a word: in a forked child it belongs to the parent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
