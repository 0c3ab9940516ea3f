"""`trackhub status RUN`: the receipt of each tracker."""

from __future__ import annotations

import argparse

from trackhub.cli.common import add_json, add_runs_dir, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("run", metavar="RUN", help="a run folder, or a run's name under the runs folder")
    add_runs_dir(command)
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """Show the receipts."""
    from trackhub.delivery.receipt import receipts
    from trackhub.journal.state import state
    from trackhub.layout import find_run

    folder = find_run(arguments.run, arguments.runs_dir)
    now, found = state(folder), receipts(folder)
    if arguments.json:
        print_json({"run": now, "trackers": found})
        return 0
    from rich.markup import escape

    from trackhub.cli.console import console
    from trackhub.cli.tables import receipt_table

    reason = f" ({escape(now.reason)})" if now.reason else ""
    console.print(f"[bold]{escape(now.name)}[/bold] {now.status}{reason}, last step {now.last_step}, at {folder.path}")
    console.print(receipt_table(found))
    if any(not receipt.complete for receipt in found) and now.status != "running":
        console.print(f"Deliver the rest: trackhub sync {folder.path}")
    return 0
