"""What waits in memory while the disk takes nothing: bounded, in order, and counted when it overflows."""

from __future__ import annotations

from collections import deque
from time import monotonic

LIMIT = 64 * 1024 * 1024
"""Bytes kept in memory. Past it the newest events are dropped and counted."""
RETRY_AFTER = 0.5
"""Seconds between two tries to write, so that a full disk costs the training next to nothing."""


class Backlog:
    """Lines that could not be written, the oldest first; the first may be the rest of a line cut short."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.dropped = 0
        self._limit = limit
        self.lines: deque[bytes] = deque()
        """What waits; empty nearly always, and asked before every write."""
        self._bytes = 0
        self._next_try = 0.0

    def add(self, line: bytes) -> None:
        """Keep `line`, or count it as dropped where there is no room left."""
        if self._bytes + len(line) > self._limit:
            self.dropped += 1
            return
        self.lines.append(line)
        self._bytes += len(line)

    def due(self) -> bool:
        """Whether it is time for another try."""
        return monotonic() >= self._next_try

    def put_off(self) -> None:
        """The disk still takes nothing: wait before the next try."""
        self._next_try = monotonic() + RETRY_AFTER

    def first(self) -> bytes:
        """The line to be written next."""
        return self.lines[0]

    def written(self, count: int) -> None:
        """`count` bytes of the first line are on disk."""
        line = self.lines.popleft()
        self._bytes -= count
        if count < len(line):
            self.lines.appendleft(line[count:])
