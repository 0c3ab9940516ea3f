"""Metrics whose values are still on their way from a device: journaled in order, without waiting for them.

A tensor on a GPU is copied to pinned memory without blocking; its event, and every event after it, is written by
a thread when the copy has arrived. The event's time is the time of the call. At most `LIMIT` events are pending:
then the oldest is waited for. `drain` waits for all.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

LIMIT = 1000
"""Pending events; past it the oldest is waited for."""
SLOTS = 16 * LIMIT
"""Pending copies; past it, too, the oldest event is waited for."""
_POLL = 0.002
"""Seconds between two looks at the oldest pending copy."""


class Copy(Protocol):
    """One value on its way."""

    def arrived(self) -> bool:
        """Whether the value is there; never blocks."""

    def value(self) -> float:
        """The value; blocks until it is there."""


class _Failed:
    """A copy that did not begin."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def arrived(self) -> bool:
        return True

    def value(self) -> float:
        raise self._error


class CudaCopies:
    """Copies from a CUDA device into a ring of pinned float64 slots, made once."""

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self._slots = torch.empty(SLOTS, dtype=torch.float64, pin_memory=True)
        self._next = 0

    def begin(self, tensor: Any) -> Copy:
        """Start the copy on the tensor's current stream."""
        slot = self._slots[self._next : self._next + 1]
        self._next = (self._next + 1) % len(self._slots)
        with self._torch.cuda.device(tensor.device):
            slot.copy_(tensor.detach().reshape(1).to(self._torch.float64), non_blocking=True)
            event = self._torch.cuda.Event()
            event.record()
        return _CudaCopy(slot, event)


class _CudaCopy:
    def __init__(self, slot: Any, event: Any) -> None:
        self._slot = slot
        self._event = event

    def arrived(self) -> bool:
        return bool(self._event.query())

    def value(self) -> float:
        self._event.synchronize()
        return float(self._slot.item())


def on_device(value: Any) -> bool:
    """Whether reading `value` would make the caller wait for a GPU."""
    return getattr(value, "is_cuda", False) is True and "torch" in sys.modules and value.numel() == 1


class Deferred:
    """The queue of events behind a pending copy.

    Args:
        begin: starts the copy of a device tensor.
    """

    def __init__(self, begin: Callable[[Any], Copy] | None = None) -> None:
        self._begin = begin
        self.queue: deque[tuple[list[Copy], Callable[[], None]]] = deque()
        """What is pending; while it is not empty, what follows has to queue up too."""
        self._copies = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, tensor: Any) -> Copy:
        """Start copying `tensor`; whatever the device says against it, the copy's `value` raises."""
        while self._copies >= SLOTS - 1 and self.queue:
            self._write_first(wait=True)
        try:
            self._begin = self._begin or CudaCopies().begin
            copy = self._begin(tensor)
        except Exception as error:  # noqa: BLE001 - a device that fails must not end what is not about logging
            copy = _Failed(error)
        with self._changed:
            self._copies += 1
        return copy

    def add(self, copies: list[Copy], write: Callable[[], None]) -> None:
        """Call `write` when all of `copies` have arrived and everything before it is written. It must not raise."""
        with self._changed:
            self.queue.append((copies, write))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="trackhub-copies", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        if len(self.queue) > LIMIT:
            self._write_first(wait=True)

    def drain(self) -> None:
        """Wait for every pending copy and write its event."""
        while self.queue:
            self._write_first(wait=True)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self.queue and not self._changed.wait_for(lambda: bool(self.queue), timeout=5):
                    self._thread = None
                    return
            if not self._write_first(wait=False):
                threading.Event().wait(_POLL)

    def _write_first(self, wait: bool) -> bool:
        """Write the oldest event if its copies are there, or once they are. Returns whether it was written."""
        with self._changed:
            if not self.queue:
                return False
            copies, write = self.queue[0]
            if not wait and not all(map(_arrived, copies)):
                return False
            write()
            self.queue.popleft()
            self._copies -= len(copies)
            return True


def _arrived(copy: Copy) -> bool:
    """Whether `copy.value` returns, or raises, at once."""
    try:
        return copy.arrived()
    except RuntimeError:
        return True
