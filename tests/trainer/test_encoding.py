"""Where prompts end and answers begin, in tokens."""

from __future__ import annotations

import copy
from typing import Any

from trackhub_trainer.batches import padded
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder

QUESTION = Question(0, "Question: Which?\nA: pear\nB: hammer\nAnswer:", ("A", "B"), 1)


def test_an_example_is_prompt_answer_and_end(tokenizer: Any) -> None:
    """The answer begins with its blank."""
    example = Encoder(tokenizer, 512).example(QUESTION)
    assert tokenizer.decode(example.ids) == f"{QUESTION.prompt} B{tokenizer.eos_token}"
    assert tokenizer.decode(example.ids[-example.answer :]) == f" B{tokenizer.eos_token}"


def test_candidates_have_no_end(tokenizer: Any) -> None:
    """The end of the text is not part of an option's score."""
    candidates = Encoder(tokenizer, 512).candidates(QUESTION)
    assert [tokenizer.decode(each.ids[-each.answer :]) for each in candidates] == [" A", " B"]


def test_a_long_question_loses_its_beginning_never_its_answer(tokenizer: Any) -> None:
    """What is cut off is the oldest text."""
    example = Encoder(tokenizer, 16).example(QUESTION)
    assert len(example.ids) == 16
    assert tokenizer.decode(example.ids).endswith(f"Answer: B{tokenizer.eos_token}")


def test_a_tokenizer_whose_pad_is_its_eos_still_learns_to_end(tokenizer: Any) -> None:
    """Padding is masked by length: the true end of each answer stays a target, and nothing behind it is one."""
    same = copy.deepcopy(tokenizer)
    same.pad_token = same.eos_token
    encoder = Encoder(same, 512)
    short = Question(1, "Answer:", ("A", "B"), 0)
    batch = padded([encoder.example(QUESTION), encoder.example(short)])
    assert batch.attention_mask is not None
    assert batch.targets.tolist().count(same.eos_token_id) == 2
    hidden = batch.attention_mask[batch.rows, batch.keep[batch.slots]]
    assert hidden.tolist() == [1] * len(batch.targets)
    assert batch.attention_mask.sum(dim=1).tolist() == [
        len(encoder.example(QUESTION).ids) - 1,
        len(encoder.example(short).ids) - 1,
    ], "the end itself is predicted, and read by nobody"
