"""Trackers that a run was given after it had started, by `trackhub sync --to`: from then on they are its own."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from trackhub.layout import RunFolder


class Added(msgspec.Struct):
    """One such tracker. `options` holds no secrets."""

    options: dict[str, Any] = {}
    source: str = ""


def added(folder: RunFolder) -> dict[str, Added]:
    """By name; those of the run's latest attempt."""
    try:
        return msgspec.json.decode(folder.added.read_bytes(), type=dict[str, Added])
    except (OSError, msgspec.DecodeError):
        return {}


def add(folder: RunFolder, more: dict[str, Added]) -> None:
    """Remember trackers, in one atomic step."""
    content = msgspec.json.format(msgspec.json.encode({**added(folder), **more}), indent=1)
    folder.added.parent.mkdir(parents=True, exist_ok=True)
    new = folder.added.with_name(f".added.{os.getpid()}.tmp")
    new.write_bytes(content)
    new.replace(folder.added)


def forget(folder: RunFolder) -> None:
    """A later attempt says in its own first event which trackers it has."""
    folder.added.unlink(missing_ok=True)
