"""Questions as lm-evaluation-harness asks them: the options are not listed, each is scored as the question's end.

Prompts and choices are those of its tasks arc_easy, arc_challenge, openbookqa, piqa, hellaswag, boolq and
winogrande (version 0.4.13, without examples). `cloze_accuracy` measures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trackhub_trainer.data import SHOWN, Question, Split
from trackhub_trainer.rows import PASSAGE, Row
from trackhub_trainer.tasks import Task

LABEL = re.compile(r"^\s*\(?\w{1,2}\)?: ?")
"""What stands before an option in a line."""


@dataclass(frozen=True)
class Cloze:
    """One question as it is asked.

    Attributes:
        pairs: (context, continuation) of each option; a continuation begins with its blank.
        lengths: characters of each option, for `acc_norm`; None where that says nothing.
        right: which of them is right, 0-based.
        lost: what the line has lost of the original, so that the score is not quite lm-eval's; empty if nothing.
    """

    pairs: tuple[tuple[str, str], ...]
    lengths: tuple[int, ...] | None
    right: int
    lost: str = ""


def ask(task: Task, question: Question) -> Cloze:
    """A question as lm-evaluation-harness asks it.

    Raises:
        ValueError: it cannot be asked so.
    """
    return ASK[task.task_type](task, question.row, question.right)


def _multiple_choice(task: Task, row: Row, right: int) -> Cloze:
    """Without the labels; OpenBookQA's questions are sentences that the option ends."""
    texts = [LABEL.sub("", option) for option in row["options"]]
    asked = row["input"]
    return _ended(asked if task.name == "openbookqa" else f"Question: {asked}\nAnswer:", texts, right)


def _physical(_: Task, row: Row, right: int) -> Cloze:
    return _ended(f"Question: {row['input']}\nAnswer:", row["options"], right)


def _completion(_: Task, row: Row, right: int) -> Cloze:
    """A line without the raw fields lacks the activity that the original's context begins with."""
    endings = [_cleaned(ending) for ending in row["options"]]
    if not all(name in row for name in ("activity_label", "ctx_a", "ctx_b")):
        return _ended(_cleaned(row["input"]), endings, right, "the activity is not in the lines")
    context = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    return _ended(_cleaned(context), endings, right)


def _cleaned(text: str) -> str:
    """HellaSwag without the marks of WikiHow."""
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def _yes_no(_: Task, row: Row, right: int) -> Cloze:
    """Yes or no. In a line, the passage may have been cut."""
    asked, _, cut = row["input"].removeprefix("Question: ").partition("\nPassage: ")
    whole = isinstance(row.get("passage"), str)
    passage = row["passage"] if whole else cut
    lost = "" if whole or len(passage.removesuffix("...")) != PASSAGE else f"the passage is cut at {PASSAGE} characters"
    words = ["yes" if option.strip().lower() in ("true", "yes") else "no" for option in row["options"]]
    found = _ended(f"{passage}\nQuestion: {asked}?\nAnswer:", words, right, lost)
    return Cloze(found.pairs, None, found.right, found.lost)


def _pronoun(_: Task, row: Row, right: int) -> Cloze:
    """The end of the sentence is scored, after its beginning with each of the names."""
    before, blank, after = row["input"].partition("_")
    if not blank:
        raise ValueError("`input` holds no _ for the name")
    end = f" {after.strip()}"
    return Cloze(tuple((before + option, end) for option in row["options"]), None, right)


def _ended(context: str, choices: Sequence[str], right: int, lost: str = "") -> Cloze:
    """The same context with each of the choices."""
    return Cloze(tuple((context, f" {choice}") for choice in choices), tuple(map(len, choices)), right, lost)


def problems(task: Task, split: Split, instead: str) -> list[str]:
    """The questions that cannot be asked, a line each, with what to do `instead`."""
    found = []
    for question in split.questions:
        try:
            ask(task, question)
        except ValueError as error:
            found.append(f"{split.where}, line {question.line + 1}: {error} ({instead})")
    return found[:SHOWN]


ASK: dict[str, Callable[[Task, Row, int], Cloze]] = {
    "multiple_choice": _multiple_choice,
    "yes_no_question": _yes_no,
    "physical_reasoning": _physical,
    "pronoun_resolution": _pronoun,
    "sentence_completion": _completion,
}
"""By the `task_type` of the data set."""
