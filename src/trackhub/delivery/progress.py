"""A line per tracker while somebody waits: how much of the run it has, and what it is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from trackhub.delivery.receipt import Receipt, receipts
from trackhub.layout import RunFolder

if TYPE_CHECKING:
    from rich.live import Live


class Progress:
    """Progress lines on standard error; nothing is drawn, nor rich imported, before `show`."""

    def __init__(self, folder: RunFolder, trackers: tuple[str, ...]) -> None:
        self._folder = folder
        self._trackers = trackers
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self.show()
            self._live.stop()

    def show(self) -> list[Receipt]:
        """Draw the lines as they are now, and return the receipts they show."""
        from rich.console import Console
        from rich.live import Live

        from trackhub.cli.tables import progress_table

        found = receipts(self._folder, self._trackers)
        if self._live is None:
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(progress_table(found), refresh=True)
        return found
