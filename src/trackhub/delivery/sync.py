"""Deliver what is left of a run, now: attach to a delivery under way, or start one, and watch it to its end."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from trackhub.delivery import cursor as cursors
from trackhub.delivery.glance import unread
from trackhub.delivery.launch import retire, spawn
from trackhub.delivery.progress import Progress
from trackhub.delivery.protocol import BUSY, Orders
from trackhub.delivery.receipt import Receipt, delivering, receipts, supervisor_status
from trackhub.delivery.waiting import Patience
from trackhub.journal.added import Added, content
from trackhub.journal.format import storable
from trackhub.journal.state import State, state
from trackhub.layout import RunFolder
from trackhub.local import OBJECT
from trackhub.settings import Trackers, disclosed, found, select

TICK = 0.1
PATIENCE = 30.0
"""Seconds without any advance (every tracker away or parked) after which the rest is left for another time."""

NEAR = 1 << 20
"""Bytes of the journal: who is further behind than that has certainly not got everything, and no event is read."""
SILENT = 15.0
"""Seconds without a sign of life from a supervisor, which gives one every ten."""


class Outcome(msgspec.Struct):
    """What came of one run."""

    name: str
    path: str
    result: str
    """delivered, left, or running; broken where the run cannot be read, mistake where it cannot be as asked for."""
    worked: bool
    """Whether there was anything to do."""
    receipts: list[Receipt]
    reason: str = ""
    """What is broken, or the mistake."""


class Sitting:
    """What the syncs of one command share.

    Args:
        progress: shows how far they are.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.stop = threading.Event()
        """Set when they are to end, after each courier's step."""
        self._processes: set[subprocess.Popen[bytes]] = set()

    def started(self, process: subprocess.Popen[bytes]) -> None:
        """A supervisor was started."""
        self._processes.add(process)

    def kill(self) -> None:
        """End the supervisors at once, and with them their couriers."""
        for process in list(self._processes):
            process.kill()


def sync(
    folder: RunFolder,
    to: Trackers = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    timeout: float | None = None,
    sitting: Sitting | None = None,
) -> Outcome:
    """Deliver a run as far as it goes.

    Args:
        folder: the run.
        to: these trackers only, also ones that the run never had, as in `trackhub.start`; from then on they are the
            run's own. By default all that it has.
        options: options by tracker; they win over those that the run was started with. An empty one takes back one
            that was stored.
        timeout: give up after this many seconds; by default after 30 s without any advance.
        sitting: what is shared with other syncs.
    """
    run = state(folder)
    orders = asked_for(folder, run, to, options or {})
    names = orders.trackers
    if run.status != "running" and not _is_far(folder, names):
        before = receipts(folder, names)
        if all(receipt.complete for receipt in before):
            return Outcome(run.name, str(folder.path), "delivered", False, before)
    _remember(folder, run, orders)
    sitting = sitting or Sitting(Progress())
    sitting.progress.add(folder, names)
    watch = _Watch(folder, names, timeout, sitting)
    while not watch.attached() and not sitting.stop.is_set() and watch.own(orders) == BUSY:
        continue  # the run's own supervisor was faster: watch that one
    return Outcome(run.name, str(folder.path), watch.caught_up or watch.result(), True, receipts(folder, names))


def _remember(folder: RunFolder, run: State, orders: Orders) -> None:
    """What the run never had is its own from now on: an interrupted sync is gone on with, and so is a resumed run."""
    new = [name for name in orders.trackers if name not in run.trackers]
    if new:
        more = {name: Added(storable(orders.options[name]), orders.sources.get(name, "")) for name in new}
        cursors.write_atomically(folder.added, content(folder, more))


def _is_far(folder: RunFolder, names: tuple[str, ...]) -> bool:
    return any(unread(folder, name) > NEAR for name in names)


