"""Questions as tokens, with the seam between prompt and answer where a language model would put it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trackhub_trainer.data import Question


@dataclass(frozen=True)
class Encoded:
    """Tokens to run through the model, and which of them are to be predicted.

    Attributes:
        ids: the tokens; at least one comes before the answer.
        answer: how many of the last tokens are the answer.
    """

    ids: tuple[int, ...]
    answer: int


class Encoder:
    """Encodes questions for one tokenizer.

    The answer's tokens are what encoding prompt and answer together adds to the prompt alone, so that a merge over
    the seam counts as prompt. Padding plays no part: lengths say where a sequence ends, also if pad is eos.

    Args:
        tokenizer: of the transformers library.
        max_length: of longer sequences the beginning is cut off, never the answer.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._end = tokenizer.eos_token_id
        self._max_length = max_length

    def example(self, question: Question) -> Encoded:
        """A question with its right answer, ended by the end-of-text token: what is trained on."""
        prompt, answer = self._split(question.prompt, question.answers[question.right])
        return self._cut(prompt, [*answer, *([] if self._end is None else [self._end])])

    def examples(self, questions: Iterable[Question]) -> list[Encoded]:
        """`example` of each."""
        return [self.example(question) for question in questions]

    def candidates(self, question: Question) -> list[Encoded]:
        """A question with each of its answers, without an end: what is scored."""
        return [self._cut(*self._split(question.prompt, answer)) for answer in question.answers]

    def continued(self, context: str, continuation: str) -> Encoded:
        """A context and what follows it, which begins with its own blank; blanks that end the context go over to it.

        As lm-evaluation-harness does it (`TemplateLM._encode_pair`), and cut as it cuts: `max_length` tokens are read,
        one more is predicted.
        """
        bare = context.rstrip()
        return self._cut(*self._seam(bare, context[len(bare) :] + continuation), self._max_length + 1)

    def _split(self, prompt: str, answer: str) -> tuple[list[int], list[int]]:
        return self._seam(prompt, f" {answer}")

    def _seam(self, before_it: str, after_it: str) -> tuple[list[int], list[int]]:
        before, whole = self._tokens(before_it), self._tokens(before_it + after_it)
        return whole[: len(before)], whole[len(before) :]

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, verbose=False).input_ids
        return ids[:-1] if ids and ids[-1] == self._end else ids

    def _cut(self, prompt: Sequence[int], answer: Sequence[int], length: int | None = None) -> Encoded:
        room = max((length or self._max_length) - len(answer), 1)
        return Encoded((*prompt[-room:], *answer), len(answer))
