"""The tables that more than one command shows."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from trackhub.cli.console import console, table
from trackhub.delivery.receipt import Receipt

WIDE = 110
"""Columns from which on there is room for more than the numbers."""
_COLOURS = {"delivered": "green", "parked": "red", "backing off": "yellow", "stopped": "yellow", "waiting": "yellow"}


def receipt_table(receipts: Iterable[Receipt], title: str | None = None) -> Table:
    """What each tracker has confirmed; a tracker that has everything is green. A narrow screen gets the numbers."""
    counts = ("logged", "delivered", "mapped", "rejected", "lag")
    wide = console.width >= WIDE
    made = table("tracker", "state", *counts, *(["after a crash"] if wide else []), "note", title=title, numbers=counts)
    for receipt in receipts:
        numbers = (str(getattr(receipt, count)) for count in counts)
        rule = [_repeats(receipt)] if wide else []
        made.add_row(receipt.tracker, _state(receipt), *numbers, *rule, escape(_note(receipt, wide)))
    return made


def progress_table(receipts: Iterable[Receipt]) -> Table:
    """A line per tracker while somebody waits for it."""
    made = Table.grid(padding=(0, 2))
    for receipt in receipts:
        share = receipt.delivered / receipt.logged if receipt.logged else 0.0
        bar = ("━" * round(30 * share)).ljust(30, "╌")
        made.add_row(
            receipt.tracker,
            bar,
            f"{receipt.delivered}/{receipt.logged}",
            _state(receipt),
            escape(_note(receipt, wide=False)),
        )
    return made


def _state(receipt: Receipt) -> str:
    colour = "yellow" if receipt.rejected else _COLOURS.get(receipt.state, "cyan")
    return f"[{colour}]{receipt.state}[/{colour}]"


def _repeats(receipt: Receipt) -> str:
    return f"once ({receipt.rule})" if receipt.rule else "may repeat" if receipt.delivered else ""


def _note(receipt: Receipt, wide: bool) -> str:
    if receipt.reason:
        return receipt.reason
    if receipt.rejections:
        return f"set aside: {receipt.rejections[0]}"
    return receipt.told[-1] if receipt.told else receipt.where if wide else ""
