"""Early stopping: the training ends when a metric, any that is logged, has not improved for some while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer

from trackhub_trainer.each_step import EachStep
from trackhub_trainer.patience import Rule
from trackhub_trainer.watch import Watch


class EarlyStop(EachStep):
    """Looks at the metric at each step that logs it, and ends the training; a value that is no number is no better.

    Args:
        rule: when to stop.
        watch: the metrics.
        save: told to save the step at which the training ends.
        say: told why it ends, in a line.
    """

    def __init__(self, rule: Rule, watch: Watch, save: Callable[[Trainer], None], say: Callable[[str], None]) -> None:
        self._rule = rule
        self._watch = watch
        self._save = save
        self._say = say
        self._best = float("inf")
        self._waited = 0

    def after_step(self, trainer: Trainer, step: int, *_: Any) -> None:
        """Stop all ranks where rank 0 has lost its patience: it alone may know the metric."""
        over = self._over(step)
        if trainer.world_size > 1:
            over = trainer.strategy.reduce_boolean_decision(over, all=False)
        if over and step < trainer.max_steps:
            self._save(trainer)
            trainer.should_stop = True
            count, metric = self._rule.patience, self._rule.metric
            self._say(f"stopped early at step {step}: {metric} was no better in {count} values in a row")

    def _over(self, step: int) -> bool:
        value = self._watch.at(self._rule.metric, step)
        if value is None:
            return False
        better = value * self._rule.sign < self._best
        self._best = value * self._rule.sign if better else self._best
        self._waited = 0 if better else self._waited + 1
        return self._waited >= self._rule.patience

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on must know."""
        return {"of": [self._rule.metric, self._rule.sign], "best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on waiting; for another metric, from the beginning."""
        if state["of"] == [self._rule.metric, self._rule.sign]:
            self._best, self._waited = state["best"], state["waited"]
