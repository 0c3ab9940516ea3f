"""A line per run and tracker while somebody waits: how much of the journal it has got, and what it is doing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from trackhub.delivery.glance import Glance, glance
from trackhub.layout import RunFolder

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live
    from rich.table import Table

EVERY = 0.1
"""Seconds between two drawings; four times what the last one took, where that is more."""
BAR = 20
"""Columns of a bar."""


class Progress:
    """Progress lines on standard error; nothing is drawn, nor rich imported, before `show`.

    Args:
        folder: a run to watch from the beginning on; None for none yet.
        trackers: those of its trackers to show.
        total: how many runs there are in all; with more than one they are counted.
    """

    def __init__(self, folder: RunFolder | None = None, trackers: tuple[str, ...] = (), total: int = 1) -> None:
        self._watched = {folder: trackers} if folder is not None else {}
        self._total = total
        self._done = 0
        self._live: Live | None = None
        self._next = 0.0

    def add(self, folder: RunFolder, trackers: tuple[str, ...]) -> None:
        """Watch another run; any thread may."""
        self._watched[folder] = trackers

    def remove(self, folder: RunFolder) -> None:
        """A run is done."""
        self._watched.pop(folder, None)
        self._done += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self) -> None:
        """Draw the lines as they are now, seldom enough."""
        begin = time.monotonic()
        if begin < self._next:
            return
        self._draw()
        self._next = time.monotonic() + max(EVERY, 4 * (time.monotonic() - begin))

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._lines(), refresh=True)

    def _lines(self) -> Group:
        several = self._total > 1
        watched = [(folder.path.name, glance(folder, names)) for folder, names in list(self._watched.items())]
        return progress_lines(watched, f"{self._done} of {self._total} runs done" if several else "")


def progress_lines(runs: list[tuple[str, list[Glance]]], below: str) -> Group:
    """A line per run and tracker while somebody waits for them, and a line below; one run alone is not named."""
    from rich.console import Group
    from rich.text import Text

    width = max((len(one.tracker) for _, trackers in runs for one in trackers), default=0)
    lines: list[Table | Text] = []
    for run, trackers in runs:
        lines += [Text(run, style="bold", no_wrap=True, overflow="ellipsis")] if below else []
        lines.append(_bars(trackers, width))
    return Group(*lines, *([Text(below)] if below else []))


def _bars(trackers: list[Glance], width: int) -> Table:
    from rich.table import Table

    from trackhub.showing.words import coloured, plain

    made = Table.grid(padding=(0, 2), expand=True)
    for wide in (width, BAR):
        made.add_column(width=wide, no_wrap=True)
    for wide in (4, 9):
        made.add_column(width=wide, no_wrap=True, justify="right")
    made.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for one in trackers:
        bar = ("━" * round(BAR * one.share)).ljust(BAR, "╌")
        words = f"{coloured(one.state)} {plain(one.reason)}".rstrip()
        made.add_row(one.tracker, bar, f"{one.share:.0%}", str(one.delivered), words)
    return made
