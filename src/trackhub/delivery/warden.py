"""Watches one courier: starts it, kills it past a deadline, starts it again, and parks it after a few tries."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import msgspec

from trackhub.delivery import cursor as cursors
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
            self._say("delivering", f"{self.status.hook} did not return in time: killed and started again")
            self._process.kill()
            self._deadline = 0.0

    def _start(self) -> None:
        self._process = subprocess.Popen(
            command("trackhub.delivery.courier_main", self.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            env=environment(),
            cwd="/",
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        os.set_blocking(self._process.stdout.fileno(), False)
        give(self._process, self._orders)
        self._last, self._heard, self._deadline = Word(), b"", 0.0
        self.status.pid = self._process.pid

    def _listen(self) -> None:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101 - only asked while it runs
        while chunk := self._process.stdout.read(1 << 16):
            *lines, self._heard = (self._heard + chunk).split(b"\n")
            for line in lines:
                self._hear(msgspec.json.decode(line, type=Word))

    def _hear(self, word: Word) -> None:
        self._last = word
        now = time.monotonic()
        self._deadline = now + word.deadline if word.deadline else 0.0
        if word.backing_off:
            self._say("backing off", word.reason)
        elif word.hook:
            self._calls(word.hook)
        elif not word.done and not word.parked:
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
        reason = self.status.reason or f"its process ended with exit code {code}{hook}; see delivery/delivery.log"
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
            self._process.kill()
            self.status.reason = f"{self.status.hook or 'its process'} did not return when it was asked to stop"
        self._listen()
        done = self._last.done
        self._forget()
        self._say("delivered" if done else "stopped", "" if done else self.status.reason)


def _close(pipe: object) -> None:
    """Close a pipe whose other end may be gone."""
    try:
        if pipe is not None:
            pipe.close()  # type: ignore[attr-defined]
    except OSError:
        return
