"""The training step, the optimizer, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy

from trackhub_trainer import random_state
from trackhub_trainer.batches import Batch, logits
from trackhub_trainer.loading import Part
from trackhub_trainer.schedule import Schedule

Log = Callable[[dict[str, Any], int], None]
"""Takes metrics and the step that they belong to."""


def loss(model: Any, batch: Batch, targets: int = 0) -> Tensor:
    """Mean cross-entropy over the answers' tokens; or this batch's share of it.

    Args:
        model: the model.
        batch: what it predicts.
        targets: the tokens of the whole step that the batch is a part of; those of the batch if 0. The shares of all
            parts add up to the mean over the undivided step, in which a question counts by its answer's tokens.
    """
    summed = cross_entropy(logits(model, batch).float(), batch.targets, reduction="sum")
    return summed / (targets or len(batch.targets))


class LoraModule(LightningModule):  # type: ignore[misc]
    """A model with an adapter, trained in two stages.

    Steps are counted from 1, everywhere: in metrics, in checkpoints' names, in logs.

    Args:
        model: with an adapter; the rest of it is frozen.
        schedule: steps and learning rates.
        weight_decay: of AdamW.
        log: where the metrics of each step go; it must not wait.
        identity: kept in each checkpoint: the run's id and path, and what the data's order follows from.
    """

    def __init__(self, model: Any, schedule: Schedule, weight_decay: float, log: Log, identity: dict[str, Any]) -> None:
        super().__init__()
        self.strict_loading = False  # checkpoints hold the adapter only
        self.model = model
        self._schedule = schedule
        self._weight_decay = weight_decay
        self._log_row = log
        self._identity = identity
        self._rng: list[dict[str, Any]] | None = None
        self._shares: list[Tensor] = []
        self.step_loss = torch.tensor(float("nan"))
        """The loss of the latest whole step, over all its parts and ranks."""

    def training_step(self, part: Part, _: int) -> Tensor:
        """The loss of a step's part, so that Lightning's means over parts and ranks make the loss of the step."""
        value = loss(self.model, part.batch, part.targets)
        self._shares.append(value.detach())
        if part.last:
            self._log_step()
        passes = self._schedule.passes
        return value if passes == 1 else value * passes

    def _log_step(self) -> None:
        """Log the whole step, undetoured; on one rank nothing waits for the value."""
        parts, self._shares = self._shares, []
        value = parts[0] if len(parts) == 1 else torch.stack(parts).sum()
        self.step_loss = value if self._schedule.ranks == 1 else self.trainer.strategy.reduce(value, reduce_op="sum")
        step = self.trainer.global_step + 1
        self._log_row({"train/loss": self.step_loss, "train/lr": self._schedule.lr_at(step)}, step)

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW over the adapter, and the two stages."""
        adapter = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            adapter, lr=self._schedule.lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=self._weight_decay
        )
        stages = torch.optim.lr_scheduler.LambdaLR(optimizer, self._factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": stages, "interval": "step"}}

    def _factor(self, steps_done: int) -> float:
        return self._schedule.lr_at(steps_done + 1) / self._schedule.lr

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what was trained, and what going on exactly needs; plain Python and tensors only."""
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: weights[name] for name in weights if name in trained}
        step = self.trainer.global_step
        position = {"step": step, "place": step * self._schedule.per_step}
        checkpoint["trackhub"] = {**self._identity, **position}
        checkpoint["rng"] = random_state.collected(self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the random state: loading goes on drawing numbers, so it is set when training starts."""
        self._rng = checkpoint.get("rng")

    def on_train_start(self) -> None:
        """Set the random state of the checkpoint that training goes on from, and the rate of the step to come.

        The rate in the checkpoint is that of a schedule which may have been shorter.
        """
        if self._rng is not None:
            random_state.restore(self._rng, self.trainer.global_rank)
            for group in self.optimizers().param_groups:
                group["lr"] = group["initial_lr"] * self._factor(self.trainer.global_step)
