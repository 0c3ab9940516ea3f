"""The environment variables of trackhub: what there is, and a word about one that looks like a misspelling."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache

from trackhub.tell import tell

KNOWN = frozenset(
    f"TRACKHUB_{name}"
    for name in (
        "CONFIG",
        "CONSOLE",
        "COURIER_MEMORY",
        "DELIVERY",
        "LINGER",
        "RUN",
        "RUNS_DIR",
        "STRICT",
        "SYSTEM_EVERY",
        "TEST_MARK",
        "TRACKERS",
    )
)
"""All of them, but for ``TRACKHUB_<TRACKER>_<OPTION>``."""


def prefix(tracker: str) -> str:
    """What the variables of a tracker's options begin with."""
    return f"TRACKHUB_{re.sub(r'[^A-Za-z0-9]', '_', tracker).upper()}_"


def warn(trackers: Iterable[str]) -> None:
    """Tell of variables that are neither known nor an option of an installed tracker or of `trackers`."""
    strays = frozenset(name for name in os.environ if name.startswith("TRACKHUB_") and name not in KNOWN)
    if strays:
        _warn(strays, frozenset(trackers))


@cache
def _warn(strays: frozenset[str], trackers: frozenset[str]) -> None:
    """Once in a process. Only who has a variable that is not known by itself pays for the list of trackers."""
    from trackhub.registry import installed, meant

    beginnings = tuple(prefix(tracker) for tracker in {*installed(), *trackers})
    for name in sorted(strays):
        if not name.startswith(beginnings):
            tell(f"the environment variable {name} means nothing to trackhub.{meant(name, KNOWN)}")
