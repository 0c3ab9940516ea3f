"""How the training goes, for people: a bar on a terminal, a few plain lines anywhere else."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import psutil
import torch
from lightning.pytorch import Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from torch import Tensor

from trackhub.showing.words import size
from trackhub_trainer.each_step import EachStep
from trackhub_trainer.schedule import Schedule

LINES = 10
"""Plain lines of a whole training, about; as many go to training.log."""
REFRESH = 0.2
"""Seconds between two looks at the loss: each look waits for the device."""

log = logging.getLogger("trackhub_trainer")


class ShowProgress(EachStep):
    """Shows loss, learning rate, steps per second, memory and the time that is left."""

    def __init__(self, console: Console, schedule: Schedule) -> None:
        self._console = console
        self._schedule = schedule
        self._every = max(1, schedule.max_steps // LINES)
        self._looked = 0.0
        self._began = 0.0
        self._first = 0
        self._bar: Progress | None = None

    def on_train_start(self, trainer: Trainer, _: Any) -> None:
        """The clock starts; on a terminal, so does the bar."""
        self._began, self._first = time.monotonic(), trainer.global_step
        if self._console.is_terminal:
            columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(None), TextColumn("{task.fields[told]}"))
            self._bar = Progress(*columns, console=self._console, expand=True)
            self._bar.add_task("", total=self._schedule.max_steps, completed=self._first, told="")
            self._bar.start()

    def after_step(self, _: Trainer, step: int, loss: Tensor) -> None:
        """The bar at each look, a line now and then."""
        now = time.monotonic()
        line = step % self._every == 0 or step == self._schedule.max_steps
        if not line and (self._bar is None or now - self._looked < REFRESH):
            return
        self._looked = now
        told = self._told(step, float(loss), now)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=step, told=told)
        if line:
            text = f"step {step}/{self._schedule.max_steps}  {told}"
            log.info(text)
            if self._bar is None:
                self._console.print(text, highlight=False, soft_wrap=True)

    def _told(self, step: int, loss: float, now: float) -> str:
        rate = (step - self._first) / max(now - self._began, 1e-9)
        left = timedelta(seconds=round((self._schedule.max_steps - step) / rate))
        lr = self._schedule.lr_at(step)
        return f"loss {loss:.4f}  lr {lr:.3g}  {rate:.3g} steps/s  {size(memory())}  ETA {left}"

    def on_train_end(self, *_: Any) -> None:
        """The bar stays as it is."""
        self._stop()

    def on_exception(self, *_: Any) -> None:
        """The terminal is given back."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def memory() -> int:
    """Bytes in use: of the GPU, the most that tensors took at once; without one, this process's resident memory."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else psutil.Process().memory_info().rss
