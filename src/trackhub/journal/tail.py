"""The complete lines of one growing file, from a position on."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import msgspec

from trackhub.errors import JournalError
from trackhub.events import Event, Header
from trackhub.journal.format import decode, decode_header

CHUNK = 1 << 20


class Position(msgspec.Struct, frozen=True):
    """How far a file was read: behind the line that ends at `offset`, which a checksum recognises again."""

    offset: int = 0
    n: int = 0
    """Ordinal of the last event before `offset`."""
    length: int = 0
    """Bytes of that line, its newline included."""
    crc: int = 0


class Tail:
    """One journal file, read on while it grows.

    Args:
        path: the file; it may not exist yet.
        position: where to go on.

    Raises:
        JournalError: from `read`, if the file is of a newer format.
    """

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self.path = path
        self.position = position or Position()
        self.broken = 0
        """Lines that are no events: torn, zeroed, or not JSON."""
        self.unknown = 0
        """Events of kinds that this version does not know."""
        self.lost: list[str] = []
        """Which events are missing in what was read, in words: damaged, or never written for want of space."""
        self.header: Header | None = None

    def matches(self) -> bool:
        """Whether the file still holds what was read up to the position."""
        if not self.position.offset:
            return True
        try:
            with self.path.open("rb") as file:
                file.seek(self.position.offset - self.position.length)
                line = file.read(self.position.length)
        except OSError:
            return False
        return len(line) == self.position.length and crc32(line) == self.position.crc

    def read(self) -> list[tuple[Event, Position]]:
        """The next events, each with the position behind it; empty at the end of what is complete now."""
        try:
            with self.path.open("rb") as file:
                if self.header is None:
                    self._read_header(file.readline())
                return self._read_on(file)
        except FileNotFoundError:
            return []

    def _read_on(self, file: BinaryIO) -> list[tuple[Event, Position]]:
        """The events of the next chunk that holds any."""
        while True:
            file.seek(self.position.offset)
            chunk = file.read(CHUNK)
            while b"\n" not in chunk and (more := file.read(CHUNK)):
                chunk += more
            if (found := self._events(chunk)) or b"\n" not in chunk:
                return found

    def _read_header(self, line: bytes) -> None:
        if line.endswith(b"\n"):
            try:
                self.header = decode_header(line, str(self.path))
            except JournalError as error:
                if not isinstance(error.__cause__, ValueError):
                    raise
                self.header = Header(trackhub=0, run_id="")

    def _events(self, chunk: bytes) -> list[tuple[Event, Position]]:
        found: list[tuple[Event, Position]] = []
        start = 0
        while (end := chunk.find(b"\n", start) + 1) > 0:
            line = chunk[start:end]
            start = end
            if event := self._step_over(line):
                found.append((event, self.position))
        return found

    def _step_over(self, line: bytes) -> Event | None:
        """Move the position behind `line`, and return its event if it holds one."""
        unknown = self.unknown
        event = self._decoded(line)
        if event is not None:
            self._look_for_a_gap(event.n)
        self.position = Position(
            offset=self.position.offset + len(line),
            n=event.n if event else self.position.n + self.unknown - unknown,
            length=len(line),
            crc=crc32(line),
        )
        return event

    def _look_for_a_gap(self, n: int) -> None:
        """Ordinals count up by one: what is missing between two of them is lost."""
        missing = n - self.position.n - 1
        if missing > 0:
            which = f"event {n - 1} is" if missing == 1 else f"{missing} events up to number {n - 1} are"
            self.lost.append(f"{self.path.name}: {which} lost")

    def torn(self) -> int:
        """Bytes behind the last whole line: of an event that is being written, or never was to its end."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.position.offset)
                rest = file.read(CHUNK)
        except OSError:
            return 0
        return 0 if b"\n" in rest else len(rest)

    def _decoded(self, line: bytes) -> Event | None:
        if line.isspace() or self.position.offset == 0:
            return None
        try:
            event = decode(line)
        except JournalError:
            self.broken += 1
            return None
        self.unknown += event is None
        return event
