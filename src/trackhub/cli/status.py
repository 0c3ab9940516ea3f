"""`trackhub status RUN...`: the receipt of each tracker."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trackhub.cli.common import add_json, add_runs_dir, print_json

if TYPE_CHECKING:
    from trackhub.delivery.receipt import Receipt
    from trackhub.journal.state import State
    from trackhub.layout import RunFolder


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("run", nargs="+", metavar="RUN", help="run folders, or names under the runs folder")
    add_runs_dir(command)
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """Show the receipts: with ``--json`` one object, or a list of them for several runs."""
    from trackhub.delivery.receipt import receipts
    from trackhub.journal.state import state
    from trackhub.layout import find_run

    folders = [find_run(one, arguments.runs_dir) for one in arguments.run]
    found = [(folder, state(folder), receipts(folder)) for folder in folders]
    if arguments.json:
        told = [{"run": now, "trackers": trackers} for _, now, trackers in found]
        print_json(told if len(told) > 1 else told[0])
        return 0
    for folder, now, trackers in found:
        _show(folder, now, trackers)
    return 0


def _show(folder: RunFolder, now: State, trackers: list[Receipt]) -> None:
    from rich.markup import escape

    from trackhub.cli.console import console
    from trackhub.cli.tables import receipt_table

    reason = f" ({escape(now.reason)})" if now.reason else ""
    console.print(f"[bold]{escape(now.name)}[/bold] {now.status}{reason}, last step {now.last_step}, at {folder.path}")
    console.print(receipt_table(trackers))
    if any(not receipt.complete for receipt in trackers) and now.status != "running":
        console.print(f"Deliver the rest: trackhub sync {folder.path}", soft_wrap=True)
