"""What bounds the memory of a courier: its supervisor looks at it, and ends one that takes too much."""

from __future__ import annotations

import os
import time

LIMIT = 4096.0
"""Megabytes of resident memory that a courier may have; ``TRACKHUB_COURIER_MEMORY`` changes it, 0 turns it off."""
LOOK_EVERY = 0.5
"""Seconds between two looks."""


class Memory:
    """Watches the size of one courier at a time."""

    def __init__(self) -> None:
        self._limit = _limit()
        self._next = 0.0

    def too_much(self, pid: int) -> str:
        """Words if the process is larger than it may be, else ""; looks only now and then."""
        now = time.monotonic()
        if not self._limit or now < self._next:
            return ""
        self._next = now + LOOK_EVERY
        size = resident(pid) / 1e6
        if size <= self._limit:
            return ""
        return f"its process took {size:.0f} MB of memory, {self._limit:.0f} are allowed (TRACKHUB_COURIER_MEMORY)"


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if nobody can tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - twice a second for each courier
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return _resident_elsewhere(pid)


def _resident_elsewhere(pid: int) -> int:
    if os.path.isdir("/proc/self"):  # noqa: PTH112
        return 0
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _limit() -> float:
    """Megabytes; a value that is no number is taken for the default: nothing of this may stop a delivery."""
    try:
        return max(float(os.environ.get("TRACKHUB_COURIER_MEMORY") or LIMIT), 0.0)
    except ValueError:
        return LIMIT
