"""`trackhub new-plugin NAME`: a tracker plugin of your own, complete, in a new folder."""

from __future__ import annotations

import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("name", metavar="NAME", help="the name of the tracker, e.g. in-house")
    command.add_argument("--folder", metavar="DIR", help="the new folder (default: trackhub-NAME here)")


def run(arguments: argparse.Namespace) -> int:
    """Write the project, and say what to do next."""
    from pathlib import Path

    from trackhub.scaffold import write

    folder = write(arguments.name, Path(arguments.folder or f"trackhub-{arguments.name}"))
    print(f"{folder} holds the tracker {arguments.name!r}. Next:")
    print(f"  pip install --no-deps -e {folder}")
    print(f"  trackhub trackers {arguments.name}")
    print(f"  pytest {folder}        # the conformance kit; pip install pytest, if it is not there")
    return 0
