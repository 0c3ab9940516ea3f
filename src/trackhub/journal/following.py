"""All journal files of a run as one stream: merged by time, each file in its own order, rewinds applied.

`Follower` and `read` are the only readers of a whole run; couriers, status, reports and imports all use them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from trackhub.events import Batch, Checkpoint, Event, Media, Metrics, Rewind, RunStarted
from trackhub.journal.format import restored, unescape_key
from trackhub.journal.tail import Position, Tail
from trackhub.layout import RunFolder

STEPPED = Metrics | Media | Checkpoint | Batch
"""Events that belong to a step: a rewind to before it takes them back."""
_WRITER = re.compile(r"rank-(\d+)(?:\.(\d+))?(?:\.pid-\d+)?\.jsonl")


class Item(msgspec.Struct, frozen=True):
    """One event of a run: from which file, and the position behind it."""

    file: str
    event: Event
    position: Position
    rank: int = 0
    attempt: int = 0


class Follower:
    """Reads a run's journal on while it grows.

    Args:
        folder: the run.
        positions: where to go on, by file name; from the beginning for files that are not named.
        view: "effective" leaves out what a rewind took back; "raw" keeps it.
    """

    def __init__(
        self, folder: RunFolder, positions: Mapping[str, Position] | None = None, view: str = "effective"
    ) -> None:
        self.folder = folder
        self._given = dict(positions or {})
        self._tails: dict[str, Tail] = {}
        self._buffers: dict[str, deque[Item]] = {}
        self._effective = view == "effective"
        self.rewinds = rewinds(folder) if self._effective else {}
        """The step that each resumed attempt went back to."""

    @property
    def broken(self) -> int:
        """Lines that are no events, so far."""
        return sum(tail.broken for tail in self._tails.values())

    @property
    def unknown(self) -> int:
        """Events of unknown kinds, so far."""
        return sum(tail.unknown for tail in self._tails.values())

    def losses(self, ended: bool = False) -> list[str]:
        """What of the journal cannot be read, in words, so far.

        Args:
            ended: nobody writes any more: then a line without an end is lost, too.
        """
        found = [words for tail in self._tails.values() for words in tail.lost]
        torn = [(name, tail.torn()) for name, tail in self._tails.items()] if ended else []
        return found + [f"{name}: its last {size} bytes are no whole event" for name, size in torn if size]

    def mismatches(self) -> list[str]:
        """Files that do not hold what was read of them before: cut by a power failure, or changed."""
        return [name for name in self._given if not self._tail(name).matches()]

    def end_of(self, name: str) -> Position:
        """The position behind everything that a file holds now."""
        tail = Tail(self.folder.journal / name)
        while tail.read():
            pass
        return tail.position

    def read(self, limit: int = 1000) -> list[Item]:
        """The next events, at most `limit`; empty when everything that is complete was read."""
        items: list[Item] = []
        self._fill()
        while len(items) < limit and (item := self._next()):
            if self._counts(item):
                items.append(item)
        return items

    def _fill(self) -> None:
        for path in sorted(self.folder.journal.glob("*.jsonl")):
            self._refill(path.name)

    def _refill(self, name: str) -> None:
        buffer = self._buffers.setdefault(name, deque())
        if not buffer:
            rank, attempt = writer_of(name)
            for event, position in self._tail(name).read():
                buffer.append(Item(name, _plain(event), position, rank, attempt))

    def _next(self) -> Item | None:
        """The oldest event at the head of any buffer; a buffer that runs empty is filled again first."""
        heads = [buffer[0] for buffer in self._buffers.values() if buffer]
        if not heads:
            return None
        item = min(heads, key=lambda head: head.event.t)
        self._buffers[item.file].popleft()
        self._refill(item.file)
        return item

    def _tail(self, name: str) -> Tail:
        if name not in self._tails:
            self._tails[name] = Tail(self.folder.journal / name, self._given.get(name))
        return self._tails[name]

    def _counts(self, item: Item) -> bool:
        """Whether no later attempt went back to before this event's step."""
        event = item.event
        if isinstance(event, Rewind) and self._effective:
            self.rewinds.setdefault(item.attempt, event.step)
        if not self.rewinds or not isinstance(event, STEPPED) or item.file == "supervisor.jsonl":
            return True
        return not any(attempt > item.attempt and event.step > step for attempt, step in self.rewinds.items())


def _plain(event: Event) -> Event:
    """Metrics and keys as they were logged, instead of how the journal spells them."""
    if isinstance(event, Metrics | Checkpoint) and _is_spelled(event.metrics):
        return msgspec.structs.replace(event, metrics=restored(event.metrics))
    if isinstance(event, Media) and (key := unescape_key(event.key)) != event.key:
        return msgspec.structs.replace(event, key=key)
    return event


def _is_spelled(metrics: Mapping[str, object]) -> bool:
    return str in map(type, metrics.values()) or any(key.startswith("surrogate-escaped:") for key in metrics)


def writer_of(name: str) -> tuple[int, int]:
    """(rank, attempt) of a journal file, by its name; the supervisor counts as rank 0."""
    match = _WRITER.fullmatch(name)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def rewinds(folder: RunFolder) -> dict[int, int]:
    """The step that each resumed attempt went back to: the first thing that its file says."""
    found: dict[int, int] = {}
    for path in folder.journal.glob("rank-0.*.jsonl"):
        for event, _ in Tail(path).read()[:5]:
            if isinstance(event, Rewind):
                found.setdefault(writer_of(path.name)[1], event.step)
    return found


def read(run: str | Path | RunFolder, view: str = "effective") -> Iterator[Event]:
    """Every event of a run, merged over its files, in the order of time.

    Args:
        run: the run folder.
        view: "effective" leaves out what a rewind took back; "raw" keeps it.
    """
    follower = Follower(run if isinstance(run, RunFolder) else RunFolder(run), view=view)
    while items := follower.read():
        for item in items:
            yield item.event


def first_start(folder: RunFolder, attempt: int = 0) -> RunStarted | None:
    """What the run was started with, or resumed with."""
    for event, _ in Tail(folder.rank_journal(0, attempt)).read()[:5]:
        if isinstance(event, RunStarted):
            return event
    return None
