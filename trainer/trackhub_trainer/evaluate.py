"""Accuracy on multiple-choice questions: which option's answer the model finds likeliest, on the trainer's own prompt.

For letters and numbers that is one forward pass a question, and the largest of the logits of the labels. The other
accuracy, that of lm-evaluation-harness, is in `cloze_accuracy`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from trackhub_trainer.batches import Collate
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.scoring import scores


@dataclass(frozen=True)
class Accuracy:
    """How many of the questions were answered right."""

    right: int
    questions: int

    @property
    def value(self) -> float:
        """The share that is right, 0 to 1."""
        return self.right / self.questions

    @property
    def standard_error(self) -> float:
        """sqrt(p (1 - p) / n): how far the value would scatter over samples of questions."""
        return sqrt(self.value * (1 - self.value) / self.questions)

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ± {100 * self.standard_error:.1f} (n = {self.questions})"


def accuracy(
    model: Any, encoder: Encoder, questions: Sequence[Question], collate: Collate, seen: Callable[[int], None]
) -> Accuracy:
    """The model's accuracy on `questions`; ties go to the first option. The model's mode is left as it was.

    Args:
        model: on the device where it is to run.
        encoder: of its tokenizer.
        questions: at least one.
        collate: how sequences become a batch.
        seen: called with the number of questions done so far.
    """
    found = scores(model, [encoder.candidates(question) for question in questions], collate, seen)
    return chosen_right(found, [question.right for question in questions])


def chosen_right(scored: Sequence[Sequence[float]], right: Sequence[int]) -> Accuracy:
    """How often the largest of a question's scores is that of the right option."""
    chosen = [values.index(max(values)) for values in map(list, scored)]
    return Accuracy(sum(index == wanted for index, wanted in zip(chosen, right, strict=True)), len(right))
