"""Words, states and sizes as people read them."""

from __future__ import annotations

import re

from rich.markup import escape

_COLOURS = {"delivered": "green", "parked": "red", "backing off": "yellow", "stopped": "yellow", "waiting": "yellow"}
_MANY = {"audio": "audio files", "html": "pages"}
"""Things of which several are not called by their name and an s."""


def plain(words: str) -> str:
    """Words of anybody's making for a table: no markup, and nothing that a terminal would obey."""
    return escape("".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in words))


def counted(count: int, what: str) -> str:
    """A number of things: 1 checkpoint, 50 checkpoints."""
    return f"{count} {what if count == 1 else _MANY.get(what, what + 's')}"


def short(words: str, longest: int = 60) -> str:
    """`words` with the middle cut out of each piece of more than `longest` characters without a blank."""
    half = longest // 2 - 1
    return re.sub(rf"\S{{{longest + 1},}}", lambda piece: f"{piece[0][:half]}…{piece[0][-half:]}", words)


def coloured(state: str, rejected: int = 0) -> str:
    """A state in its colour."""
    colour = "yellow" if rejected else _COLOURS.get(state, "cyan")
    return f"[{colour}]{state}[/{colour}]"


def span(seconds: float) -> str:
    """A time span as short as a table wants it: 0.4 s, 12 s, 5 min, 3 h, 2 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes for people: 700 B, 1.2 kB, 3.4 GB."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.0f} {units[0]}" if units[0] == "B" or count >= 100 else f"{count:.1f} {units[0]}"
