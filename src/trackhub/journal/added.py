"""Trackers that a run was given after it had started, by `trackhub sync --to`: from then on they are its own."""

from __future__ import annotations

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


def content(folder: RunFolder, more: dict[str, Added]) -> bytes:
    """What the file says with `more` trackers in it."""
    return msgspec.json.format(msgspec.json.encode({**added(folder), **more}), indent=1)


def forget(folder: RunFolder) -> None:
    """A later attempt says in its own first event which trackers it has."""
    folder.added.unlink(missing_ok=True)
