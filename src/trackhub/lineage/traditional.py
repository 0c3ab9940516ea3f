"""The four files that the traditional trainer kept in `logs/`, written again from the journal in the same schemas.

There steps are counted from 0, as lines are, and a checkpoint stands for the batches since the one before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trackhub.delivery.cursor import write_atomically
from trackhub.events import Batch
from trackhub.layout import safe_name
from trackhub.lineage.law import Law
from trackhub.lineage.reading import Lineage, Window

PREVIEW = 100
"""Characters of an input that are shown."""


class Shown(NamedTuple):
    """What is shown of a line: the question's own id, and the beginning of its input."""

    id: str
    input_preview: str


Samples = Mapping[int, Shown]
"""By line."""
NOTHING = Shown("", "")


def shown(name: str, text: str) -> Shown:
    """What is shown of a question with this id and input."""
    return Shown(name, text[:PREVIEW] + "..." if len(text) > PREVIEW else text)


def batch_file(logs: Path, dataset: str) -> Path:
    """Where the batches stand, a line each."""
    return logs / f"batch_tracking_{safe_name(dataset)}.jsonl"


class Sample(msgspec.Struct, frozen=True):
    """One question in the entry of its step."""

    source_line: int
    actual_idx: int
    global_idx: int
    epoch: int
    id: str
    input_preview: str


class Records:
    """One data set's entries of the traditional files.

    Args:
        dataset: its name.
        law: the order of its questions.
        samples: what is shown of each line.
    """

    def __init__(self, dataset: str, law: Law, samples: Samples) -> None:
        self.dataset = dataset
        self._per_step = law.per_step
        self._shown = {line: (place, samples.get(line, NOTHING)) for place, line in enumerate(law.questions)}

    def batch(self, step: int, t: float, parts: Sequence[tuple[int, Sequence[int]]]) -> dict[str, Any]:
        """The entry of a step, counted from 1, at the time `t`; `parts` are (epoch, its lines) in their order."""
        place = (step - 1) * self._per_step
        samples: list[Sample] = []
        lines: list[int] = []
        for epoch, of_epoch in parts:
            for line in of_epoch:
                index, (name, preview) = self._about(line)
                samples.append(Sample(line, index, place, epoch, name, preview))
                place += 1
            lines += of_epoch
        epochs = sorted({epoch for epoch, _ in parts})
        return {
            "step": step - 1,
            "dataset": self.dataset,
            "batch_size": len(samples),
            "timestamp": _moment(t),
            "samples": samples,
            "source_range": {"min_line": min(lines), "max_line": max(lines), "epochs_involved": epochs},
        }

    def _about(self, line: int) -> tuple[int, Shown]:
        """(the index of its question, what is shown of it); a line that the law does not know is its own index."""
        return self._shown.get(line) or (line, NOTHING)

    def id_of(self, line: int) -> str:
        """The question's own id."""
        return self._about(line)[1].id


def write(lineage: Lineage, law: Law, samples: Samples, logs: Path) -> None:
    """Write the four files, each in one step.

    Raises:
        OSError: the disk refuses.
    """
    records = Records(lineage.dataset, law, samples)
    name = safe_name(lineage.dataset)
    batches = (
        records.batch(step, parts[0].t, [(one.epoch, one.lines) for one in parts]) for step, parts in lineage.steps()
    )
    write_atomically(batch_file(logs, lineage.dataset), map(line_of, batches), sync=False)
    for stem, content in _mappings(list(lineage.windows()), records).items():
        encoded = msgspec.json.format(msgspec.json.encode(content), indent=2)
        write_atomically(logs / f"{stem}_{name}.json", encoded, sync=False)


def line_of(record: dict[str, Any]) -> bytes:
    """A record as one line."""
    return msgspec.json.encode(record) + b"\n"


def _samples(batches: list[Batch]) -> list[tuple[int, int]]:
    """(line, epoch) of a step, rank after rank."""
    return [(line, batch.epoch) for batch in batches for line in batch.lines]


def _mappings(windows: list[Window], records: Records) -> dict[str, Any]:
    """The three files of checkpoints by the beginnings of their names; checkpoints without a batch are left out."""
    windows = [window for window in windows if window.batches]
    head = {"dataset": records.dataset, "generated_at": _moment(time.time())}
    return {
        "checkpoint_mapping": {_name(window): _checkpoint(window) for window in windows},
        "line_checkpoint_mapping": {**head, **_lines(windows, records)},
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
        "timestamp": _moment(window.t),
    }


def _lines(windows: list[Window], records: Records) -> dict[str, Any]:
    """Lines to checkpoints, checkpoints to lines, and how many there are of each."""
    by_line: dict[int, list[Entry]] = {}
    for window in windows:
        for line, entry in _entries(window, records):
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


def _entries(window: Window, records: Records) -> Iterator[tuple[int, Entry]]:
    name = _name(window)
    for batch in window.batches:
        for line in batch.lines:
            yield line, Entry(name, window.step, batch.step - 1, records.id_of(line))


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


def _moment(t: float) -> str:
    """A time as the traditional files spell it: ISO 8601, local, without a zone."""
    return datetime.fromtimestamp(t).isoformat()  # noqa: DTZ006 - and the hot path has no time for a zone
