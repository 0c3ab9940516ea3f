"""Saves a checkpoint after each step that a policy claims."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from trackhub_trainer.checkpoints import file_name
from trackhub_trainer.each_step import EachStep
from trackhub_trainer.policies import At, Best, Improve, Moment, Policy
from trackhub_trainer.saving import LOSS
from trackhub_trainer.stock import UNKNOWN, Stock
from trackhub_trainer.watch import Watch

Saved = Callable[[Path, int, Mapping[str, Any]], None]
"""Told of a checkpoint that exists: its path, its step, the metrics of that step."""
STOPPED = "stopped"
"""Claims the checkpoint of a training that is told to stop."""

log = logging.getLogger("trackhub_trainer")


class Keeper(EachStep):
    """Asks the policies after each step, and saves.

    What is the best checkpoint, which the budget spares, goes by the metric of the first `best` or `improve`, else by
    the loss.

    Args:
        folder: where the files go.
        policies: who decides.
        max_steps: the last step.
        watch: the metrics.
        saved: told of each file when it exists.
        budget: bytes that all files together may take.
    """

    def __init__(
        self,
        folder: Path,
        policies: Sequence[Policy],
        max_steps: int,
        watch: Watch,
        saved: Saved,
        budget: int | None = None,
    ) -> None:
        self._policies = policies
        self._max_steps = max_steps
        self._watch = watch
        self._saved = saved
        self._stock = Stock(folder, policies, budget)
        self._judge = next((one for one in policies if isinstance(one, Best | Improve)), None)
        self._judged = budget is not None or self._judge is not None
        self._costs: list[float] = []
        self._since = time.monotonic()

    def on_train_start(self, *_: Any) -> None:
        """The clock starts."""
        self._since = time.monotonic()

    def after_step(self, trainer: Trainer, step: int, *_: Any) -> None:
        """Save, where a policy claims the step."""
        claims = self._asked(step)
        if trainer.world_size > 1 and not all(isinstance(policy, At) for policy in self._policies):
            claims = trainer.strategy.broadcast(claims)  # clocks and losses differ by rank
        if claims:
            self.save(trainer, claims)

    def save(self, trainer: Trainer, claims: Mapping[str, float]) -> None:
        """Save the step that has just been done, for those who claim it."""
        step = trainer.global_step
        self._stock.claim(step, claims)
        if self._stock.last_step == step:
            return
        path = self._stock.folder / file_name(step, self._max_steps)
        kept = self._stock.add(step, path.name, self._worth(step))
        began = time.monotonic()
        trainer.save_checkpoint(path, weights_only=False)
        self._since = time.monotonic()
        self._costs.append(self._since - began)
        if trainer.is_global_zero:
            kept.size = path.stat().st_size
            self._saved(path, step, self._watch.row(step))
            self._stock.take_back()

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on from a checkpoint must know; plain Python."""
        return {**self._stock.state(), "costs": self._costs, "judge": self._judged_by()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as if there had been no break; what was judged by another metric counts as not judged."""
        self._stock.restore(state, judged=state.get("judge") == self._judged_by())
        self._costs = list(state["costs"])

    def _asked(self, step: int) -> dict[str, float]:
        """Who claims this step."""
        cost = sum(self._costs) / len(self._costs) if self._costs else None
        idle = time.monotonic() - self._since
        claims = {}
        for policy in self._policies:
            earlier = self._stock.earlier(policy.text)
            moment = Moment(step, idle, cost, lambda name: self._watch.at(name, step), earlier)
            if (worth := policy.claim(moment)) is not None:
                claims[policy.text] = worth
        return claims

    def _worth(self, step: int) -> float:
        metric, sign = self._judged_by()
        value = self._watch.at(metric, step) if self._judged else None
        return UNKNOWN if value is None or value != value else value * sign

    def _judged_by(self) -> tuple[str, int]:
        return (self._judge.metric, self._judge.sign) if self._judge else (LOSS, 1)
