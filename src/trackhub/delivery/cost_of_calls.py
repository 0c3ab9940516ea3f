"""What the log calls of a training cost it, read from its journal, where one row in 64 carries a measured time.

Only pieces of the journal are looked at, so that asking costs the same for a long run as for a short one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from trackhub.delivery.cost import Cost
from trackhub.delivery.receipt import Receipt, supervisor_status
from trackhub.errors import JournalError
from trackhub.events import Metrics
from trackhub.journal.format import decode
from trackhub.journal.state import ended, header, last_events, latest
from trackhub.layout import RunFolder

_WINDOW = 1 << 16
_WINDOWS = 16
"""Pieces of a journal file that are looked at."""
FEWEST = 5
"""Measured calls below which nothing is said of them."""
_REFUSED = b'\n{"kind":"rejected"'
_CHUNK = 1 << 20


class LogCost(msgspec.Struct, frozen=True):
    """What the log calls of rank 0's latest attempt cost the training."""

    calls: int
    """Rows that were logged."""
    measured: int
    """Calls whose time is known, of those that were looked at."""
    median_us: float
    """Microseconds of one `log_metrics`; half of the measured calls took less."""
    longest_us: float
    seconds: float
    """All calls together, by their mean."""
    share: float
    """`seconds` as a part of the time that the run has taken."""


class RunCost(msgspec.Struct, frozen=True):
    """What a run has cost so far."""

    log: LogCost | None
    """None while fewer than five calls were measured, one in 64."""
    refused: int
    """Values that the run itself kept out."""
    supervisor: Cost
    """Of the latest supervisor."""
    couriers: dict[str, Cost]
    """By tracker, over all their lives."""


def log_cost(folder: RunFolder) -> LogCost | None:
    """What the log calls of the latest attempt have cost so far; None while no call is measured."""
    file = latest(folder)
    taken = sorted(event.took for event in _sampled(file) if event.took)
    last = next((event.n for event in reversed(last_events(file))), 0)
    if len(taken) < FEWEST:
        return None
    end = ended(folder)
    lasted = max((end.t if end else time.time()) - header(file).started, 1e-9)
    seconds = sum(taken) / len(taken) * last
    return LogCost(
        calls=last,
        measured=len(taken),
        median_us=round(taken[len(taken) // 2] * 1e6, 2),
        longest_us=round(taken[-1] * 1e6, 2),
        seconds=round(seconds, 4),
        share=round(seconds / lasted, 6),
    )


def costs(folder: RunFolder, receipts: Iterable[Receipt]) -> RunCost:
    """All that a run has cost so far."""
    status = supervisor_status(folder)
    couriers = {receipt.tracker: receipt.cost for receipt in receipts if receipt.cost.cpu}
    return RunCost(log_cost(folder), refused(folder), status.cost if status else Cost(), couriers)


def _sampled(path: Path) -> Iterator[Metrics]:
    """The rows of a file that carry a time, in pieces of the file that are spread evenly over it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        last = max(size - _WINDOW, 0)
        for start in sorted({last * part // (_WINDOWS - 1) for part in range(_WINDOWS)}):
            yield from _rows(file, start)


def _rows(file: BinaryIO, start: int) -> Iterator[Metrics]:
    file.seek(start)
    for line in file.read(_WINDOW).split(b"\n"):
        if b',"took":' in line and (event := _event(line)) is not None:
            yield event


def _event(line: bytes) -> Metrics | None:
    try:
        event = decode(line)
    except JournalError:
        return None
    return event if isinstance(event, Metrics) else None


def refused(folder: RunFolder) -> int:
    """Values that the run itself kept out, because they were no numbers, or could not be kept."""
    return sum(map(_refused_in, folder.journal.glob("rank-*.jsonl")))


def _refused_in(path: Path) -> int:
    """Counted by how their lines begin: nothing is decoded."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = rest + chunk
            count += text.count(_REFUSED)
            rest = text[-len(_REFUSED) + 1 :]
    return count
