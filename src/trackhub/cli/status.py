"""`trackhub status RUN...`: the receipt of each tracker, what the run costs, and with --verify what trackers hold."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from trackhub.cli.common import add_json, add_runs_dir, add_tracker_options, print_json

if TYPE_CHECKING:
    from trackhub.checking.verify import Verified
    from trackhub.delivery.cost_of_calls import RunCost
    from trackhub.delivery.receipt import Receipt
    from trackhub.journal.state import State
    from trackhub.layout import RunFolder


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("run", nargs="+", metavar="RUN", help="run folders, or names under the runs folder")
    command.add_argument(
        "--verify",
        action="store_true",
        help="ask each tracker what it holds, and compare every point with the journal; exit 1 if they differ",
    )
    add_tracker_options(command)
    add_runs_dir(command)
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """Show the receipts: with ``--json`` one object, or a list of them for several runs. Returns 1 if one disagrees."""
    from trackhub.delivery.cost_of_calls import costs
    from trackhub.delivery.receipt import receipts
    from trackhub.journal.state import state
    from trackhub.layout import find_run
    from trackhub.settings import parse_tracker_options

    options = parse_tracker_options(arguments.tracker_opt)
    told, good = [], True
    for folder in [find_run(one, arguments.runs_dir) for one in arguments.run]:
        now, trackers = state(folder), receipts(folder)
        cost = costs(folder, trackers)
        told.append({"run": now, "trackers": trackers, "cost": cost})
        if not arguments.json:
            _show(folder, now, trackers, cost)
        if arguments.verify:
            verified = told[-1]["verified"] = _verify(folder, options, arguments.json)
            good = good and verified is not None and all(one.agrees for one in verified)
    if arguments.json:
        print_json(told if len(told) > 1 else told[0])
    return 0 if good else 1


def _show(folder: RunFolder, now: State, trackers: list[Receipt], cost: RunCost) -> None:
    from rich.markup import escape

    from trackhub.cli.tables import cost_line, receipt_table
    from trackhub.showing.console import console

    reason = f" ({escape(now.reason)})" if now.reason else ""
    console.print(f"[bold]{escape(now.name)}[/bold] {now.status}{reason}, last step {now.last_step}, at {folder.path}")
    console.print(receipt_table(trackers))
    if line := cost_line(cost):
        console.print(line)
    if any(not receipt.complete for receipt in trackers) and now.status != "running":
        console.print(f"Deliver the rest: trackhub sync {folder.path}", soft_wrap=True)


def _verify(folder: RunFolder, options: dict[str, dict[str, Any]], as_json: bool) -> list[Verified] | None:
    """What the trackers hold, shown; None where it cannot be asked now."""
    from trackhub.checking.verify import verify_all
    from trackhub.errors import ConfigError, TrackhubError

    try:
        with _waiting(f"asking the trackers of {folder.path.name}"):
            found = verify_all(folder, options)
    except ConfigError:
        raise
    except TrackhubError as error:
        print(f"trackhub status: {error}", file=sys.stderr)
        return None
    if not as_json:
        from trackhub.cli.tables_preview import verified_table
        from trackhub.showing.console import console

        console.print(verified_table(found))
        for one in found:
            if one.mends:
                console.print(f"Deliver {one.tracker} again from the beginning: {one.mends}", soft_wrap=True)
    return found


def _waiting(words: str) -> Any:
    """Something that moves on a terminal while a person waits."""
    from rich.console import Console

    return Console(stderr=True).status(words)
