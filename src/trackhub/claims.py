"""Which tracker names are certainly installed, told from the files that `pip` leaves, at a glance.

`trackhub.registry` is the one that knows; but importing `importlib.metadata` takes longer than all the rest of a start.
So a start asks here first, and there only for a name that is not plainly in order.
"""

from __future__ import annotations

import os
import sys

GROUP = "trackhub.trackers"
"""The entry-point group under which plugins register their trackers."""


def plainly_installed() -> set[str]:
    """The names that exactly one distribution on the import path claims."""
    claimants: dict[str, set[str]] = {}
    for distribution, text in _entry_points():
        for name in _names(text):
            claimants.setdefault(name, set()).add(distribution)
    return {name for name, distributions in claimants.items() if len(distributions) == 1}


def _entry_points() -> list[tuple[str, str]]:
    """(distribution, text of its ``entry_points.txt``) of each that says anything of trackers."""
    found = []
    for folder in dict.fromkeys(sys.path):
        for info in _listed(folder or "."):
            if info.endswith(".dist-info"):
                text = _text(os.path.join(folder, info, "entry_points.txt"))  # noqa: PTH118 - a hundred of them
                if GROUP in text:
                    found.append((info.partition("-")[0].lower(), text))
    return found


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - on the way of every start
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - on the way of every start
            return file.read()
    except (OSError, ValueError):
        return ""


def _names(text: str) -> list[str]:
    """The names in the section of trackers of an ``entry_points.txt``."""
    section = text.partition(f"[{GROUP}]")[2].partition("\n[")[0]
    return [line.partition("=")[0].strip() for line in section.splitlines() if "=" in line]
