"""Watches one courier: starts it, kills it past a deadline or a size, starts it again, and parks it after a few tries.

A courier has a process group of its own inside the supervisor's session: what its SDK leaves running goes with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import msgspec

from trackhub.delivery import cursor as cursors
from trackhub.delivery import groups
from trackhub.delivery.memory import Memory
from trackhub.delivery.protocol import Orders, TrackerStatus, Word
from trackhub.delivery.spawn import command, environment, give
from trackhub.errors import JournalError
from trackhub.layout import RunFolder

TRIES = 5
"""Deaths in a row without any progress, after which a courier is parked."""
LONGEST_PAUSE = 30.0
STOP_WITHIN = 6.0
"""Seconds that a courier has to end when it is asked to."""


class Warden:
    """One courier's keeper.

    Args:
        name: the tracker.
        orders: the supervisor's own; the courier gets the part that concerns it.
    """

    def __init__(self, name: str, orders: Orders) -> None:
        self.name = name
        self.status = TrackerStatus(since=time.time())
        self._orders = msgspec.structs.replace(orders, trackers=(name,), options={name: orders.options.get(name, {})})
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._deadline = 0.0
        self._failures = 0
        self._reached = -1
        self._start_at = 0.0
        self._last = Word()
        self._killed = ""
        self._memory = Memory()

    @property
    def at_rest(self) -> bool:
        """Whether nothing more will come of this courier."""
        return self.status.state in ("delivered", "parked") and self._process is None

    def look(self) -> None:
        """One look at the courier, and what follows from it. Never blocks."""
        if self.at_rest:
            return
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self._start()
            return
        self._listen()
        if self._process.poll() is not None:
            self._listen()
            self._ended(self._process.returncode)
        elif self._deadline and time.monotonic() > self._deadline:
            self._kill(f"{self.status.hook or 'its process'} did not return in time: killed and started again")
        elif too_much := self._memory.too_much(self._process.pid):
            self._kill(f"{too_much}: killed and started again")

    def _kill(self, why: str) -> None:
        """End a courier that does not behave; what follows is decided when it is gone."""
        assert self._process is not None  # noqa: S101 - only asked while it runs
        self._killed, self._deadline = why, 0.0
        groups.kill(self._process)

    def _start(self) -> None:
        try:
            self._process = self._spawned()
        except OSError as error:
            self._killed = f"its process could not be started: {error}"
            self._died(0)
            return
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        os.set_blocking(self._process.stdout.fileno(), False)
        give(self._process, self._orders)
        self._last, self._heard, self._deadline, self._killed = Word(), b"", 0.0, ""
        self.status.pid = self._process.pid

    def _spawned(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command("trackhub.delivery.courier_main", self.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            env=environment(),
            cwd="/",
            **groups.OWN,
        )

    def _listen(self) -> None:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101 - only asked while it runs
        while chunk := self._process.stdout.read(1 << 16):
            *lines, self._heard = (self._heard + chunk).split(b"\n")
            for line in lines:
                with contextlib.suppress(msgspec.DecodeError):  # an SDK may write to whatever is open
                    self._hear(msgspec.json.decode(line, type=Word))

    def _hear(self, word: Word) -> None:
        self._last = word
        now = time.monotonic()
        self._deadline = now + word.deadline if word.deadline else 0.0
        if word.done or word.parked:
            self._deadline = now + STOP_WITHIN
        elif word.backing_off:
            self._say("backing off", word.reason)
        elif word.hook:
            self._calls(word.hook)
        else:
            self._say("delivering", "", keep_reason=True)
            self.status.hook = ""

    def _calls(self, hook: str) -> None:
        self.status.hook, self.status.since = hook, time.time()
        if self.status.state == "starting":
            self.status.state = "delivering"

    def _say(self, state: str, reason: str, keep_reason: bool = False) -> None:
        if state != self.status.state:
            self.status.since = time.time()
        self.status.state = state
        if not keep_reason:
            self.status.reason = reason

    def _ended(self, code: int) -> None:
        self._forget()
        if self._last.done:
            self.status.hook = ""
            self._say("delivered", "")
        elif self._last.parked:
            self._say("parked", self._last.reason)
        else:
            self._died(code)

    def _died(self, code: int) -> None:
        reached = self._progress()
        self._failures = 1 if reached > self._reached else self._failures + 1
        self._reached = max(reached, self._reached)
        self.status.restarts += 1
        hook = f" in {self.status.hook}" if self.status.hook else ""
        reason = self._killed or f"its process ended with {ending(code)}{hook}; see delivery/delivery.log"
        if self._failures >= TRIES:
            self._say("parked", f"{reason} ({TRIES} times in a row)")
            return
        self._start_at = time.monotonic() + min(0.5 * 2**self._failures, LONGEST_PAUSE)
        self._say("backing off", reason)

    def _progress(self) -> int:
        """How far into the run its couriers have got: one that opens well, and then dies at a row, gets nowhere."""
        try:
            return cursors.load(RunFolder(self._orders.folder).cursor(self.name), self.name).handed.ordinal
        except JournalError:
            return -1

    def _forget(self) -> None:
        if self._process is not None:
            groups.kill(self._process)  # an SDK may have left processes
            for pipe in (self._process.stdin, self._process.stdout):
                _close(pipe)
            self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Ask the courier to end after its step."""
        if self._process is not None:
            _close(self._process.stdin)

    def wait(self) -> None:
        """Wait for the courier's end, and make an end of it if it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            groups.kill(self._process)
            what = self.status.hook or "its process"
            self.status.reason = self.status.reason or f"{what} did not return when it was asked to stop"
        self._listen()
        done = self._last.done
        self._forget()
        self._say("delivered" if done else "stopped", "" if done else self.status.reason)


def ending(code: int) -> str:
    """How a process ended, in words."""
    try:
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _close(pipe: object) -> None:
    """Close a pipe whose other end may be gone."""
    try:
        if pipe is not None:
            pipe.close()  # type: ignore[attr-defined]
    except OSError:
        return
