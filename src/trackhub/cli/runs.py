"""`trackhub runs`: the runs in the runs folder, the latest last."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from trackhub.cli.common import add_json, add_runs_dir, print_json

if TYPE_CHECKING:
    from trackhub.journal.state import State


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_runs_dir(command)
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """List the runs."""
    from trackhub.errors import JournalError
    from trackhub.journal.state import State, state
    from trackhub.layout import all_runs, runs_dir

    base = runs_dir(arguments.runs_dir)
    found: list[State] = []
    for folder in all_runs(base):
        try:
            found.append(state(folder))
        except JournalError as error:
            found.append(State("", folder.path.name, "unreadable", str(error), 0.0, 0.0, -1, 0, 0))
    found.sort(key=lambda one: one.started)
    if arguments.json:
        print_json(found)
    else:
        _show(found, str(base))
    return 0


def _words(one: State) -> str:
    """The trackers, and why the run ended as it did: below them on a screen, behind them in a pipe."""
    from rich.markup import escape

    from trackhub.showing.console import console

    return escape(("\n" if console.is_terminal else "; ").join(filter(None, (", ".join(one.trackers), one.reason))))


def _show(found: list[State], base: str) -> None:
    from trackhub.showing.console import console, table

    colours = {"finished": "green", "running": "cyan", "failed": "red", "killed": "yellow", "unreadable": "red"}
    listing = table("name", "status", "started", "last step", "trackers", numbers=("last step",))
    for one in found:
        colour = colours.get(one.status, "white")
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.started))
        step = str(one.last_step) if one.last_step >= 0 else ""
        listing.add_row(one.name, f"[{colour}]{one.status}[/{colour}]", started, step, _words(one))
    console.print(listing if found else f"no runs under {base}")
