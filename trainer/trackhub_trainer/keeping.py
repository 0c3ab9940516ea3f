"""Saves a checkpoint after each step that a policy claims, and takes back those that none claims any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from trackhub_trainer.checkpoints import file_name
from trackhub_trainer.each_step import EachStep
from trackhub_trainer.policies import At, Best, Improve, Moment, Policy
from trackhub_trainer.saving import LOSS
from trackhub_trainer.watch import Watch

Saved = Callable[[Path, int, Mapping[str, Any]], None]
"""Told of a checkpoint that exists: its path, its step, the metrics of that step."""
STOPPED = "stopped"
"""Claims the checkpoint of a training that is told to stop."""

log = logging.getLogger("trackhub_trainer")


@dataclass
class Kept:
    """A checkpoint that this run wrote; `worth` is its metric, the lower the better."""

    step: int
    name: str
    size: int
    worth: float


class Keeper(EachStep):
    """Asks the policies after each step, saves, and keeps to the budget.

    Only files that the run itself has written are ever deleted, and never the last of them, nor the best: by the
    metric of the first `best` or `improve`, else by the loss.

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
        self._folder = folder
        self._policies = policies
        self._max_steps = max_steps
        self._watch = watch
        self._saved = saved
        self._budget = budget
        self._files: list[Kept] = []
        self._claims: dict[str, dict[int, float]] = {policy.text: {} for policy in policies}
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

    def on_train_end(self, *_: Any) -> None:
        """A metric that nobody logged saved nothing: say so."""
        for policy in self._policies:
            if isinstance(policy, Best | Improve) and policy.metric not in self._watch.known():
                known = ", ".join(self._watch.known())
                log.warning("--save %s: no metric %s was logged; there were %s", policy.text, policy.metric, known)

    def save(self, trainer: Trainer, claims: Mapping[str, float]) -> None:
        """Save the step that has just been done, for those who claim it."""
        step = trainer.global_step
        for text, worth in claims.items():
            self._claims.setdefault(text, {})[step] = worth
        if self._files and self._files[-1].step == step:
            return
        path = self._folder / file_name(step, self._max_steps)
        self._make_room()
        kept = Kept(step, path.name, self._files[-1].size if self._files else 0, self._worth(step))
        self._files.append(kept)
        began = time.monotonic()
        trainer.save_checkpoint(path, weights_only=False)
        self._since = time.monotonic()
        self._costs.append(self._since - began)
        if trainer.is_global_zero:
            kept.size = path.stat().st_size
            self._saved(path, step, self._watch.row(step))
        self._take_back()

    def newest(self) -> Path | None:
        """The last checkpoint of this training, if there is one."""
        return self._folder / self._files[-1].name if self._files else None

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on from a checkpoint must know; plain Python."""
        return {"files": [list(astuple(kept)) for kept in self._files], "claims": self._claims, "costs": self._costs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the files that are still there."""
        kept = [Kept(*fields) for fields in state["files"]]
        self._files = [one for one in kept if (self._folder / one.name).is_file()]
        for one in self._files:
            one.size = (self._folder / one.name).stat().st_size
        self._claims |= state["claims"]
        self._costs = list(state["costs"])

    def _asked(self, step: int) -> dict[str, float]:
        """Who claims this step."""
        cost = sum(self._costs) / len(self._costs) if self._costs else None
        idle = time.monotonic() - self._since
        claims = {}
        for policy in self._policies:
            earlier = list(self._claims[policy.text].values())
            moment = Moment(step, idle, cost, lambda name: self._watch.at(name, step), earlier)
            if (worth := policy.claim(moment)) is not None:
                claims[policy.text] = worth
        return claims

    def _worth(self, step: int) -> float:
        judge = next((one for one in self._policies if isinstance(one, Best | Improve)), None)
        value = self._watch.at(judge.metric if judge else LOSS, step) if self._budget else None
        return float("inf") if value is None or value != value else value * (judge.sign if judge else 1)

    def _take_back(self) -> None:
        """Delete the files of claims that better ones have taken the place of."""
        for policy in self._policies:
            standing = self._claims[policy.text]
            while policy.limit is not None and len(standing) > policy.limit:
                del standing[max(standing, key=lambda step: (standing[step], step))]
        claimed = {step for standing in self._claims.values() for step in standing}
        for kept in [one for one in self._files[:-1] if one.step not in claimed]:
            self._delete(kept, "a better one has taken its place")

    def _make_room(self) -> None:
        """Delete the oldest files until one more fits the budget."""
        while self._budget is not None and self._files:
            total = sum(kept.size for kept in self._files) + self._files[-1].size
            best = min(self._files, key=lambda kept: kept.worth)
            spare = [kept for kept in self._files[:-1] if kept is not best]
            if total <= self._budget or not spare:
                return
            self._delete(spare[0], "--disk-budget")

    def _delete(self, kept: Kept, why: str) -> None:
        self._files.remove(kept)
        for policy in self._policies:
            if policy.limit is not None:
                self._claims[policy.text].pop(kept.step, None)
        (self._folder / kept.name).unlink(missing_ok=True)
        log.info("%s deleted: %s", kept.name, why)
