"""`trackhub trackers [NAME]`: what is installed, ready or the reason why not, and the card of one."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from trackhub.cli.common import add_json, print_json

if TYPE_CHECKING:
    from trackhub.cards import Description


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument(
        "name", nargs="?", metavar="NAME", help="show the card of this tracker: options, limits, rules"
    )
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """List the trackers, or show one."""
    from trackhub.cards import describe
    from trackhub.errors import ConfigError
    from trackhub.registry import check_names, installed

    if arguments.name and (problems := check_names((arguments.name,))):
        raise ConfigError(*problems)
    with redirect_stdout(sys.stderr):  # what a plugin prints when it is imported is no part of the listing
        found = [describe(name) for name in ([arguments.name] if arguments.name else installed())]
    if arguments.json:
        print_json(found[0] if arguments.name else found)
    elif arguments.name:
        _show_card(found[0])
    else:
        _show_list(found)
    return 0


def _show_list(found: list[Description]) -> None:
    from rich.markup import escape

    from trackhub.showing.console import console, table

    listing = table("name", "distribution", "version", "ready")
    for one in found:
        ready = "[green]ready[/green]" if one.ready else f"[red]{escape(one.reason)}[/red]"
        listing.add_row(one.name, one.distribution, one.version, ready)
    console.print(listing)
    console.print("Options, limits and rules of one: trackhub trackers NAME")


def _show_card(one: Description) -> None:
    from rich.markup import escape

    from trackhub.showing.console import console, table

    console.print(
        f"[bold]{one.name}[/bold] from {one.distribution} {one.version}: {'ready' if one.ready else escape(one.reason)}"
    )
    if one.card:
        console.print(escape(one.card))
    facts = table("what", "how")
    for what, how in {**one.facts, "hooks": ", ".join(one.hooks)}.items():
        facts.add_row(what, escape(how))
    console.print(facts)
    options = table("option", "type", "default", "meaning", title=f"Options: --tracker-opt {one.name}.OPTION=VALUE")
    for option in one.options:
        options.add_row(*(escape(str(option[key])) for key in ("name", "type", "default", "description")))
    console.print(options)
