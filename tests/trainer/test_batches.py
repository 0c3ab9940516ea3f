"""Batches in one row and padded batches are the same computation."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from trackhub_trainer.batches import COLLATE, Batch, flat, logits, padded
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoded, Encoder
from trackhub_trainer.module import loss


@pytest.fixture
def examples(encoder: Encoder, questions: tuple[Question, ...]) -> list[Encoded]:
    """Eight examples of different lengths."""
    found = encoder.examples([*questions[:7], Question(7, "Answer:", ("A", "B"), 0)])
    assert len({len(example.ids) for example in found}) > 3
    return found


def gradients(model: Any, batch: Batch) -> tuple[float, Tensor]:
    """(loss, all gradients in a row) of a batch."""
    model.zero_grad()
    value = loss(model, batch)
    value.backward()
    found = [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
    return value.item(), torch.cat(found)


def test_one_row_and_padded_rows_give_the_same_loss_and_gradients(tiny: Any, examples: list[Encoded]) -> None:
    """Flattening changes nothing but the speed."""
    flat_loss, flat_gradients = gradients(tiny, flat(examples))
    padded_loss, padded_gradients = gradients(tiny, padded(examples))
    assert flat_loss == pytest.approx(padded_loss, rel=1e-5)
    assert (flat_gradients - padded_gradients).norm() < 1e-4 * padded_gradients.norm()
    assert padded_gradients.norm() > 0


def test_a_batch_is_the_mean_over_its_examples_alone(tiny: Any, examples: list[Encoded]) -> None:
    """No question sees another one: each alone gives the same answer logits as in company."""
    together = logits(tiny, flat(examples))
    alone = torch.cat([logits(tiny, flat([example])) for example in examples])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


def test_the_trap_a_mask_of_ones_lets_questions_see_each_other(tiny: Any, examples: list[Encoded]) -> None:
    """Why there is no attention mask in one row: with one, transformers keeps nothing apart."""
    batch = flat(examples)
    trapped = batch._replace(attention_mask=torch.ones_like(batch.input_ids))
    assert batch.attention_mask is None
    assert (logits(tiny, trapped) - logits(tiny, batch)).abs().max() > 0.01


def test_logits_only_where_a_label_is_equal_those_of_the_whole(tiny: Any, examples: list[Encoded]) -> None:
    """What is left out was not needed."""
    batch = padded(examples)
    whole = tiny(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
    wanted = whole[batch.rows, batch.keep[batch.slots]]
    torch.testing.assert_close(logits(tiny, batch), wanted, rtol=1e-4, atol=1e-5)
    assert len(batch.keep) < batch.input_ids.shape[1] / 2


@pytest.mark.parametrize("batching", ["flat", "padded"])
def test_only_answers_are_targets_the_end_among_them(batching: str, examples: list[Encoded], tokenizer: Any) -> None:
    """The targets are the answers' tokens, in order, each with the end-of-text token."""
    batch = COLLATE[batching](examples)
    said = tokenizer.decode(batch.targets)
    answers = [tokenizer.decode(example.ids[-example.answer :]) for example in examples]
    assert said == "".join(answers)
    assert said.count(tokenizer.eos_token) == len(examples)
    places = batch.input_ids[batch.rows, batch.keep[batch.slots]]
    assert tokenizer.decode(places[0]) == ":", "the answer is predicted from the end of the prompt"


@pytest.mark.parametrize("batching", ["flat", "padded"])
def test_a_tokenizer_whose_pad_is_its_end_loses_no_end(
    batching: str, questions: tuple[Question, ...], tokenizer: Any
) -> None:
    """Nor one that has no pad at all, nor one that pads on the left: lengths say what is padding, not a token."""
    found, changed = [], deepcopy(tokenizer)
    for pad, side in ((tokenizer.eos_token, "right"), (None, "right"), (tokenizer.eos_token, "left")):
        changed.pad_token, changed.padding_side = pad, side
        found.append(COLLATE[batching](Encoder(changed, 512).examples(questions[:5])))
    for batch in found:
        assert (batch.targets == tokenizer.eos_token_id).sum() == 5
        assert all(torch.equal(one, other) for one, other in zip(batch, found[0], strict=True) if one is not None)
