"""What a process of the delivery costs: the system is asked what it has used. Nothing is measured beside the work."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import msgspec

_MB = 1_000_000.0


class Cost(msgspec.Struct, frozen=True):
    """What a process of the delivery has used; for a courier over all of its lives."""

    cpu: float = 0.0
    """Seconds of CPU time, user and system, with those of children that have ended."""
    peak_mb: float = 0.0
    """The largest resident memory, in millions of bytes; 0.0 where it cannot be told."""


class Spending:
    """Adds what this process uses to what earlier processes used.

    Args:
        before: what they used.
    """

    def __init__(self, before: Cost) -> None:
        self._before = before

    def now(self) -> Cost:
        """All of it, until now."""
        own = own_cost(children=True)
        return Cost(round(self._before.cpu + own.cpu, 3), round(max(self._before.peak_mb, own.peak_mb), 1))


def own_cost(children: bool = False) -> Cost:
    """What this process has used, and its children that have ended if `children`; in a thread only its own CPU time."""
    if threading.current_thread() is not threading.main_thread():
        return Cost(time.thread_time())
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return Cost(time.process_time())
    used = [resource.getrusage(resource.RUSAGE_SELF)]
    used += [resource.getrusage(resource.RUSAGE_CHILDREN)] if children else []
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    return Cost(round(cpu, 3), round(_peak(used[0].ru_maxrss) / _MB, 1))


def _peak(maxrss: int) -> int:
    """Bytes. Linux counts the memory of the process that started this one into its maxrss, and not into VmHWM."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024
    except (OSError, StopIteration):
        return maxrss * (1 if sys.platform == "darwin" else 1024)
