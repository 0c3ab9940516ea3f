"""`trackhub sync RUN...`: deliver what is left, by the same supervisor and couriers as live delivery."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from trackhub.cli.common import add_json, add_runs_dir, print_json

if TYPE_CHECKING:
    from trackhub.delivery.sync import Outcome
    from trackhub.layout import RunFolder

CODES = {"delivered": 0, "left": 1, "running": 3}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument(
        "run", nargs="*", metavar="RUN", help="run folders or names; none: all that have something left"
    )
    command.add_argument("--to", metavar="A,B", help="these trackers only; also ones that the run never had")
    command.add_argument(
        "--tracker-opt",
        action="append",
        default=[],
        metavar="TRACKER.OPTION=VALUE",
        help="an option of a tracker; repeatable",
    )
    command.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="give up after this time (default: after 30 s without any advance)",
    )
    add_runs_dir(command)
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """Deliver, show the receipts, and return 0 (all delivered), 1 (something is left) or 3 (the run still goes on)."""
    from trackhub.delivery.sync import sync
    from trackhub.errors import ConfigError
    from trackhub.layout import all_runs, find_run, runs_dir
    from trackhub.settings import check_trackers, parse_tracker_options, select

    options = parse_tracker_options(arguments.tracker_opt)
    to = arguments.to
    if to and (problems := check_trackers(to, _for(select(to).names, options))):
        raise ConfigError(*problems)
    named = [find_run(one, arguments.runs_dir) for one in arguments.run]
    folders = named or all_runs(runs_dir(arguments.runs_dir))
    outcomes = [sync(folder, to, options, arguments.timeout) for folder in folders if named or _is_readable(folder)]
    _show([outcome for outcome in outcomes if named or outcome.worked], arguments.json)
    return min((CODES[outcome.result] for outcome in outcomes if CODES[outcome.result]), default=0)


def _for(names: tuple[str, ...], options: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {name: given for name, given in options.items() if name in names}


def _is_readable(folder: RunFolder) -> bool:
    """One broken journal must not keep the other runs from being delivered."""
    from trackhub.errors import JournalError
    from trackhub.journal.state import state

    try:
        state(folder)
    except JournalError as error:
        print(f"trackhub sync: {folder.path} is left out: {error}", file=sys.stderr)
        return False
    return True


def _show(outcomes: list[Outcome], as_json: bool) -> None:
    if as_json:
        print_json(outcomes)
        return
    from trackhub.cli.console import console
    from trackhub.cli.tables import receipt_table

    for outcome in outcomes:
        console.print(receipt_table(outcome.receipts, title=f"{outcome.name}: {outcome.result}"))
    if not outcomes:
        console.print("nothing is left to deliver")
