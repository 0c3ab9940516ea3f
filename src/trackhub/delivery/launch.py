"""The training process's side of the delivery: starts the supervisor, keeps it alive, waits for it at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from trackhub.delivery.in_thread import ThreadCourier
from trackhub.delivery.protocol import Orders
from trackhub.delivery.spawn import command, environment, give
from trackhub.processes import host, is_alive, start_time
from trackhub.settings import seconds
from trackhub.tell import tell

if TYPE_CHECKING:
    from trackhub.layout import RunFolder
    from trackhub.settings import Selection

RESTARTS = 5
LINGER = 3600.0
RETIRE_WITHIN = 5.0
"""Seconds that the supervisor of an earlier attempt has to stop, and then to die."""
TICK = 0.02
LOOKS_AFTER = (3.0, 7.0, 20.0)
"""Seconds after which the training looks whether a tracker was parked; each after the one before."""


class Delivery:
    """The supervisor of one run, seen from the process that started it.

    Args:
        folder: the run.
        selection: its trackers and their options.
        live: False for no couriers before `trackhub sync`.
    """

    def __init__(self, folder: RunFolder, selection: Selection, live: bool = True) -> None:
        self._folder = folder
        self._orders = Orders(
            folder=str(folder.path),
            trackers=tuple(name for name in selection.names if name not in selection.objects),
            options=selection.options,
            sources=selection.sources,
            couriers=live,
            trainer_pid=os.getpid(),
            trainer_started=start_time(os.getpid()),
            linger=seconds("TRACKHUB_LINGER", LINGER),
        )
        self._objects = [ThreadCourier(folder, name, one) for name, one in selection.objects.items()]
        self._process: subprocess.Popen[bytes] | None = None
        self._finishing = False
        self._told: set[str] = set()

    def start(self) -> None:
        """Start the supervisor, and a thread that starts it again should it die."""
        try:
            self._process = spawn(self._folder, self._orders)
        except OSError as error:
            tell(f"the deliveries could not be started ({error}): trackhub sync {self._folder.path} makes up for it")
            return
        for carried in self._objects:
            carried.start()
        threading.Thread(target=self._keep_alive, name="trackhub-supervisor", daemon=True).start()
        if self._orders.couriers and self._orders.trackers:
            threading.Thread(target=self._look_early, name="trackhub-parked", daemon=True).start()

    def _look_early(self) -> None:
        for pause in LOOKS_AFTER:
            time.sleep(pause)
            self._tell_parked()

    def _tell_parked(self) -> None:
        """Say which trackers do not work: a wrong option, a missing SDK. Their plugins load elsewhere, and later."""
        from trackhub.delivery.receipt import supervisor_status

        status = supervisor_status(self._folder)
        for name, one in status.trackers.items() if status else ():
            if one.state == "parked" and name not in self._told:
                self._told.add(name)
                tell(f"{name} is parked: {one.reason}")

    def _keep_alive(self) -> None:
        for restart in range(RESTARTS + 1):
            process = self._process
            if process is None or process.wait() == 0 or self._finishing:
                return
            self.forked()  # the pipe of the one that is gone
            time.sleep(0.2 * 2**restart)
            if self._finishing or not self._folder.journal.is_dir():
                return
            try:
                self._process = spawn(self._folder, self._orders)
            except OSError:
                continue

    def forked(self) -> None:
        """In a forked child: let go of the pipe, whose closing tells the supervisor that the trainer is gone."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):  # whoever read it may be gone
                self._process.stdin.close()

    def finish(self, timeout: float) -> None:
        """Wait for the deliveries at most `timeout` seconds, then leave them to finish alone."""
        from trackhub.delivery.waiting import wait

        process, self._finishing = self._process, True
        if process is None:
            return
        until = time.monotonic() + timeout
        if self._orders.couriers:
            wait(self._folder, self._orders.trackers, process, timeout)
            self._tell_parked()
        for carried in self._objects:
            carried.finish(until)
        if process.poll() is None:
            process.returncode = 0  # it goes on alone, and its end is not this process's to collect
        if process.stdin is not None:
            process.stdin.close()


def retire(folder: RunFolder) -> None:
    """Ask the supervisor that a run left behind to stop after its batch, and end it after 5 s."""
    from trackhub.delivery.receipt import delivering, supervisor_status

    begin, signals = time.monotonic(), [getattr(signal, "SIGKILL", signal.SIGTERM), signal.SIGTERM]
    while delivering(folder) and (waited := time.monotonic() - begin) < 2 * RETIRE_WITHIN:
        old = supervisor_status(folder)
        known = old is not None and old.host == host() and is_alive(old.pid, old.pid_started)
        if old is not None and known and len(signals) > (1 if waited < RETIRE_WITHIN else 0):
            os.kill(old.pid, signals.pop())
        time.sleep(TICK)


def spawn(folder: RunFolder, orders: Orders) -> subprocess.Popen[bytes]:
    """A supervisor in a session of its own, away from this process's terminal, folder and pipes."""
    folder.supervisor_lock.parent.mkdir(parents=True, exist_ok=True)
    with folder.delivery_log.open("ab") as log:
        process = subprocess.Popen(
            command("trackhub.delivery.supervisor"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environment(),
            cwd="/",
            start_new_session=True,
        )
    give(process, orders)
    return process
