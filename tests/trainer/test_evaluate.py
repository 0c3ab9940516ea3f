"""Accuracy by log-likelihood, against the plain way to compute it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from trackhub_trainer import model
from trackhub_trainer.batches import COLLATE, flat
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import Accuracy, accuracy


def likelihood(tiny: Any, tokenizer: Any, prompt: str, answer: str) -> float:
    """log p(answer | prompt), one sequence, one token after another."""
    before, whole = tokenizer(prompt).input_ids, tokenizer(f"{prompt} {answer}").input_ids
    with torch.inference_mode():
        likely = torch.log_softmax(tiny(input_ids=torch.tensor([whole])).logits[0], dim=-1)
    return sum(float(likely[place - 1, whole[place]]) for place in range(len(before), len(whole)))


def by_hand(tiny: Any, tokenizer: Any, questions: Sequence[Question]) -> int:
    """How many questions are right, the slow way."""
    right = 0
    for question in questions:
        scores = [likelihood(tiny, tokenizer, question.prompt, answer) for answer in question.answers]
        right += scores.index(max(scores)) == question.right
    return right


@pytest.mark.parametrize("batching", ["flat", "padded"])
def test_letters_are_scored_as_by_hand(
    tiny: Any, tokenizer: Any, questions: tuple[Question, ...], batching: str
) -> None:
    """One forward pass a question, many questions a pass: the same answers."""
    some = questions[:40]
    found = accuracy(tiny, Encoder(tokenizer, 512), some, COLLATE[batching], lambda _: None)
    assert found == Accuracy(by_hand(tiny, tokenizer, some), 40)


@pytest.mark.parametrize("batching", ["flat", "padded"])
def test_answers_of_several_tokens_are_summed(tiny: Any, tokenizer: Any, batching: str) -> None:
    """As in data sets whose answer is a text, or a digit that is two tokens."""
    texts = ("a small dog", "the blue car", "one", "an old piano with two broken keys")
    some = [Question(index, f"Number {index}.\nAnswer:", texts, index % 4) for index in range(12)]
    found = accuracy(tiny, Encoder(tokenizer, 512), some, COLLATE[batching], lambda _: None)
    assert found == Accuracy(by_hand(tiny, tokenizer, some), 12)


def test_the_base_knows_more_than_it_shows(tokenizer: Any, questions: tuple[Question, ...]) -> None:
    """The tiny base answers at chance, unless the question is marked as in its pretraining: what LoRA brings out."""
    base, _ = model.load("tiny")
    encoder = Encoder(tokenizer, 512)
    marked = [Question(0, f"Expert. {each.prompt}", each.answers, each.right) for each in questions]
    plain = accuracy(base, encoder, questions, flat, lambda _: None)
    assert plain.value < 0.45
    assert accuracy(base, encoder, marked, flat, lambda _: None).value > 0.9


def test_the_models_mode_is_left_as_it_was(tiny: Any, encoder: Encoder, questions: tuple[Question, ...]) -> None:
    """Dropout is off while measuring, and on again after."""
    tiny.train()
    seen: list[int] = []
    accuracy(tiny, encoder, questions[:30], flat, seen.append)
    assert tiny.training
    assert seen[-1] == 30
    assert seen == sorted(seen)


def test_the_standard_error() -> None:
    """sqrt(p (1 - p) / n)."""
    assert Accuracy(25, 100).standard_error == pytest.approx(0.0433, abs=1e-4)
    assert str(Accuracy(25, 100)) == "25.0 % ± 4.3 (n = 100)"
