"""A tracker that is an object of the training process: carried by the same courier code, in a thread.

What that gives up: an object that hangs cannot be killed, one that crashes takes the training along, and what it has
not been given when the process ends, it never gets. It does not slow the log calls, which write to the journal alone.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from trackhub.tell import tell

if TYPE_CHECKING:
    from trackhub.delivery.protocol import Word
    from trackhub.layout import RunFolder


AWAY = 1.0
"""Seconds of a pause from which on a tracker counts as away, and the end of the training does not wait for it."""


class ThreadCourier:
    """Carries one run to one object.

    Args:
        folder: the run.
        name: the tracker's name.
        tracker: the object; its hooks are called in the thread, one at a time.
    """

    def __init__(self, folder: RunFolder, name: str, tracker: object) -> None:
        self._folder = folder
        self._name = name
        self._tracker = tracker
        self._stop = threading.Event()
        self._reason = ""
        self._thread = threading.Thread(target=self._deliver, name=f"trackhub-{name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def finish(self, until: float) -> None:
        """Wait until everything is delivered, or until a moment of the monotonic clock; then stop.

        A tracker that is away is not waited for.
        """
        while self._thread.is_alive() and time.monotonic() < until and not self._reason:
            self._thread.join(0.05)
        self._stop.set()
        if self._thread.is_alive() or self._reason:
            tell(f"{self._name}, an object of this process, was not given everything: {self._reason or 'out of time'}")

    def _deliver(self) -> None:
        from trackhub.delivery.courier import Courier

        try:
            Courier(self._folder, self._name, lambda: self._tracker, self._hear, self._stop).deliver()
        except Exception as error:  # noqa: BLE001 - whatever a tracker does, the training goes on
            from trackhub.delivery.attempts import words

            self._reason = words(error)

    def _hear(self, word: Word) -> None:
        self._reason = word.reason if word.backing_off >= AWAY else ""
