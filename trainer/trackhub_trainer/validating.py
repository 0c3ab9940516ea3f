"""Measures while training goes on: loss and accuracy on the first validation questions, every so many steps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import Trainer

from trackhub_trainer.batches import Collate
from trackhub_trainer.data import Question
from trackhub_trainer.each_step import EachStep
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import chosen_right
from trackhub_trainer.scoring import scores

LOSS, ACCURACY = "val/loss", "val/accuracy"

log = logging.getLogger("trackhub_trainer")


@dataclass(frozen=True)
class Validation:
    """The questions, encoded once.

    Attributes:
        examples: each with its right answer and the end: the loss, as in training.
        candidates: each with all of its answers: the accuracy.
        right: which answer is right.
    """

    examples: Sequence[Any]
    candidates: Sequence[Any]
    right: Sequence[int]

    @classmethod
    def of(cls, encoder: Encoder, questions: Sequence[Question]) -> Validation:
        """Questions, encoded."""
        candidates = [encoder.candidates(question) for question in questions]
        return cls(encoder.examples(questions), candidates, [question.right for question in questions])

    def share(self, rank: int, ranks: int) -> Validation:
        """What one of several ranks measures."""
        return Validation(self.examples[rank::ranks], self.candidates[rank::ranks], self.right[rank::ranks])

    def sums(self, model: Any, collate: Collate) -> tuple[float, int, int]:
        """(negative log-likelihood of all right answers, their tokens, questions that are answered right)."""
        if not self.right:
            return 0.0, 0, 0
        likely = scores(model, [[example] for example in self.examples], collate, lambda _: None)
        answered = chosen_right(scores(model, self.candidates, collate, lambda _: None), self.right)
        return -sum(value for [value] in likely), sum(example.answer for example in self.examples), answered.right


class ValidateEvery(EachStep):
    """Logs `val/loss` and `val/accuracy` before the first step, every `every` steps, and after the last.

    Nothing of the training changes by it: dropout is off meanwhile, and no random number is drawn.

    Args:
        every: steps.
        max_steps: the last step.
        questions: what is measured; several ranks share them.
        collate: how sequences become a batch.
        autocast: the training's mixed precision.
        log: where the metrics go.
    """

    def __init__(
        self,
        every: int,
        max_steps: int,
        questions: Validation,
        collate: Collate,
        autocast: Callable[[], AbstractContextManager[object]],
        log: Callable[[dict[str, Any], int], None],
    ) -> None:
        self._every = every
        self._max_steps = max_steps
        self._questions = questions
        self._collate = collate
        self._autocast = autocast
        self._log = log

    def on_train_start(self, trainer: Trainer, module: Any) -> None:
        """Before the first step; a training that goes on has been measured where it stopped."""
        if trainer.global_step == 0:
            self._measure(trainer, module.model, 0)

    def after_step(self, trainer: Trainer, step: int, _: Any) -> None:
        """Where it is time."""
        if step % self._every == 0 or step == self._max_steps:
            self._measure(trainer, trainer.lightning_module.model, step)

    def _measure(self, trainer: Trainer, model: Any, step: int) -> None:
        share = self._questions.share(trainer.global_rank, trainer.world_size)
        with self._autocast():
            sums = share.sums(model, self._collate)
        if trainer.world_size > 1:
            device = next(model.parameters()).device
            mine = torch.tensor(sums, dtype=torch.float64, device=device)
            sums = tuple(trainer.strategy.reduce(mine, reduce_op="sum").tolist())
        loss, tokens, right = sums
        measured = {LOSS: loss / tokens, ACCURACY: right / len(self._questions.right)}
        self._log(measured, step)
        log.info("step %s: %s", step, "  ".join(f"{name} {value:.4f}" for name, value in measured.items()))
