"""The configuration of a run: what was given at its start, and what was added later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trackhub.errors import JournalError
from trackhub.events import Environment, Event, Params
from trackhub.journal.format import decode
from trackhub.layout import RunFolder


def params(folder: RunFolder) -> dict[str, Any]:
    """The whole configuration that the journal holds by now; of two values of one name the later one."""
    found: dict[str, Any] = {}
    for event in sorted(of_kind(folder, "params"), key=lambda one: one.t):
        if isinstance(event, Params):
            found.update(event.params)
    return found


def environment(folder: RunFolder) -> dict[str, Any]:
    """Where the run's latest attempt ran; empty until the supervisor has found out."""
    found: dict[str, Any] = {}
    for event in of_kind(folder, "environment", "supervisor*.jsonl"):
        if isinstance(event, Environment):
            found = event.environment
    return found


def of_kind(folder: RunFolder, kind: str, files: str = "*.jsonl") -> Iterator[Event]:
    """The events of one kind; the other lines, of which there may be millions, are not decoded."""
    begin = f'{{"kind":"{kind}"'.encode()
    for path in sorted(folder.journal.glob(files)):
        for line in _lines(path):
            if line.startswith(begin) and (event := _event(line)) is not None:
                yield event


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _event(line: bytes) -> Event | None:
    try:
        return decode(line)
    except JournalError:
        return None
