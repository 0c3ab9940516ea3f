"""The data sets that the trainer knows: how a question of each is asked, and what counts as its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Options = Sequence[str]


def _as_given(options: Options) -> list[str]:
    """Options that carry their labels: "A: dry palms"."""
    return list(options)


def _numbered(options: Options) -> list[str]:
    return [f"{number}: {option}" for number, option in enumerate(options, 1)]


def _dashed(options: Options) -> list[str]:
    return [f"- {option}" for option in options]


def _labels(options: Options) -> list[str]:
    """What stands before the colon: A, B, C, ... (some raw ARC items have 1, 2, 3, ...)."""
    return [option.partition(":")[0].strip() for option in options]


def _numbers(options: Options) -> list[str]:
    return [str(number) for number in range(1, len(options) + 1)]


def _texts(options: Options) -> list[str]:
    return [option.strip() for option in options]


@dataclass(frozen=True)
class Task:
    """One data set.

    Attributes:
        name: as in ``--dataset`` and in the names of its files.
        answers: the answer that each option is trained and scored by: a letter, a number, or the option itself.
        shown: the options as lines of the prompt.
        question: how the prompt begins, with ``{input}`` in it.
        labelled_test: whether it has a labelled test file; if not, validation serves as test.
        task_type: as in its lines; says what its raw rows look like.
    """

    name: str
    answers: Callable[[Options], list[str]] = _labels
    shown: Callable[[Options], list[str]] = _as_given
    question: str = "Question: {input}"
    labelled_test: bool = True
    task_type: str = "multiple_choice"

    def prompt(self, question: str, options: Options) -> str:
        """The text before the answer; a blank and the answer follow."""
        lines = [self.question.replace("{input}", question.strip()), *self.shown(options), "Answer:"]
        return "\n".join(lines)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("sample"),
        Task("arc-challenge"),
        Task("arc-easy"),
        Task("openbookqa"),
        Task("boolq", _texts, _dashed, "{input}", labelled_test=False, task_type="yes_no_question"),
        Task("piqa", _texts, _dashed, "Goal: {input}", labelled_test=False, task_type="physical_reasoning"),
        Task(
            "winogrande", _numbers, _numbered, "Sentence: {input}", labelled_test=False, task_type="pronoun_resolution"
        ),
        Task("hellaswag", _texts, _dashed, "Context: {input}", labelled_test=False, task_type="sentence_completion"),
    )
}
