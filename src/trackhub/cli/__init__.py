"""`trackhub`: one small module per command, imported when it is called.

Exit codes: 0 done; 1 something is not delivered, or broke; 2 the user's mistake; 3 (`sync`) the run is still going on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

COMMANDS = {
    "trackers": "the installed trackers: ready, or why not; with NAME its options and rules",
    "runs": "the runs in the runs folder",
    "status": "what each tracker of a run has confirmed",
    "sync": "deliver what is not delivered yet, or to a tracker that the run never had",
    "lineage": "which line of the data went into which step and checkpoint, and whether the journal is true",
    "new-plugin": "write the project of a tracker plugin of your own into a new folder",
}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(
        prog="trackhub", description="Your run outlives any tracker.", epilog="trackhub COMMAND --help tells more."
    )
    whole.add_argument("--version", action="store_true", help="show the version and exit")
    whole.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        _module(name).add_arguments(command)
    return whole


def _module(name: str) -> Any:
    """The module of a command."""
    return import_module(f"trackhub.cli.{name.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    arguments = parser().parse_args(argv)
    if arguments.version:
        from importlib.metadata import version

        print(f"trackhub {version('trackhub-ml')}")
        sys.exit(0)
    if not arguments.command:
        parser().print_help()
        sys.exit(2)
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from trackhub.errors import ConfigError, TrackhubError

    try:
        return int(_module(arguments.command).run(arguments))
    except TrackhubError as error:
        if arguments.debug:
            raise
        print(f"trackhub {arguments.command}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("trackhub: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
