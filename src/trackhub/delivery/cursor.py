"""How far a courier has got, and its receipt: one file per tracker, written in one atomic step.

`safe` is what survives a crash: from there a new courier goes on. `handed` is what the tracker has been given;
it runs ahead of `safe` where the plugin has not sealed it yet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from trackhub.delivery.cost import Cost
from trackhub.errors import JournalError
from trackhub.events import FORMAT
from trackhub.journal.format import escape_key, jsonable
from trackhub.journal.tail import Position

KEPT = 100
"""Rejections and mappings that are kept word for word; the rest is counted."""


class Rejection(msgspec.Struct):
    """An event that the tracker refused."""

    file: str
    n: int
    what: str
    reason: str


class Progress(msgspec.Struct):
    """How far, and what became of it."""

    positions: dict[str, Position] = {}
    ordinal: int = 0
    """Events handed over so far: the ordinal of the last one."""
    delivered: int = 0
    mapped_values: int = 0
    mapped: dict[str, str] = {}
    """What the tracker calls a key, or how a value was changed, by the original key."""
    rejected: int = 0
    rejections: list[Rejection] = []
    left: dict[str, int] = {}
    """Files that the tracker was not given, by what they are: they stay in the run folder."""
    ending: str = ""
    """The status that the journal ended with, as soon as that was read: the tracker may not have been told yet."""
    ended: str = ""
    """The final status that the tracker was told."""
    rewinds: int = 0
    """Attempts up to this one have had their rewind told."""

    def copy(self) -> Progress:
        """An independent copy."""
        fields = {"positions": dict(self.positions), "mapped": dict(self.mapped), "rejections": list(self.rejections)}
        fields["left"] = dict(self.left)
        return msgspec.structs.replace(self, **fields)

    def add_rejection(self, file: str, n: int, what: str, reason: str) -> None:
        """Count one rejection, and keep its words while there is room."""
        self.rejected += 1
        if len(self.rejections) < KEPT:
            self.rejections.append(Rejection(file, n, jsonable(what), jsonable(reason)))

    def add_left(self, what: str, count: int = 1) -> None:
        """Count a file that stays in the run folder; -1 for one that was handed over after all."""
        self.left[what] = self.left.get(what, 0) + count
        if not self.left[what]:
            del self.left[what]

    def add_mapping(self, original: str, mapped: str) -> None:
        """Keep how `original` was mapped, while there is room."""
        if len(self.mapped) < KEPT:
            self.mapped[escape_key(original)[:500]] = mapped[:600]


class Cursor(msgspec.Struct):
    """The content of ``delivery/<tracker>.json``."""

    tracker: str
    trackhub: int = FORMAT
    run_id: str = ""
    safe: Progress = msgspec.field(default_factory=Progress)
    handed: Progress = msgspec.field(default_factory=Progress)
    state: Any = None
    """What the plugin's last `flush` returned."""
    remembered: dict[str, Any] = {}
    rule: str = ""
    takes: list[str] = []
    """What the tracker takes, in the words of `delivery.subjects`."""
    told: list[str] = []
    """What a user should know: rebuilds, broken lines, the last failures."""
    cost: Cost = Cost()
    """What its couriers have used so far."""
    updated: float = 0.0

    def tell(self, line: str) -> None:
        """Keep a line for the user, the latest twenty."""
        if line not in self.told:
            self.told = [*self.told[-19:], line]


def load(path: Path, tracker: str) -> Cursor:
    """The cursor on disk, or a new one.

    Raises:
        JournalError: it cannot be read, or is of a newer format.
    """
    try:
        cursor = msgspec.json.decode(path.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return Cursor(tracker=tracker)
    except (OSError, msgspec.DecodeError) as error:
        raise JournalError(
            f"the cursor {path} cannot be read: {error}. Move it away to deliver from the start"
        ) from error
    if cursor.trackhub > FORMAT:
        raise JournalError(f"{path} is of a newer format: pip install --upgrade trackhub-ml")
    return cursor


def store(path: Path, cursor: Cursor) -> None:
    """Put the cursor on disk: all of it or nothing of it, whatever is killed."""
    cursor.updated = time.time()
    write_atomically(path, msgspec.json.format(msgspec.json.encode(cursor), indent=1))


def write_atomically(path: Path, content: bytes | Iterable[bytes], sync: bool = True) -> None:
    """Replace `path` by `content`, whole or in parts, in one step: through a temporary file that is synced first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:  # never through a link that lies there
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
