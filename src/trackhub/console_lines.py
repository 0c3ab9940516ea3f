"""What a training prints, as messages in its journal: whole lines of standard output and standard error, on request.

What C code writes to the descriptors passes by. Of a progress bar, which goes back to the start of its line, only its
last state counts.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

LONGEST = 10_000
"""Characters of one line that are kept."""
NAMES = ("stdout", "stderr")


class ConsoleLines:
    """Passes on what is printed, and takes each line.

    Args:
        take: called with (line, "stdout" or "stderr") for each line that is not empty.
    """

    def __init__(self, take: Callable[[str, str], None]) -> None:
        self._copies = {name: _Copy(getattr(sys, name), name, take) for name in NAMES}
        for name, copy in self._copies.items():
            setattr(sys, name, copy)

    def stop(self) -> None:
        """Give the streams back, and take what was printed without a newline."""
        for name, copy in self._copies.items():
            if getattr(sys, name) is copy:
                setattr(sys, name, copy.stream)
            copy.end()


class _Copy:
    """A text stream that does what `stream` does, and hands over its lines."""

    def __init__(self, stream: Any, name: str, take: Callable[[str, str], None]) -> None:
        self.stream = stream
        self._name = name
        self._take = take
        self._rest = ""
        self._busy = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write `text`, then hand over the lines that it completes."""
        written: int = self.stream.write(text)
        if not getattr(self._busy, "now", False):  # what is told while a line is taken is not taken again
            self._busy.now = True
            try:
                *lines, self._rest = (self._rest + text)[-LONGEST * 10 :].split("\n")
                self._hand_over(lines)
            finally:
                self._busy.now = False
        return written

    def writelines(self, lines: Any) -> None:
        """`write` each."""
        for line in lines:
            self.write(line)

    def end(self) -> None:
        """Hand over a last line without a newline."""
        self._hand_over([self._rest])
        self._rest = ""

    def _hand_over(self, lines: list[str]) -> None:
        for line in lines:
            shown = line.rstrip("\r").rpartition("\r")[2].rstrip()
            if shown:
                self._take(shown[:LONGEST], self._name)
