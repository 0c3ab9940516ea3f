"""The learning rate of each step: a warmup, then one of a few shapes. Steps are counted from 1."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackhub_trainer.schedule import Schedule


def at(steps: Schedule, step: int) -> float:
    """The learning rate of a step.

    In the warmup it rises evenly; the step after the warmup is the first with the whole rate. No step has a rate of 0
    unless ``lr2`` is 0 and the shape is ``two-stage``.
    """
    rate = SHAPES[steps.schedule](steps, step)
    return rate if step > steps.warmup_steps else rate * step / (steps.warmup_steps + 1)


def _two_stage(steps: Schedule, step: int) -> float:
    return steps.lr if step <= steps.stage1_steps else steps.lr2


def _linear(steps: Schedule, step: int) -> float:
    return steps.lr2 + (steps.lr - steps.lr2) * (1 - _gone(steps, step))


def _cosine(steps: Schedule, step: int) -> float:
    return steps.lr2 + (steps.lr - steps.lr2) * (1 + cos(pi * _gone(steps, step))) / 2


def _constant(steps: Schedule, _: int) -> float:
    return steps.lr


def _gone(steps: Schedule, step: int) -> float:
    """The share of the steps after the warmup that are done before this one: 0 for the first, never 1."""
    return max(0, step - 1 - steps.warmup_steps) / (steps.max_steps - steps.warmup_steps)


Shape = Callable[["Schedule", int], float]
SHAPES: dict[str, Shape] = {"two-stage": _two_stage, "linear": _linear, "cosine": _cosine, "constant": _constant}
"""By the name of ``--schedule``: the rate of a step, without the warmup."""


def told(steps: Schedule) -> list[tuple[str, str]]:
    """(what, how) for the plan."""
    rows = []
    if steps.warmup_steps:
        rows.append(("warmup", f"steps 1-{steps.warmup_steps}, up to the full learning rate"))
    if steps.schedule == "two-stage":
        one, two, last = steps.stage1_steps, steps.stage2_steps, steps.max_steps
        rows.append(("stage 1", f"steps 1-{one}, learning rate {steps.lr:g}" if one else "none"))
        rows.append(("stage 2", f"steps {one + 1}-{last}, learning rate {steps.lr2:g}" if two else "none"))
    else:
        ends = "" if steps.schedule == "constant" else f" to {steps.lr2:g}"
        rows.append(("learning rate", f"{steps.schedule}, {steps.lr:g}{ends}"))
    return rows
