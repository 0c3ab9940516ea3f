"""Callbacks by the step: Lightning calls them after each forward pass, of which a step may have several."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from trackhub_trainer.loading import Part


class EachStep(Callback):  # type: ignore[misc]
    """Acts after each step of the optimizer."""

    @abstractmethod
    def after_step(self, trainer: Trainer, step: int, loss: Tensor) -> None:
        """A step is done.

        Args:
            trainer: Lightning's.
            step: the step, from 1.
            loss: of the whole step, over all its parts and ranks; reading it waits for the device.
        """

    def on_train_batch_end(self, trainer: Trainer, module: Any, _outputs: Any, part: Part, _: int) -> None:
        """After each forward pass, and after the optimizer where a step ends with it."""
        if part.last:
            self.after_step(trainer, trainer.global_step, module.step_loss)
