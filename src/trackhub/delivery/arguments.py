"""What the hooks get of an event: keys, numbers and parameters that heed the limits, and paths that are absolute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from trackhub.delivery.mapping import Mapper
from trackhub.events import Artifact, Checkpoint, Event, Media, Metrics, Params
from trackhub.journal.following import Item
from trackhub.plugin import Limits, Rejected, Row

Changes = dict[str, str]
"""What was changed for the backend, by the original."""


class Arguments:
    """Makes the arguments of one tracker's hooks.

    Args:
        limits: what the backend takes.
        run: the run folder.
    """

    def __init__(self, limits: Limits, run: Path) -> None:
        self._mapper = Mapper(limits)
        self._run = run

    def row(self, item: Item, ordinal: int) -> tuple[Row | None, Changes]:
        """(the row, what was changed); None where the backend stores none of its numbers."""
        event = item.event
        assert isinstance(event, Metrics)  # noqa: S101 - for the type checker; the caller knows
        metrics, changed = self._mapper.row(_ranked(item, event.metrics))
        return (Row(metrics, event.step, event.t, ordinal, event.source) if metrics else None), changed

    def of(self, item: Item) -> tuple[Any, Changes]:
        """(the argument of the event's hook, what was changed).

        Raises:
            Rejected: the file of the event is gone.
        """
        event: Event = item.event
        if isinstance(event, Params):
            return self._mapper.params(event.params)
        changed: Changes = {}
        if isinstance(event, Media):
            original = _of_rank(item, event.key)
            event = msgspec.structs.replace(event, key=self._mapper.key(original))
            changed = {original: event.key} if event.key != original else {}
        return self._located(event), changed

    def _located(self, event: Event) -> Event:
        if not isinstance(event, Media | Artifact | Checkpoint):
            return event
        path = self._run / event.path
        if not path.exists():
            raise Rejected(f"{event.path} is gone")
        return msgspec.structs.replace(event, path=str(path))


def _of_rank(item: Item, key: str) -> str:
    """What other ranks than 0 log carries their rank in front of the key."""
    return f"rank-{item.rank}/{key}" if item.rank else key


def _ranked(item: Item, metrics: dict[str, Any]) -> dict[str, Any]:
    return {_of_rank(item, key): value for key, value in metrics.items()} if item.rank else metrics
