"""`trackhub sync RUN...`: deliver what is left, by the same supervisor and couriers as live delivery."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from trackhub.cli.common import add_json, add_runs_dir, add_tracker_options, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from trackhub.delivery.sync import Outcome
    from trackhub.layout import RunFolder

CODES = {"delivered": 0, "left": 1, "broken": 1, "mistake": 2, "running": 3}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument(
        "run", nargs="*", metavar="RUN", help="run folders or names; none: all that have something left"
    )
    command.add_argument("--to", metavar="A,B", help="these trackers only; also ones that the run never had")
    add_tracker_options(command)
    command.add_argument("--jobs", type=_jobs, default=2, metavar="N", help="deliver N runs at once (default: 2)")
    command.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="give a run up after this time (default: after 30 s without any advance)",
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="show what would be sent, mapped, cut, left out or set aside; nothing is opened or written",
    )
    add_runs_dir(command)
    add_json(command)


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: give 1 or more")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Deliver, show the receipts, and return 0 (all delivered), 1 (something is left) or 3 (the run still goes on)."""
    from trackhub.delivery.sync_all import sync_all
    from trackhub.delivery.verdict import check_trackers
    from trackhub.errors import ConfigError
    from trackhub.layout import all_runs, runs_dir
    from trackhub.settings import parse_tracker_options

    options, to = parse_tracker_options(arguments.tracker_opt), arguments.to
    named, problems = _named(arguments.run, arguments.runs_dir)
    if problems := problems + (check_trackers(to, options) if to else []):
        raise ConfigError(*problems)
    folders = list(named.values()) or list(filter(_is_readable, all_runs(runs_dir(arguments.runs_dir))))
    if arguments.dry_run:
        return _dry_run(folders, to, options, arguments, all_of_them=not named)
    outcomes = sync_all(folders, to, options, arguments.timeout, arguments.jobs)
    _show([outcome for outcome in outcomes if named or outcome.worked], arguments.json)
    return min((CODES[outcome.result] for outcome in outcomes if CODES[outcome.result]), default=0)


def _named(runs: list[str], under: str | None) -> tuple[dict[Path, RunFolder], list[str]]:
    """(the runs that were named, each once; what is wrong with the other names)."""
    from trackhub.errors import ConfigError
    from trackhub.layout import find_run

    named: dict[Path, RunFolder] = {}
    problems: list[str] = []
    for one in runs:
        try:
            found = find_run(one, under)
        except ConfigError as error:
            problems += error.problems
        else:
            named[found.path.resolve()] = found
    return named, problems


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
    for outcome in outcomes:
        if outcome.reason:
            print(f"trackhub sync: {outcome.name}: {outcome.reason}", file=sys.stderr)
    if as_json:
        print_json(outcomes)
        return
    from trackhub.cli.tables import outcome_tables
    from trackhub.showing.console import console

    for shown in outcome_tables([outcome for outcome in outcomes if not outcome.reason]):
        console.print(shown)
    if not outcomes:
        console.print("nothing is left to deliver")


def _dry_run(
    folders: list[RunFolder], to: str | None, options: dict[str, Any], arguments: argparse.Namespace, all_of_them: bool
) -> int:
    """Show what a sync would do. Returns 1 where a tracker could not be delivered to."""
    from trackhub.checking.preview import previews

    found = [(folder, previews(folder, to, options, arguments.jobs)) for folder in folders]
    shown = [(folder, some) for folder, some in found if not all_of_them or any(one.anything for one in some)]
    if arguments.json:
        print_json([{"name": folder.path.name, "path": folder.path, "trackers": some} for folder, some in shown])
    else:
        from trackhub.cli.tables_preview import preview_table
        from trackhub.showing.console import console

        for folder, some in shown:
            console.print(preview_table(some, title=folder.path.name))
        console.print("nothing was sent, opened or written" if shown else "nothing is left to deliver")
    return int(any(one.problem for _, some in found for one in some))
