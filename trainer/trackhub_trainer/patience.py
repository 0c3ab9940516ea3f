"""``--early-stop`` as the user writes it."""

from __future__ import annotations

from dataclasses import dataclass

from trackhub_trainer.policies import lower_is_better


@dataclass(frozen=True)
class Rule:
    """``--early-stop METRIC:TIMES``.

    Attributes:
        metric: the name that it is logged under.
        patience: so many values in a row may be no better than the best before them.
        sign: 1 where lower is better, else -1.
    """

    metric: str
    patience: int
    sign: int


def rule(text: str) -> Rule:
    """The rule as the user writes it: "val/loss:5", or "val/accuracy:5@max".

    Raises:
        ValueError: what is wrong with it.
    """
    words, _, direction = text.partition("@")
    metric, _, patience = words.rpartition(":")
    if not metric or not patience.isdecimal() or int(patience) < 1 or direction not in ("", "min", "max"):
        raise ValueError("wants METRIC:TIMES, such as val/loss:5, and @min or @max behind it if need be")
    down = direction == "min" if direction else lower_is_better(metric)
    return Rule(metric, int(patience), 1 if down else -1)
