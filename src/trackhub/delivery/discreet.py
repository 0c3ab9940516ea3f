"""What plugins and SDKs print goes to ``delivery/delivery.log`` without credentials. What C code writes passes by."""

from __future__ import annotations

import sys
import threading
from typing import Any

from trackhub.secrets import LineByLine

NAMES = ("stdout", "stderr")


def be_discreet() -> None:
    """Put this process's standard streams behind one that hides credentials, line by line."""
    for name in NAMES:
        setattr(sys, name, _Discreet(getattr(sys, name)))


class _Discreet:
    """A text stream that writes whole lines, redacted; what is no whole line yet waits for its end, or for a flush."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines = LineByLine()
        self._rest = ""
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Take `text`, and write the lines that it completes."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._stream.write(self._lines.redact(line) + "\n")
        return len(text)

    def writelines(self, lines: Any) -> None:
        """`write` each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write also what is no whole line."""
        with self._lock:
            rest, self._rest = self._rest, ""
            if rest:
                self._stream.write(self._lines.redact(rest))
            self._stream.flush()
