"""When a checkpoint is saved: policies as in ``--save last:50,best:3@val/loss``. Each is one small method.

A policy is asked after every step, and claims the checkpoint of that step or not. A step that at least one of them
claims is saved, once. What a claim is worth, the lower the better, is remembered: `best` and `improve` look back at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import NamedTuple, Protocol


class Moment(NamedTuple):
    """What a policy sees after a step.

    Attributes:
        step: the step that has just been done, counted from 1.
        idle: seconds since the last checkpoint, or since the training began.
        cost: seconds that saving one takes, the mean so far; None before the first.
        measured: the value of a metric, if it was logged at this very step, else None.
        earlier: what the policy's own claims were worth, the oldest first; only those that still stand.
    """

    step: int
    idle: float
    cost: float | None
    measured: Callable[[str], float | None]
    earlier: Sequence[float]


class Policy(Protocol):
    """When to save. `text` is how the user wrote it; `limit`, if any, how many claims stand at most."""

    @property
    def text(self) -> str:
        """How it is written after ``--save``."""

    @property
    def limit(self) -> int | None:
        """How many of its claims stand: a better one takes the place of the worst."""

    def claim(self, moment: Moment) -> float | None:
        """None if it wants no checkpoint of this step; else what that is worth to it, the lower the better."""


@dataclass(frozen=True)
class At:
    """Saves at steps that are known in advance: ``last:N``, ``every:N``, ``smart:K``."""

    text: str
    steps: frozenset[int]
    limit: None = None

    def claim(self, moment: Moment) -> float | None:
        """Its steps."""
        return 0.0 if moment.step in self.steps else None


@dataclass(frozen=True)
class Best:
    """Keeps the best few by a metric, ``best:K@METRIC``: a better one takes the place of the worst.

    Attributes:
        sign: 1 where lower is better, else -1.
    """

    text: str
    limit: int
    metric: str
    sign: int

    def claim(self, moment: Moment) -> float | None:
        """A step where the metric was logged, and is among the best."""
        value = _worth(moment, self.metric, self.sign)
        if value is None or (len(moment.earlier) >= self.limit and value >= max(moment.earlier)):
            return None
        return value


@dataclass(frozen=True)
class Improve:
    """Saves whenever a metric has improved by a fraction since it last did, ``improve:0.01@METRIC``."""

    text: str
    fraction: float
    metric: str
    sign: int
    limit: None = None

    def claim(self, moment: Moment) -> float | None:
        """The first value is the mark to beat, and is saved too."""
        value = _worth(moment, self.metric, self.sign)
        if value is None or not moment.earlier:
            return value
        mark = moment.earlier[-1]
        return value if value <= mark - self.fraction * abs(mark) else None


@dataclass(frozen=True)
class Every:
    """Saves when the last checkpoint, whichever policy wanted it, is some time ago: ``time:10m``."""

    text: str
    seconds: float
    limit: None = None

    def claim(self, moment: Moment) -> float | None:
        """By the clock."""
        return 0.0 if moment.idle >= self.seconds else None


@dataclass(frozen=True)
class YoungDaly:
    """Saves so often that saving and repeating lost steps cost least together: ``young-daly:MTBF``.

    Attributes:
        between: the mean time between failures, in seconds.
    """

    text: str
    between: float
    limit: None = None

    def claim(self, moment: Moment) -> float | None:
        """The first step measures the cost of saving; from then on by the clock."""
        return 0.0 if moment.cost is None or moment.idle >= optimum(moment.cost, self.between) else None


def optimum(cost: float, between: float) -> float:
    """Seconds between two checkpoints that each cost `cost` seconds, with failures `between` seconds apart.

    Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps" (2006), equation 37; its
    first term, sqrt(2 cost between), is Young's.
    """
    if cost >= 2 * between:
        return between
    part = cost / (2 * between)
    return sqrt(2 * cost * between) * (1 + sqrt(part) / 3 + part / 9) - cost


def smart(most: int, max_steps: int, warmup_steps: int) -> frozenset[int]:
    """At most `most` steps: the end of the warmup and the end of the training, and the rest evenly between.

    With steps from 0, as in the formula: interval = (max_steps - 1 - warmup_steps) / (remaining slots + 1). The steps
    that are returned count from 1, so without a warmup the first is step 1.
    """
    if most == 1:
        return frozenset({max_steps})
    interval = (max_steps - 1 - warmup_steps) / (most - 1)
    return frozenset(1 + round(warmup_steps + slot * interval) for slot in range(most))


def lower_is_better(metric: str) -> bool:
    """Whether a metric is a loss of some kind; an accuracy, a score or an F1 is not."""
    words = metric.lower().replace("/", "_").replace("-", "_").split("_")
    return not any(word in {"acc", "accuracy", "f1", "score", "bleu", "rouge"} for word in words)


def _worth(moment: Moment, metric: str, sign: int) -> float | None:
    value = moment.measured(metric)
    return None if value is None or not isfinite(value) else sign * value
