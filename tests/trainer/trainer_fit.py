"""A training without the command: the trainer's own module, order and loader under Lightning, in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from trackhub_trainer import model
from trackhub_trainer.config import Config
from trackhub_trainer.encoding import Encoded
from trackhub_trainer.loading import loader
from trackhub_trainer.module import LoraModule
from trackhub_trainer.schedule import settle
from trackhub_trainer.watch import Watch

LIGHTNING = (
    "ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "ignore:The 'train_dataloader' does not have many workers",
)
"""Warnings of Lightning's that are none of ours."""


@dataclass(frozen=True)
class Trained:
    """What a training came to: the rows logged, by step, and the trained weights."""

    rows: dict[int, dict[str, float]]
    weights: dict[str, Tensor]

    @property
    def losses(self) -> dict[int, float]:
        return {step: row["train/loss"] for step, row in self.rows.items()}


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """How far two sets of weights are apart, relative to their size.

    Not weight by weight: where a gradient is as good as zero, AdamW makes a step of the noise in it.
    """
    assert one.keys() == other.keys()
    ours, theirs = (torch.cat([weights[name].flatten() for name in one]) for weights in (one, other))
    return float((ours - theirs).norm() / ours.norm())


def fit(
    folder: Path, examples: list[Encoded], config: Config, watch: Watch | None = None, **lightning_options: Any
) -> Trained:
    """Train the tiny model; `watch` sees what is logged before it is kept here."""
    rows: dict[int, dict[str, float]] = {}

    def keep(row: dict[str, Any], step: int) -> None:
        rows[step] = {name: float(value) for name, value in row.items()}
        if watch is not None:
            watch.log(row, step)

    schedule = settle(config, len(examples))
    torch.manual_seed(config.seed)
    adapted = model.with_adapter(model.load("tiny")[0], config)
    module = LoraModule(
        adapted,
        schedule,
        config.weight_decay,
        keep,
        {"run_id": "x"},
    )
    trainer = lightning.Trainer(
        max_steps=schedule.max_steps,
        max_epochs=-1,
        accumulate_grad_batches=schedule.accumulate,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **lightning_options,
    )
    adapted.train()
    batches = loader(examples, schedule, config.seed, config.batching, workers=config.workers)
    trainer.fit(module, batches)
    return Trained(rows, {name: weight.detach() for name, weight in module.named_parameters() if weight.requires_grad})
