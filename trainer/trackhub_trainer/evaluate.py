"""Accuracy on multiple-choice questions: which option's answer the model finds likeliest, on the trainer's own prompt.

The score of an option is the sum of the log-probabilities of its answer's tokens. Where every answer is a single
token (the letters), one forward pass over the prompt scores all options at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch

from trackhub_trainer.batches import Collate, logits
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoded, Encoder

TOKENS = 1024
"""Tokens of one forward pass, about: attention over a flat batch costs their square."""


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


@dataclass(frozen=True)
class _Probe:
    """One sequence of a question: `options[i]` is scored by the tokens `tokens[i]`, all at the sequence's answer."""

    question: int
    sequence: Encoded
    options: tuple[int, ...]
    tokens: tuple[tuple[int, ...], ...]


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
    scores = [[0.0] * len(question.answers) for question in questions]
    training = model.training
    model.eval()
    with torch.inference_mode():
        for probes in _groups(_probes(encoder, questions)):
            for probe, values in zip(probes, _score(model, probes, collate), strict=True):
                for option, value in zip(probe.options, values, strict=True):
                    scores[probe.question][option] = value
            seen(probes[-1].question + 1)
    model.train(training)
    chosen = [values.index(max(values)) for values in scores]
    right = sum(index == question.right for index, question in zip(chosen, questions, strict=True))
    return Accuracy(right, len(questions))


def _probes(encoder: Encoder, questions: Sequence[Question]) -> Iterator[_Probe]:
    for number, question in enumerate(questions):
        candidates = encoder.candidates(question)
        prompts = {sequence.ids[:-1] for sequence in candidates}
        if len(prompts) == 1 and all(sequence.answer == 1 for sequence in candidates):
            tokens = tuple((sequence.ids[-1],) for sequence in candidates)
            yield _Probe(number, candidates[0], tuple(range(len(tokens))), tokens)
            continue
        for option, sequence in enumerate(candidates):
            answer = sequence.ids[len(sequence.ids) - sequence.answer :]
            yield _Probe(number, sequence, (option,), (answer,))


def _groups(probes: Iterator[_Probe]) -> Iterator[list[_Probe]]:
    """Probes by the forward pass, about `TOKENS` tokens each."""
    group: list[_Probe] = []
    for probe in probes:
        if group and sum(len(each.sequence.ids) for each in (*group, probe)) > TOKENS:
            yield group
            group = []
        group.append(probe)
    if group:
        yield group


def _score(model: Any, probes: list[_Probe], collate: Collate) -> Iterator[list[float]]:
    """The score of each option of each probe."""
    device = next(model.parameters()).device
    batch = collate([probe.sequence for probe in probes]).to(device)
    likely = torch.log_softmax(logits(model, batch).float(), dim=-1).cpu()
    first = 0
    for probe in probes:
        places = torch.arange(first, first + probe.sequence.answer)
        yield [float(likely[places, torch.tensor(tokens)].sum()) for tokens in probe.tokens]
        first += probe.sequence.answer
