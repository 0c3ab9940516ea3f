"""What a run's journal says about the run as a whole, from the heads and tails of its files: no full read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from trackhub import locks
from trackhub.errors import JournalError
from trackhub.events import Batch, Event, Header, Metrics, RunEnded, RunStarted
from trackhub.journal.added import Added, added
from trackhub.journal.following import first_start, rewinds, writer_of
from trackhub.journal.format import decode, decode_header
from trackhub.layout import RunFolder
from trackhub.processes import host, is_alive

_TAIL = 1 << 16
_END = 1 << 14
"""Bytes that hold the end of a run, whatever its reason says."""


class State(msgspec.Struct):
    """A run at a glance."""

    id: str
    name: str
    status: str
    """running, finished, failed or killed; killed also where nobody has written so yet."""
    reason: str
    started: float
    ended: float
    """Unix seconds; 0.0 while it runs."""
    last_step: int
    attempt: int
    pid: int
    project: str = "default"
    trackers: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    notes: str | None = None
    group: str | None = None
    job_type: str | None = None
    best: dict[str, str] = {}


def state(folder: RunFolder) -> State:
    """The state of a run.

    Raises:
        JournalError: its journal has no readable header.
    """
    file = latest(folder)
    head = header(file)
    end = ended(folder)
    status = end.status if end else ("running" if writer_alive(folder) else "killed")
    return State(
        id=head.run_id,
        name=folder.path.name,
        status=status,
        reason=end.reason if end else "",
        started=header(folder.rank_journal(0)).started,
        ended=end.t if end else 0.0,
        last_step=_last_step(folder),
        attempt=head.attempt,
        pid=head.pid,
        **_as_started(first_start(folder), first_start(folder, head.attempt), added(folder)),
    )


def _as_started(first: RunStarted | None, latest: RunStarted | None, later: dict[str, Added]) -> dict[str, Any]:
    """What the run was started with; a resume may have changed its trackers, and a sync may have added some."""
    fixed = (
        {name: getattr(first, name) for name in ("project", "tags", "notes", "group", "job_type", "best")}
        if first
        else {}
    )
    start = latest or first
    if start is None:
        return fixed
    return fixed | {
        "trackers": tuple(dict.fromkeys((*start.trackers, *later))),
        "options": {**{name: one.options for name, one in later.items()}, **start.options},
        "sources": {**{name: one.source for name, one in later.items() if one.source}, **start.sources},
    }


def _last_step(folder: RunFolder) -> int:
    """The last step that counts: of the latest attempt that logged one, on any rank, or that went back to one."""
    back = rewinds(folder)
    for attempt in range(attempt_of(folder), -1, -1):
        files = [path for path in folder.journal.glob("rank-*.jsonl") if writer_of(path.name)[1] == attempt]
        steps = [event.step for path in files for event in last_events(path) if isinstance(event, Metrics | Batch)]
        if steps or attempt in back:
            return max(steps, default=back.get(attempt, -1))
    return -1


def attempt_of(folder: RunFolder) -> int:
    """The number of the latest attempt; 0 for a run that was never resumed."""
    return writer_of(latest(folder).name)[1]


def latest(folder: RunFolder) -> Path:
    """The journal file of rank 0's latest attempt."""
    files = [path for path in folder.journal.glob("rank-0*.jsonl") if ".pid-" not in path.name]
    return max(files, key=lambda path: writer_of(path.name)[1], default=folder.rank_journal(0))


def header(file: Path) -> Header:
    """The header of a journal file.

    Raises:
        JournalError: there is none, or of a newer format.
    """
    try:
        with file.open("rb") as lines:
            return decode_header(lines.readline(), str(file))
    except OSError as error:
        raise JournalError(f"the journal {file} cannot be read: {error.strerror}") from error


def ended(folder: RunFolder) -> RunEnded | None:
    """How the latest attempt ended, by its own word or by the supervisor's."""
    file = latest(folder)
    since = header(file).started
    events = last_events(file) + [event for event in last_events(folder.supervisor_journal) if event.t >= since]
    return next((event for event in reversed(events) if isinstance(event, RunEnded)), None)


def says_ended(file: Path) -> bool:
    """Whether the last line of a file is the end of the run; cheap enough to be asked many times a second."""
    try:
        with file.open("rb") as lines:
            lines.seek(max(0, lines.seek(0, 2) - _END))
            return b'"kind":"run_ended"' in lines.read()
    except OSError:
        return False


def last_events(file: Path) -> list[Event]:
    """The events in the last 64 kB of a file, or more if a line is longer; none if it does not exist."""
    try:
        with file.open("rb") as lines:
            chunk = _whole_lines(lines, lines.seek(0, 2))
    except OSError:
        return []
    return [event for line in chunk.split(b"\n") if (event := _decoded(line)) is not None]


def _whole_lines(file: BinaryIO, size: int, tail: int = _TAIL) -> bytes:
    file.seek(max(0, size - tail))
    chunk = file.read()
    return chunk if tail >= size or chunk.count(b"\n") > 1 else _whole_lines(file, size, tail * 4)


def _decoded(line: bytes) -> Event | None:
    try:
        return decode(line)
    except JournalError:
        return None


def writer_alive(folder: RunFolder) -> bool:
    """Whether the process that writes rank 0's latest attempt lives: by its lock, or by its pid."""
    return is_written(latest(folder))


def is_written(file: Path) -> bool:
    """Whether a living process writes this journal file."""
    held = locks.is_locked(file)
    if held is not None:
        return held
    head = header(file)
    return head.host != host() or is_alive(head.pid, head.pid_started)
