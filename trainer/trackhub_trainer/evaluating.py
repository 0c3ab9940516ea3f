"""`trainer eval`: measures a model on data sets, and tells the numbers; nothing is logged to a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from trackhub.errors import ConfigError
from trackhub.showing.console import table
from trackhub.showing.words import plain
from trackhub_trainer import choosing, cloze, targets
from trackhub_trainer.cloze import Cloze
from trackhub_trainer.eval_options import EvalRequest
from trackhub_trainer.targets import Target

if TYPE_CHECKING:
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

    def told(self, target: Target) -> dict[str, Any]:
        """As an object of the JSON."""
        return {
            "model": target.name,
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


def run(request: EvalRequest, console: Console) -> None:
    """Measure, and tell.

    Raises:
        ConfigError: everything that is wrong with the request.
    """
    target, parts = _prepared(request)
    rows = list(_measured(request, target, parts, console))
    told = json.dumps([row.told(target) for row in rows], indent=1, ensure_ascii=False)
    if request.out is not None:
        with request.out.open("x", encoding="utf-8") as file:
            file.write(told + "\n")
    if request.json:
        print(told)
    else:
        console.print(_table(target, rows))


def _prepared(request: EvalRequest) -> tuple[Target, list[Part]]:
    """The model, not loaded yet, and the questions."""
    problems = list(request.problems)
    if not request.target:
        raise ConfigError(*problems)
    try:
        target = targets.find(request)
    except ConfigError as error:
        raise ConfigError(*problems, *error.problems) from None
    if "dataset" not in target.known:
        problems.append(f"--dataset names what {target.name} is to be measured on")
    parts, wrong = _parts(target, request)
    if problems or wrong:
        raise ConfigError(*problems, *wrong)
    return target, parts


def _parts(target: Target, request: EvalRequest) -> tuple[list[Part], list[str]]:
    parts, problems = [], []
    for name in dict.fromkeys(part.strip() for part in target.config.dataset.split(",")):
        config = replace(target.config, dataset=name)
        task, split, wrong = choosing.to_measure(config, "dataset" in request.given)
        problems += wrong
        if task is not None and not wrong:
            split = replace(split, questions=split.questions[: request.config.eval_limit or None])
            wrong = cloze.problems(task, split, "--measure own does without") if "cloze" in request.measure else []
            problems += wrong
            parts.append(Part(task, split))
    return parts, problems


def _measured(request: EvalRequest, target: Target, parts: list[Part], console: Console) -> Iterator[Row]:
    from trackhub_trainer import cloze_accuracy, machine
    from trackhub_trainer.batches import COLLATE
    from trackhub_trainer.encoding import Encoder
    from trackhub_trainer.evaluate import accuracy

    chosen, collate = machine.choose(target.config), COLLATE[target.config.batching]
    model, tokenizer = targets.load(target)
    model.to(chosen.device).eval()
    reach = cloze_accuracy.reach(model, tokenizer)
    own, whole = Encoder(tokenizer, min(target.config.max_length, reach)), Encoder(tokenizer, reach)
    for part in parts:
        with chosen.autocast():
            if "own" in request.measure:
                seen = _seen(console, part, "own")
                yield Row(part, "accuracy", accuracy(model, own, part.split.questions, collate, seen))
            if "cloze" in request.measure:
                found = cloze_accuracy.measure(model, whole, part.asked(), collate, _seen(console, part, "cloze"))
                note = "; ".join(f"not quite lm-eval's for {count}: {what}" for what, count in found.lost.items())
                yield from (Row(part, f"cloze_{name}", value, note) for name, value in found.named().items())


def _seen(console: Console, part: Part, measure: str) -> Callable[[int], None]:
    """Shows how far it is, on a terminal."""
    status = console.status("")
    whole = len(part.split.questions)

    def tell(done: int) -> None:
        status.update(f"{part.task.name}, {measure}: {done}/{whole}")
        (status.start if done < whole else status.stop)()

    return tell


def _table(target: Target, rows: list[Row]) -> Table:
    numbers = ("questions", "right", "value", "standard error")
    shown = table("data set", "metric", *numbers, "note", title=target.name, numbers=numbers)
    for row in rows:
        found = row.found
        percents = (f"{100 * value:.1f} %" for value in (found.value, found.standard_error))
        counts = (str(found.questions), str(found.right))
        shown.add_row(row.part.task.name, NAMES[row.metric], *counts, *percents, plain(_note(row)))
    return shown


def _note(row: Row) -> str:
    skipped = len(row.part.split.skipped)
    left_out = f"{skipped} broken lines left out" if skipped else ""
    return "; ".join(part for part in (row.note, left_out) if part)
