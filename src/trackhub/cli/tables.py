"""The tables that more than one command shows."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from trackhub.cli.console import table
from trackhub.delivery.receipt import Receipt

_COLOURS = {"delivered": "green", "parked": "red", "backing off": "yellow", "stopped": "yellow", "waiting": "yellow"}


def receipt_table(receipts: Iterable[Receipt], title: str | None = None) -> Table:
    """What each tracker has confirmed; a tracker that has everything is green."""
    columns = ("logged", "delivered", "mapped", "rejected", "lag")
    made = table("tracker", "state", *columns, "repeats after a crash", "note", title=title, numbers=columns)
    for receipt in receipts:
        counts = (str(getattr(receipt, column)) for column in columns)
        made.add_row(receipt.tracker, _state(receipt), *counts, _repeats(receipt), escape(_note(receipt)))
    return made


def progress_table(receipts: Iterable[Receipt]) -> Table:
    """A line per tracker while somebody waits for it."""
    made = Table.grid(padding=(0, 2))
    for receipt in receipts:
        share = receipt.delivered / receipt.logged if receipt.logged else 0.0
        bar = ("━" * round(30 * share)).ljust(30, "╌")
        made.add_row(
            receipt.tracker, bar, f"{receipt.delivered}/{receipt.logged}", _state(receipt), escape(_note(receipt))
        )
    return made


def _state(receipt: Receipt) -> str:
    colour = "yellow" if receipt.rejected else _COLOURS.get(receipt.state, "cyan")
    return f"[{colour}]{receipt.state}[/{colour}]"


def _repeats(receipt: Receipt) -> str:
    return f"no ({receipt.rule})" if receipt.rule else "may repeat" if receipt.delivered else ""


def _note(receipt: Receipt) -> str:
    if receipt.reason:
        return receipt.reason
    if receipt.rejections:
        return f"set aside: {receipt.rejections[0]}"
    return receipt.told[-1] if receipt.told else receipt.where
