"""The numbers of `trainer eval`, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from trackhub.showing.console import table
from trackhub.showing.words import plain
from trackhub_trainer import cloze

if TYPE_CHECKING:
    from trackhub_trainer.cloze import Cloze
    from trackhub_trainer.data import Split
    from trackhub_trainer.evaluate import Accuracy
    from trackhub_trainer.tasks import Task

NAMES = {
    "accuracy": "accuracy, the trainer's prompt",
    "cloze_acc": "cloze acc, as lm-eval",
    "cloze_acc_norm": "cloze acc_norm, as lm-eval",
}
"""How a metric stands in the table, by its name in the JSON."""


@dataclass(frozen=True)
class Part:
    """One data set that is measured, and its questions."""

    task: Task
    split: Split

    def asked(self) -> list[Cloze]:
        """The questions as lm-eval asks them."""
        return [cloze.ask(self.task, question) for question in self.split.questions]


@dataclass(frozen=True)
class Row:
    """One number."""

    part: Part
    metric: str
    found: Accuracy
    note: str = ""

    def told(self, model: str) -> dict[str, Any]:
        """As an object of the JSON."""
        return {
            "model": model,
            "dataset": self.part.task.name,
            "file": str(self.part.split.where),
            "metric": self.metric,
            "value": self.found.value,
            "standard_error": self.found.standard_error,
            "right": self.found.right,
            "questions": self.found.questions,
            "skipped_lines": len(self.part.split.skipped),
            "note": self.note,
        }


def shown(model: str, rows: Sequence[Row]) -> Table:
    """The rows of one model."""
    numbers = ("questions", "right", "value", "standard error")
    made = table("data set", "metric", *numbers, "note", title=model, numbers=numbers)
    for row in rows:
        found = row.found
        percents = (f"{100 * value:.1f} %" for value in (found.value, found.standard_error))
        counts = (str(found.questions), str(found.right))
        made.add_row(row.part.task.name, NAMES[row.metric], *counts, *percents, plain(_note(row)))
    return made


def _note(row: Row) -> str:
    skipped = len(row.part.split.skipped)
    left_out = f"{skipped} broken lines left out" if skipped else ""
    return "; ".join(part for part in (row.note, left_out) if part)
