"""Each checkpoint with the lines that made it: what learning to generate adapters from data starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from trackhub.errors import ConfigError
from trackhub.lineage.law import Law
from trackhub.lineage.reading import Lineage


def pairs(lineage: Lineage, law: Law | None = None) -> Iterator[dict[str, Any]]:
    """One object for each checkpoint whose file exists: `file`, `lines` (all that it has seen), `new_lines`."""
    seen: set[int] = set()
    for window in lineage.windows():
        new = window.lines - seen
        seen |= new
        if window.path.exists():
            yield {
                "run": lineage.folder.path.name,
                "step": window.step,
                "file": str(window.path),
                "dataset": lineage.dataset,
                "data_file": law.data_file if law else "",
                "lines": sorted(seen),
                "new_lines": sorted(new),
            }


def export(lineage: Lineage, law: Law | None, target: Path) -> int:
    """Write the pairs to a new file, one a line; returns how many.

    Raises:
        ConfigError: the file exists, or cannot be written.
    """
    try:
        with target.open("xb") as file:
            return sum(file.write(msgspec.json.encode(pair) + b"\n") > 0 for pair in pairs(lineage, law))
    except FileExistsError:
        raise ConfigError(f"{target} exists, and nothing is overwritten: name another file") from None
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from error
