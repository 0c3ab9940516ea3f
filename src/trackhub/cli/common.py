"""Arguments and output that commands share."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_runs_dir(command: argparse.ArgumentParser) -> None:
    """``--runs-dir DIR``, on every command that reads or writes runs."""
    command.add_argument(
        "--runs-dir", metavar="DIR", help="the folder of all runs (default: TRACKHUB_RUNS_DIR, else runs)"
    )


def add_json(command: argparse.ArgumentParser) -> None:
    """``--json``, on every listing."""
    command.add_argument("--json", action="store_true", help="print JSON for programs instead of a table")


def add_tracker_options(command: argparse.ArgumentParser) -> None:
    """``--tracker-opt TRACKER.OPTION=VALUE``, on every command that makes trackers."""
    command.add_argument(
        "--tracker-opt",
        action="append",
        default=[],
        metavar="TRACKER.OPTION=VALUE",
        help="an option of a tracker; repeatable",
    )


def print_json(value: Any) -> None:
    """Print `value`, made of structs and plain types, as indented JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode() + "\n")
