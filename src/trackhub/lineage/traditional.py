"""The four files that the traditional trainer kept in `logs/`, written again from the journal in the same schemas.

There steps are counted from 0, as lines are, and a checkpoint stands for the batches since the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trackhub.delivery.cursor import write_atomically
from trackhub.layout import safe_name
from trackhub.lineage.checkpoint_files import mappings, moment
from trackhub.lineage.law import Law
from trackhub.lineage.reading import Lineage

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
            "timestamp": moment(t),
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
    for stem, content in mappings(lineage.dataset, list(lineage.windows()), records.id_of).items():
        encoded = msgspec.json.format(msgspec.json.encode(content), indent=2)
        write_atomically(logs / f"{stem}_{name}.json", encoded, sync=False)


def line_of(record: dict[str, Any]) -> bytes:
    """A record as one line."""
    return msgspec.json.encode(record) + b"\n"
