"""A training that is told to stop saves where it is, and stops."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer

from trackhub_trainer.each_step import EachStep
from trackhub_trainer.keeping import STOPPED, Keeper
from trackhub_trainer.stopping import Stopping


class StopAfterStep(EachStep):
    """Looks after each step whether a signal has come, on any rank: all ranks stop after the same step.

    Args:
        stopping: who hears the signals.
        keeper: who saves.
    """

    def __init__(self, stopping: Stopping, keeper: Keeper) -> None:
        self._stopping = stopping
        self._keeper = keeper

    def on_train_start(self, *_: Any) -> None:
        """Lightning has taken SIGTERM for itself, to raise at once: take it back."""
        self._stopping.listen()

    def after_step(self, trainer: Trainer, *_: Any) -> None:
        """Save and stop, if told to."""
        asked = self._stopping.asked
        if trainer.world_size > 1:
            asked = bool(trainer.strategy.reduce_boolean_decision(asked, all=False))
        if asked:
            self._stopping.ask()
            self._keeper.save(trainer, {STOPPED: 0.0})
            trainer.should_stop = True
