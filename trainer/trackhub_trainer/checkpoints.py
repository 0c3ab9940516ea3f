"""Checkpoints of the last steps: a file each, whole or not there, with the adapter but not the frozen base."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Trainer
from torch import Tensor

from trackhub_trainer.each_step import EachStep
from trackhub_trainer.schedule import Schedule

Saved = Callable[[Path, int, Mapping[str, Any]], None]
"""Told of a checkpoint that exists: its path, its step, the metrics that belong to it."""


def file_name(step: int, max_steps: int) -> str:
    """``checkpoint-step-076.ckpt``: as many digits as the last step has, three at least, so that names sort."""
    return f"checkpoint-step-{step:0{max(3, len(str(max_steps)))}d}.ckpt"


def size(trainable: int) -> int:
    """Bytes of a checkpoint: the adapter and AdamW's two moments in 32 bit, and some 50 kB of everything else."""
    return 12 * trainable + 50_000


class WholeFileIO(TorchCheckpointIO):  # type: ignore[misc]
    """Writes a temporary file and renames it. Lightning's own way keeps a second copy of the content in memory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, **_: Any) -> None:
        """Write `checkpoint` to `path`: at any moment it is there as a whole, or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
            partial.replace(target)
        except (OSError, RuntimeError) as error:
            raise _of_disk(error, target) or error from None
        finally:
            partial.unlink(missing_ok=True)


def _of_disk(error: BaseException, path: Path) -> OSError | None:
    """What the disk said: torch hides a full one behind an error of its own, which says nothing to people."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__context__
    return cause and OSError(cause.errno, cause.strerror, str(path))


class LastSteps(EachStep):
    """Saves after each of the last steps.

    Args:
        folder: where the files go.
        schedule: which steps.
        saved: told of each file when it exists.
    """

    def __init__(self, folder: Path, schedule: Schedule, saved: Saved) -> None:
        self._folder = folder
        self._schedule = schedule
        self._saved = saved

    def after_step(self, trainer: Trainer, step: int, loss: Tensor) -> None:
        """Save, where it is due."""
        if step < self._schedule.first_saved:
            return
        path = self._folder / file_name(step, self._schedule.max_steps)
        trainer.save_checkpoint(path, weights_only=False)
        self._saved(path, step, {"train/loss": loss})
