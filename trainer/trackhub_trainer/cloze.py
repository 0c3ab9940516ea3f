"""Accuracy as lm-evaluation-harness measures it: the options are not listed, each is scored as the question's end.

`acc` takes the option with the largest log-likelihood; `acc_norm` divides it by the option's length in characters
first. Prompts and choices are those of its tasks arc_easy, arc_challenge, openbookqa, piqa, hellaswag, boolq and
winogrande (version 0.4.13, without examples), and so are the seams between the tokens of context and choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from trackhub_trainer.batches import Collate
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import Accuracy, chosen_right
from trackhub_trainer.rows import PASSAGE, Row
from trackhub_trainer.scoring import scores
from trackhub_trainer.tasks import Task

UNLIMITED = 10**9
"""Tokenizers that know no length say something larger."""
LABEL = re.compile(r"^\s*\w{1,2}: ?")
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


@dataclass(frozen=True)
class ClozeAccuracy:
    """Both accuracies.

    Attributes:
        acc: by the log-likelihood.
        acc_norm: by the log-likelihood over the length; None for BoolQ and WinoGrande.
        lost: how many questions have lost something of the original, by what it is.
    """

    acc: Accuracy
    acc_norm: Accuracy | None
    lost: dict[str, int]


def measure(
    model: Any, encoder: Encoder, asked: Sequence[Cloze], collate: Collate, seen: Callable[[int], None]
) -> ClozeAccuracy:
    """The accuracies on questions; the arguments are those of `evaluate.accuracy`.

    `encoder` cuts at the length that the model can read, for only then the numbers are lm-eval's.
    """
    found = likelihoods(model, encoder, asked, collate, seen)
    right = [each.right for each in asked]
    by_length = None
    if all(each.lengths for each in asked):
        shares = [
            [value / length if length else -inf for value, length in zip(values, each.lengths or (), strict=True)]
            for values, each in zip(found, asked, strict=True)
        ]
        by_length = chosen_right(shares, right)
    lost = [each.lost for each in asked if each.lost]
    return ClozeAccuracy(
        chosen_right(found, right), by_length, {what: lost.count(what) for what in dict.fromkeys(lost)}
    )


def likelihoods(
    model: Any, encoder: Encoder, asked: Sequence[Cloze], collate: Collate, seen: Callable[[int], None]
) -> list[list[float]]:
    """The log-likelihood of each option of each question."""
    return scores(model, [[encoder.continued(*pair) for pair in each.pairs] for each in asked], collate, seen)


def reach(model: Any, tokenizer: Any) -> int:
    """The tokens that a model can read, as lm-evaluation-harness finds them."""
    settings = model.config.get_text_config()
    names = ("n_positions", "max_position_embeddings", "n_ctx")
    found = next((getattr(settings, name) for name in names if getattr(settings, name, None)), None)
    told = getattr(tokenizer, "model_max_length", None) or UNLIMITED
    return int(found or (told if told < UNLIMITED else 2048))


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


ASK: dict[str, Callable[[Task, Row, int], Cloze]] = {
    "multiple_choice": _multiple_choice,
    "yes_no_question": _yes_no,
    "physical_reasoning": _physical,
    "pronoun_resolution": _pronoun,
    "sentence_completion": _completion,
}
"""By the `task_type` of the data set."""
