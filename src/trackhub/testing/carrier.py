"""One delivery in a process of its own, for tests: the real courier, then what the backend holds, read back.

It is what a courier process does, with an answer at its end: so a test may kill it, and its SDK stays out of the test.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Any

import msgspec

from trackhub import making, registry
from trackhub.delivery import courier
from trackhub.delivery import cursor as cursors
from trackhub.delivery.attempts import Parked
from trackhub.delivery.context import RunContext
from trackhub.delivery.facade import Tracker
from trackhub.errors import TrackhubError
from trackhub.journal.format import spell
from trackhub.layout import RunFolder

Points = dict[str, list[tuple[int, Any, float]]]


class Errand(msgspec.Struct, kw_only=True):
    """What a carrier is to do."""

    folder: str
    name: str
    source: str
    options: dict[str, Any] = {}
    path: list[str] = []
    """Folders behind the import path: where a test's own modules lie."""
    keys: list[str] = []
    """The metrics to read back, as the backend calls them."""
    flush_every: float = courier.FLUSH_EVERY
    """Seconds between two flushes; 0 for one after each batch."""


class Answer(msgspec.Struct, kw_only=True):
    """What came of it."""

    outcome: str
    """done, stopped or parked."""
    reason: str = ""
    points: Points = {}


def main() -> None:
    """Deliver as asked for on standard input, and answer on standard output."""
    answer = os.dup(1)
    os.dup2(2, 1)
    errand = msgspec.json.decode(sys.stdin.buffer.readline(), type=Errand)
    sys.path += errand.path
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    os.write(answer, msgspec.json.encode(_deliver(errand)))
    logging.shutdown()
    os._exit(0)


def _deliver(errand: Errand) -> Answer:
    folder = RunFolder(errand.folder)
    courier.FLUSH_EVERY = errand.flush_every
    try:
        plugin_class = registry.load(errand.name, errand.source)

        def make() -> object:
            return making.make(errand.name, plugin_class, errand.options)

        done = courier.Courier(folder, errand.name, make, lambda _word: None, threading.Event()).deliver()
    except (Parked, TrackhubError) as error:
        return Answer(outcome="parked", reason=str(error))
    points = _read_back(folder, errand.name, make(), errand.keys)
    return Answer(outcome="done" if done else "stopped", points=points)


def _read_back(folder: RunFolder, name: str, plugin: object, keys: list[str]) -> Points:
    """What the backend holds, asked through a fresh instance."""
    tracker = Tracker(name, plugin)
    if not keys or not tracker.has("read_back"):
        return {}
    cursor = cursors.load(folder.cursor(name), name)
    tracker.on_run_start(RunContext(folder, cursor), cursor.state)
    points = {key: tracker.read_back(key) for key in keys}
    return {
        key: [(step, spell(value) if isinstance(value, float) else value, t) for step, value, t in found]
        for key, found in points.items()
    }
