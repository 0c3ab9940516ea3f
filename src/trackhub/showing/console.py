"""One console for all commands: colour and boxes on a terminal, plain text in a pipe."""

from __future__ import annotations

import os
import sys

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

PIPE_WIDTH = 200
"""Columns where the output is no terminal: nothing is cut for a width that nobody has."""

console = Console(width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH)


def table(*columns: str, title: str | None = None, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table in the house's look; `numbers` names the columns that align right.

    On a narrow screen the last column, which holds the words, is folded; the others stay as they are.
    """
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD if console.is_terminal else None)
    made.pad_edge, made.collapse_padding = False, console.is_terminal
    for column in columns:
        justify: JustifyMethod = "right" if column in numbers else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=column != columns[-1])
    return made
