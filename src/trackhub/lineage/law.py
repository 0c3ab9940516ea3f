"""What a run's configuration says of the order of its data: all that is needed to compute it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import file_digest
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from trackhub.errors import ConfigError
from trackhub.journal.params import params
from trackhub.layout import RunFolder
from trackhub.lineage import order

KEY = "lineage"
"""The parameter that holds it."""
VERSION = 1
"""Of the order. A law of a later version cannot be computed here."""


class Law(msgspec.Struct, frozen=True, dict=True):
    """The order of a run's data.

    Attributes:
        seed: of the order.
        per_step: questions of a step, over all ranks.
        lines: the 0-based lines of the file that are trained on, as `spans`.
        data_file: where they stand.
        sha256: of that file's content; "" where it is no file.
        order: the version of the order.
    """

    seed: int
    per_step: int
    lines: str
    data_file: str = ""
    sha256: str = ""
    order: int = VERSION

    @cached_property
    def questions(self) -> list[int]:
        """The line of each question."""
        return unspanned(self.lines)

    def by_epoch(self, step: int, rank: int = 0, ranks: int = 1) -> list[tuple[int, list[int]]]:
        """(epoch, its lines) that a rank takes in a step, counted from 1, in their order."""
        lines = self.questions
        places = order.places(step - 1, self.per_step, rank, ranks)
        return [
            (epoch, [lines[one] for one in taken]) for epoch, taken in order.by_epoch(places, len(lines), self.seed)
        ]

    def share(self, step: int, rank: int = 0, ranks: int = 1) -> list[tuple[int, int]]:
        """The same as (line, epoch) of each question."""
        return [(line, epoch) for epoch, lines in self.by_epoch(step, rank, ranks) for line in lines]

    def changed(self) -> bool:
        """Whether the data file is there, but is not what was trained on."""
        now = digest(Path(self.data_file)) if self.data_file else ""
        return bool(now and self.sha256) and now != self.sha256


def of_run(folder: RunFolder) -> Law | None:
    """The law of a run; None if its configuration holds none, or something else of that name.

    Raises:
        ConfigError: it is of a later version.
    """
    try:
        found = msgspec.convert(params(folder).get(KEY), Law)
    except msgspec.ValidationError:
        return None
    if found.order > VERSION:
        raise ConfigError(
            f"the data of run {folder.path.name} were ordered by a newer trackhub: pip install --upgrade trackhub-ml"
        )
    return found


def record(seed: int, per_step: int, lines: Sequence[int], data_file: Path | str) -> dict[str, Any]:
    """What a run's configuration keeps."""
    path = Path(data_file)
    where = str(path.absolute() if path.exists() else data_file)
    return msgspec.structs.asdict(Law(seed, per_step, spans(lines), where, digest(path)))


def digest(path: Path) -> str:
    """The SHA-256 of a file's content; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def spans(numbers: Iterable[int]) -> str:
    """Ascending numbers in short: "0-41,43-99"."""
    found = list(numbers)
    breaks = [place for place, (one, two) in enumerate(pairwise(found), 1) if two != one + 1]
    parts = [found[start:stop] for start, stop in pairwise([0, *breaks, len(found)]) if found]
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def unspanned(text: str) -> list[int]:
    """The inverse of `spans`."""
    ends = [part.split("-") for part in text.split(",") if part]
    return [number for part in ends for number in range(int(part[0]), int(part[-1]) + 1)]
