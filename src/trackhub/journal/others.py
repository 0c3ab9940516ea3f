"""What the journal says of the ranks above 0: which of them run, and how they failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trackhub.errors import JournalError
from trackhub.events import FAILURE, WITHOUT_A_WORD, Header, Message
from trackhub.journal.following import writer_of
from trackhub.journal.state import attempt_of, header, last_events, latest
from trackhub.layout import RunFolder
from trackhub.processes import host, is_alive

_LAUNCHER_ENDS_WITHIN = 60.0
"""Seconds from the failure of one rank to the end of the others: torchrun takes up to 35."""


def without_a_word(folder: RunFolder) -> tuple[str, str]:
    """(status, reason) of a run whose training died without a word: failed, if another rank's failure came before it.

    A launcher ends rank 0 when another rank fails. Where rank 0 logged on for a minute, it was not for that.
    """
    last = max((event.t for event in last_events(latest(folder))), default=0.0)
    told = [event for event in _failures(folder) if last < event.t + _LAUNCHER_ENDS_WITHIN]
    first = min(told, key=lambda event: event.t, default=None)
    return ("killed", WITHOUT_A_WORD) if first is None else ("failed", first.text)


def _failures(folder: RunFolder) -> list[Message]:
    """How ranks above 0 of the latest attempt failed."""
    told = (event for _, path in _files(folder) for event in last_events(path))
    return [event for event in told if isinstance(event, Message) and event.source == FAILURE]


def rank_processes(folder: RunFolder) -> dict[int, int]:
    """The process ids of the ranks above 0 that run on this machine now."""
    found = {}
    for rank, path in _files(folder):
        head = _head(path) if ".pid-" not in path.name else None
        if head is not None and head.host == host() and is_alive(head.pid, head.pid_started):
            found[rank] = head.pid
    return found


def _head(path: Path) -> Header | None:
    try:
        return header(path)
    except JournalError:
        return None


def _files(folder: RunFolder) -> Iterator[tuple[int, Path]]:
    """The journal files of ranks above 0 of the latest attempt."""
    attempt = attempt_of(folder)
    for path in folder.journal.glob("rank-*.jsonl"):
        rank, written_in = writer_of(path.name)
        if rank and written_in == attempt:
            yield rank, path
