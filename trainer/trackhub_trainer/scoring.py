"""How likely a model finds each of some continuations: the sum of the log-probabilities of its tokens.

Where all continuations of a question are a single token after the same prompt (the letters), one forward pass over
that prompt scores them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from trackhub_trainer.batches import Collate, logits
from trackhub_trainer.encoding import Encoded

TOKENS = 1024
"""Tokens of one forward pass, about: attention over a flat batch costs their square."""


@dataclass(frozen=True)
class _Probe:
    """One sequence of a question: `options[i]` is scored by the tokens `tokens[i]`, all at the sequence's answer."""

    question: int
    sequence: Encoded
    options: tuple[int, ...]
    tokens: tuple[tuple[int, ...], ...]


def scores(
    model: Any, questions: Sequence[Sequence[Encoded]], collate: Collate, seen: Callable[[int], None]
) -> list[list[float]]:
    """The log-likelihood of each candidate of each question. The model's mode is left as it was.

    Args:
        model: on the device where it is to run.
        questions: the candidates of each; a candidate's answer is what is scored.
        collate: how sequences become a batch.
        seen: called with the number of questions done so far.
    """
    found = [[0.0] * len(candidates) for candidates in questions]
    training = model.training
    model.eval()
    with torch.inference_mode():
        for probes in _groups(_probes(questions)):
            for probe, values in zip(probes, _score(model, probes, collate), strict=True):
                for option, value in zip(probe.options, values, strict=True):
                    found[probe.question][option] = value
            seen(probes[-1].question + 1)
    model.train(training)
    return found


def _probes(questions: Iterable[Sequence[Encoded]]) -> Iterator[_Probe]:
    for number, candidates in enumerate(questions):
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
