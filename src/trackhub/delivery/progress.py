"""A line per tracker while somebody waits: how much of the run it has, and what it is doing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from trackhub.delivery.receipt import receipts
from trackhub.layout import RunFolder

if TYPE_CHECKING:
    from rich.live import Live


EVERY = 0.1
"""Seconds between two drawings; four times what the last one took, where that is more."""


class Progress:
    """Progress lines on standard error; nothing is drawn, nor rich imported, before `show`."""

    def __init__(self, folder: RunFolder, trackers: tuple[str, ...]) -> None:
        self._folder = folder
        self._trackers = trackers
        self._live: Live | None = None
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self) -> None:
        """Draw the lines as they are now; seldom enough that looking does not compete with the delivery."""
        begin = time.monotonic()
        if begin < self._next:
            return
        self._draw()
        self._next = time.monotonic() + max(EVERY, 4 * (time.monotonic() - begin))

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        from trackhub.cli.tables import progress_table

        found = receipts(self._folder, self._trackers)
        if self._live is None:
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(progress_table(found), refresh=True)
