"""The traditional files of checkpoints: which lines went into each, and back. Steps count from 0 in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from trackhub.events import Batch
from trackhub.lineage.reading import Window


def _samples(batches: list[Batch]) -> list[tuple[int, int]]:
    """(line, epoch) of a step, rank after rank."""
    return [(line, batch.epoch) for batch in batches for line in batch.lines]


def mappings(dataset: str, windows: list[Window], id_of: Callable[[int], str]) -> dict[str, Any]:
    """The three files by the beginnings of their names; checkpoints without a batch are left out.

    Args:
        dataset: the name of the data.
        windows: the checkpoints.
        id_of: the question's own id, by its line.
    """
    windows = [window for window in windows if window.batches]
    head = {"dataset": dataset, "generated_at": moment(time.time())}
    return {
        "checkpoint_mapping": {_name(window): _checkpoint(window) for window in windows},
        "line_checkpoint_mapping": {**head, **_lines(windows, id_of)},
        "checkpoint_summary": {**head, "checkpoints": [_summary(window) for window in windows]},
    }


def _checkpoint(window: Window) -> dict[str, Any]:
    lines = window.lines
    samples = _samples(window.batches)
    return {
        "checkpoint_step": window.step,
        "checkpoint_path": str(window.path),
        "batch_range": {"start_step": window.since, "end_step": window.step - 1},
        "total_batches": len({batch.step for batch in window.batches}),
        "total_samples": len(samples),
        "source_data_summary": {
            "total_source_lines": len(samples),
            "source_line_range": {"min": min(lines), "max": max(lines)},
            "epochs_involved": sorted({epoch for _, epoch in samples}),
            "unique_source_lines": len(lines),
        },
        "timestamp": moment(window.t),
    }


def _lines(windows: list[Window], id_of: Callable[[int], str]) -> dict[str, Any]:
    """Lines to checkpoints, checkpoints to lines, and how many there are of each."""
    by_line: dict[int, list[Entry]] = {}
    for window in windows:
        for line, entry in _entries(window, id_of):
            by_line.setdefault(line, []).append(entry)
    pairs = sum(len(window.lines) for window in windows)
    counts = {"total_checkpoints": len(windows), "total_unique_lines": len(by_line)}
    return {
        "summary": {**counts, "total_line_checkpoint_pairs": pairs},
        "line_to_checkpoint": {str(line): by_line[line] for line in sorted(by_line)},
        "checkpoint_to_lines": {_name(window): _contents(window) for window in windows},
    }


class Entry(msgspec.Struct, frozen=True):
    """One use of a line, on the way to a checkpoint."""

    checkpoint: str
    checkpoint_step: int
    step: int
    sample_id: str


def _entries(window: Window, id_of: Callable[[int], str]) -> Iterator[tuple[int, Entry]]:
    name = _name(window)
    for batch in window.batches:
        for line in batch.lines:
            yield line, Entry(name, window.step, batch.step - 1, id_of(line))


def _contents(window: Window) -> dict[str, Any]:
    lines = sorted(window.lines)
    return {
        "checkpoint_step": window.step,
        "lines": lines,
        "line_count": len(lines),
        "total_samples": len(_samples(window.batches)),
        "step_range": [window.since, window.step - 1],
    }


def _summary(window: Window) -> dict[str, Any]:
    lines = window.lines
    return {
        "name": _name(window),
        "step": window.step,
        "line_range": [min(lines), max(lines)],
        "unique_lines": len(lines),
        "total_samples": len(_samples(window.batches)),
    }


def _name(window: Window) -> str:
    return f"checkpoint_{window.step}"


def moment(t: float) -> str:
    """A time as the traditional files spell it: ISO 8601, local, without a zone."""
    return datetime.fromtimestamp(t).isoformat()  # noqa: DTZ006 - and the hot path has no time for a zone
