"""Reading the data files, and every reason why a line of them cannot be trained on."""

from __future__ import annotations

import ast
import json
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackhub_trainer.tasks import Task

BUILT_IN = Path(__file__).parent / "assets"
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
    """

    line: int
    prompt: str
    answers: tuple[str, ...]
    right: int


@dataclass(frozen=True)
class Data:
    """What one training reads.

    Attributes:
        train, test: the questions, in the order of their files.
        train_file, test_file: where they come from.
        using_validation_as_test: no labelled test file is there, or the data set has none.
    """

    train: tuple[Question, ...]
    test: tuple[Question, ...]
    train_file: Path
    test_file: Path
    using_validation_as_test: bool


def read(task: Task, data_dir: Path) -> tuple[Data, list[str]]:
    """(the data, what is wrong with it). With problems, the data is not to be used."""
    base = _folder(task, data_dir)
    train_file = _file(base, task, "train")
    test_file = _file(base, task, "test")
    from_validation = not task.labelled_test or not test_file.exists()
    if from_validation and _file(base, task, "validation").exists():
        test_file = _file(base, task, "validation")
    train, problems = questions(task, train_file)
    test, more = questions(task, test_file)
    if not base.is_dir():
        problems, more = [_no_folder(task, base)], []
    return Data(train, test, train_file, test_file, from_validation), problems + more


def _folder(task: Task, data_dir: Path) -> Path:
    """The folder of a data set; the sample ships with the trainer."""
    given = data_dir / task.name
    return BUILT_IN / "sample" if task.name == "sample" and not given.is_dir() else given


def _file(base: Path, task: Task, split: str) -> Path:
    return base / f"{task.name}_{split}_formatted.jsonl"


def _no_folder(task: Task, base: Path) -> str:
    wanted = f"DIR/{task.name}/{task.name}_train_formatted.jsonl"
    return f"no folder {base}: --data-dir DIR names the folder that holds {wanted}"


def questions(task: Task, path: Path) -> tuple[tuple[Question, ...], list[str]]:
    """(the questions of a file, its problems); blank lines are passed over, but count as lines."""
    try:
        content = path.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        return (), [f"{path} cannot be read: {error.strerror}"]
    found, problems = [], []
    for number, line in enumerate(content.split(b"\n")):
        if line.strip():
            try:
                found.append(question(task, number, line.decode()))
            except ValueError as error:
                problems.append(f"{path}, line {number + 1}: {error}")
    if not found and not problems:
        problems = [f"{path} is empty"]
    if len(problems) > SHOWN:
        problems[SHOWN:] = [f"{path}: {len(problems) - SHOWN} more broken lines"]
    return tuple(found), problems


def question(task: Task, number: int, line: str) -> Question:
    """One line as a question.

    Raises:
        ValueError: why it cannot be one.
    """
    row = _parsed(line)
    options, asked = row.get("options"), row.get("input")
    if not isinstance(asked, str) or not asked.strip():
        raise ValueError("`input` is missing, or no text")
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(option, str) for option in options):
        raise ValueError("`options` is no list of two texts or more")
    answers = task.answers(options)
    if len(set(answers)) < len(answers) or not all(answers):
        raise ValueError(f"two options have the same label, or one has none: {', '.join(map(repr, answers))}")
    return Question(number, task.prompt(asked, options), tuple(answers), _right(row, answers))


def _parsed(line: str) -> dict[str, Any]:
    """A JSON object; or, from older scripts, the repr of a Python dict, read without running it."""
    try:
        row = json.loads(line)
    except ValueError as error:
        try:
            row = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise ValueError(f"no valid JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    return row


def _right(row: dict[str, Any], answers: list[str]) -> int:
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
