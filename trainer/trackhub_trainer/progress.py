"""How the training goes, for people: a bar on a terminal, a few plain lines anywhere else."""

from __future__ import annotations

import logging
import time
from typing import Any

from lightning.pytorch import Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from trackhub_trainer.each_step import EachStep
from trackhub_trainer.schedule import Schedule

LINES = 10
"""Plain lines of a whole training, about; as many go to training.log."""
REFRESH = 0.2
"""Seconds between two looks at the loss: each look waits for the device."""

log = logging.getLogger("trackhub_trainer")


class ShowProgress(EachStep):
    """Shows loss, learning rate, steps per second and the time that is left."""

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
            columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
            self._bar = Progress(*columns, TextColumn("ETA"), TimeRemainingColumn(), console=self._console)
            self._bar.add_task("", total=self._schedule.max_steps, completed=self._first, told="")
            self._bar.start()

    def after_step(self, _: Trainer, step: int, loss: Tensor) -> None:
        """The bar at each look, a line now and then."""
        now = time.monotonic()
        line = step % self._every == 0 or step == self._schedule.max_steps
        if not line and (self._bar is None or now - self._looked < REFRESH):
            return
        self._looked = now
        rate = (step - self._first) / max(now - self._began, 1e-9)
        told = f"loss {float(loss):.4f}  lr {self._schedule.lr_at(step):.3g}  {rate:.3g} steps/s"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=step, told=told)
        if line:
            self._tell(f"step {step}/{self._schedule.max_steps}  {told}", (self._schedule.max_steps - step) / rate)

    def _tell(self, text: str, left: float) -> None:
        log.info(text)
        if self._bar is None:
            self._console.print(f"{text}  ETA {left:.0f} s", highlight=False)

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