def asked_for(folder: RunFolder, run: State, to: Trackers, options: Mapping[str, Mapping[str, Any]]) -> Orders:
    """What a supervisor is to do: deliver to the run's own trackers, or to those that are named.

    Raises:
        ConfigError: the trackers cannot be as they are asked for.
    """
    wanted = found(select(to)) if to else None
    names = wanted.names if wanted else tuple(name for name in run.trackers if run.sources.get(name) != OBJECT)
    return orders_for(folder, run, names, options, wanted.sources if wanted else {})


def orders_for(
    folder: RunFolder,
    run: State,
    names: tuple[str, ...],
    options: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, str] | None = None,
) -> Orders:
    """Orders with the run's options, but for those that were redacted on disk."""
    stored = {name: _kept(disclosed(run.options.get(name, {})), options.get(name, {})) for name in names}
    given = {name: _kept(more, more) for name, more in options.items()}
    selection = select(stored, given, {**run.sources, **(sources or {})})
    return Orders(
        folder=str(folder.path), trackers=names, options=selection.options, sources=selection.sources, live=False
    )


def _kept(options: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`options` without those that `more` takes back."""
    return {key: value for key, value in options.items() if more.get(key) != ""}


def one_by_one(orders: Orders) -> list[Orders]:
    """The part of the orders that concerns each tracker."""
    return [
        msgspec.structs.replace(orders, trackers=(name,), options={name: orders.options.get(name, {})})
        for name in orders.trackers
    ]


class _Watch:
    """Watches the delivery of one run."""

    def __init__(self, folder: RunFolder, names: tuple[str, ...], timeout: float | None, sitting: Sitting) -> None:
        self._folder = folder
        self._names = names
        self._until = time.monotonic() + timeout if timeout is not None else float("inf")
        self._patience = Patience(folder, names, PATIENCE)
        self._sitting = sitting
        self.caught_up = ""
        """"running" once a delivery of our own has brought over all that a running training has logged."""

    def attached(self) -> bool:
        """Watch a delivery that is under way already. Returns whether nothing is left to do after it."""
        while delivering(self._folder):
            if self._only_waits():
                retire(self._folder)  # who asks for it now has mended something: try again at once
            if self.result() != "left" or not self._wait():
                return True
        return self.result() != "left"

    def _only_waits(self) -> bool:
        """Whether the delivery under way is what an ended run left behind, and nothing but pauses."""
        status = supervisor_status(self._folder)
        if status is None or not status.live or self._runs_on():
            return False
        states = [one.state for one in status.trackers.values() if one.state not in ("delivered", "parked")]
        silent = time.time() - status.updated > SILENT  # its disk is full: not even its status could be written
        return bool(states) and (silent or all(one == "backing off" for one in states))

    def own(self, orders: Orders) -> int:
        """Start a delivery, and watch it to its end. Returns the supervisor's exit code."""
        process = spawn(self._folder, orders)
        self._sitting.started(process)
        try:
            while process.poll() is None and self._wait():
                if self._runs_on() and self.result() == "running":
                    self.caught_up = "running"
                    break
        finally:
            _end(process)
        return process.returncode

    def result(self) -> str:
        """How far it is: delivered, running (all that there is so far has arrived), or left."""
        if _is_far(self._folder, self._names):
            return "left"
        now = receipts(self._folder, self._names)
        if all(receipt.complete for receipt in now):
            return "delivered"
        return "running" if self._runs_on() and all(_well(receipt) for receipt in now) else "left"

    def _runs_on(self) -> bool:
        """Whether the training still runs: asked first, since receipts read all that is not delivered."""
        return state(self._folder).status == "running"

    def _wait(self) -> bool:
        """Wait a moment. Returns False when it is time to give up."""
        if self._sitting.stop.wait(TICK):
            return False
        return time.monotonic() < self._until and not self._patience.is_over()


def _well(receipt: Receipt) -> bool:
    return not receipt.lag and not receipt.rejected and receipt.state in ("delivering", "delivered")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closing its input asks the supervisor to end after its step."""
    if process.stdin is not None:
        process.stdin.close()
    process.wait()
