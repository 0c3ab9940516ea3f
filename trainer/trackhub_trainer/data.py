"""The questions of a training, and every reason why a line cannot be one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from trackhub_trainer.lines import Entry, parsed
from trackhub_trainer.rows import Row, as_line
from trackhub_trainer.tasks import Task

SHOWN = 5
"""Broken lines of a file that are told one by one; the rest is counted."""


@dataclass(frozen=True)
class Question:
    """One line of a data file.

    Attributes:
        line: its 0-based number in the file.
        prompt: the text before the answer.
        answers: the text of each option's answer.
        right: which of them is right, 0-based.
        row: the line's fields; of a raw row, as they would stand in a line.
    """

    line: int
    prompt: str
    answers: tuple[str, ...]
    right: int
    row: Row = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Split:
    """One file, or one split on the hub, as questions.

    Attributes:
        where: where it comes from; on the hub a name like ``hub:allenai/ai2_arc/ARC-Challenge/train``.
        questions: in the order of the file.
        skipped: the broken lines that were left out, told one by one.
    """

    where: Path
    questions: tuple[Question, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """What one training reads.

    Attributes:
        train, test, validation: the questions, in the order of their files; the last may be empty.
        train_file, test_file, validation_file: where they come from.
        using_validation_as_test: no labelled test file is there, or the data set has none.
        skipped: broken lines that were left out, as ``--skip-bad-lines`` allows.
    """

    train: tuple[Question, ...]
    test: tuple[Question, ...]
    train_file: Path
    test_file: Path
    using_validation_as_test: bool
    validation: tuple[Question, ...] = ()
    validation_file: Path | None = None
    skipped: tuple[str, ...] = ()


def split(task: Task, where: Path, entries: Iterable[Entry], skip: bool = False) -> tuple[Split, list[str]]:
    """(the questions of a file, its problems).

    Args:
        task: how its lines are asked.
        where: what the file is called in problems.
        entries: its lines.
        skip: leave broken lines out, and tell of them in the result; they are no problems then.
    """
    found: list[Question] = []
    broken: list[str] = []
    for number, content in entries:
        try:
            found.append(question(task, number, parsed(content)))
        except ValueError as error:
            broken.append(f"{where}, line {number + 1}: {error}")
    if skip and found:
        return Split(where, tuple(found), tuple(broken)), []
    if not found and not broken:
        broken = [f"{where} is empty"]
    if len(broken) > SHOWN:
        broken[SHOWN:] = [f"{where}: {len(broken) - SHOWN} more broken lines"]
    return Split(where, tuple(found)), broken


def question(task: Task, number: int, row: Row) -> Question:
    """One row as a question.

    Raises:
        ValueError: why it cannot be one.
    """
    row = as_line(task.task_type, row)
    options, asked = row.get("options"), row.get("input")
    if not isinstance(asked, str) or not asked.strip():
        raise ValueError("`input` is missing, or no text")
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(option, str) for option in options):
        raise ValueError("`options` is no list of two texts or more")
    answers = task.answers(options)
    if len(set(answers)) < len(answers) or not all(answers):
        raise ValueError(f"two options have the same label, or one has none: {', '.join(map(repr, answers))}")
    return Question(number, task.prompt(asked, options), tuple(answers), _right(row, answers), row)


def _right(row: Row, answers: list[str]) -> int:
    """The index of the right answer; `target`, where there is one, must name the same."""
    index, target = row.get("target_idx"), row.get("target")
    target = None if target is None else str(target).strip()
    if target is not None and target not in answers:
        raise ValueError(f"`target` {target!r} is none of the options ({', '.join(answers)})")
    if target is not None and len(target) == 1 and index == ord(target) - ord("A") < 0:
        # Older scripts counted every label from the letter A, so that the labels 1, 2, ... gave -16, -15, ...
        return answers.index(target)
    if type(index) is not int or not 0 <= index < len(answers):
        raise ValueError(f"`target_idx` is {index!r}; it must be 0 to {len(answers) - 1}")
    if target is not None and target != answers[index]:
        raise ValueError(f"`target` is {target!r}, but `target_idx` {index} stands for {answers[index]!r}")
    return index
