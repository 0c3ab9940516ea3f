"""Accuracy as lm-evaluation-harness measures it, question by question.

`acc` takes the option with the largest log-likelihood; `acc_norm` divides it by the option's length in characters
first. The seams between the tokens of context and choice are lm-eval's, too (`Encoder.continued`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from trackhub_trainer.batches import Collate
from trackhub_trainer.cloze import Cloze
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import Accuracy, chosen_right
from trackhub_trainer.scoring import scores

UNLIMITED = 10**9
"""Tokenizers that know no length say something larger."""


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

    def named(self) -> dict[str, Accuracy]:
        """Those that there are, by name."""
        return {"acc": self.acc, **({} if self.acc_norm is None else {"acc_norm": self.acc_norm})}


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
