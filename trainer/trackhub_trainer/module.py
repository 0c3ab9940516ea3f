"""The training step, the optimizer, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy

from trackhub_trainer.batches import Batch, logits
from trackhub_trainer.schedule import Schedule

Log = Callable[[dict[str, Any], int], None]
"""Takes metrics and the step that they belong to."""


def loss(model: Any, batch: Batch) -> Tensor:
    """Mean cross-entropy over the answers' tokens."""
    return cross_entropy(logits(model, batch).float(), batch.targets)


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
        self._rng: dict[str, Any] | None = None

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Loss of one batch; it is logged here, undetoured, and nothing waits for its value."""
        value = loss(self.model, batch)
        step = self.trainer.global_step + 1
        self._log_row({"train/loss": value.detach(), "train/lr": self._schedule.lr_at(step)}, step)
        return value

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
        position = {"step": step, "place": step * self._schedule.batch_size}
        checkpoint["trackhub"] = {**self._identity, **position}
        checkpoint["rng"] = {"torch": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the random state: loading goes on drawing numbers, so it is set when training starts."""
        self._rng = checkpoint.get("rng")

    def on_train_start(self) -> None:
        """Set the random state of the checkpoint that training goes on from."""
        if self._rng is not None:
            torch.set_rng_state(self._rng["torch"].cpu())
            torch.cuda.set_rng_state_all([state.cpu() for state in self._rng["cuda"]])
