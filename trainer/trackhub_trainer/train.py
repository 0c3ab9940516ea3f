"""One training, from the base model to the final one, told in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import MemoryHandler

from rich.console import Console

import trackhub
from trackhub import ranks
from trackhub_trainer import final_model, model, quiet
from trackhub_trainer.evaluate import Accuracy
from trackhub_trainer.fitting import Fitting
from trackhub_trainer.going_on import go_on
from trackhub_trainer.measuring import Measuring
from trackhub_trainer.model_card import Card
from trackhub_trainer.parts import Parts
from trackhub_trainer.preparing import Job
from trackhub_trainer.stopping import Terminated, how_to_go_on

log = logging.getLogger("trackhub_trainer")


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    run: trackhub.Run
    before: Accuracy | None
    after: Accuracy
    cloze: tuple[tuple[str, Accuracy], ...] = ()


LOGS = "training.rank-*.log"
"""The logs of the ranks above 0."""


def log_name() -> str:
    """Each rank has a log of its own."""
    return LOGS.replace("*", str(ranks.rank())) if ranks.rank() else "training.log"


class Training:
    """One training.

    Args:
        job: what to train, checked.
        console: where people look.

    Raises:
        ConfigError: as of `Parts`.
    """

    def __init__(self, job: Job, console: Console) -> None:
        self.job = job
        self.console = console
        self.parts = Parts(job, console)
        self.measuring = Measuring(self.parts)
        self.fitting = Fitting(self.parts)

    def run(self, waiting: MemoryHandler) -> Outcome | None:
        """Train, and tell trackhub; log records that are `waiting` go to the run's log first.

        Ranks above 0 train, and nothing else: they join rank 0's run, and have no outcome.
        """
        with self._lineage(), self._start() as run, self._ends(run):
            quiet.write_to(run.path / "logs" / log_name(), waiting)
            if ranks.rank():
                self.fitting.run(run)
                return None
            self._introduce(run)
            before = None if self.job.told else self.measuring.measure(run, 0, "before training")
            last = self.fitting.run(run)
            try:
                after = self.measuring.measure(run, last, "after training")
            finally:  # what was trained is kept, whatever comes of measuring it
                self._save_final(run, last)
            log.info("final model saved; waiting for the trackers")
        return Outcome(run, before, after, tuple(self.measuring.cloze))

    def _save_final(self, run: trackhub.Run, steps: int) -> None:
        """`final_model/`, with its card."""
        config = self.job.config
        card = Card(self.job, run.path.name, run.summary, steps)
        folder = run.path / "final_model"
        final_model.save(self.parts.model, self.parts.tokenizer, config.base_model, folder, card.write, config.merge)

    def _start(self) -> trackhub.Run:
        config, settings = self.job.config, {**self.job.record(), "precision": self.parts.machine.precision}
        if self.job.origin:
            return go_on(self.job, settings)
        return trackhub.start(
            project=config.project,
            name=self.job.run_name,
            trackers=config.trackers,
            options=self.job.options,
            config=settings,
            tags=config.tags,
            notes=config.notes,
            group=config.group,
            best={"test/accuracy": "max", "train/loss": "min", "val/loss": "min"},
            runs_dir=config.runs_dir,
            finish_timeout=config.finish_timeout,
        )

    @contextmanager
    def _lineage(self) -> Iterator[None]:
        """The traditional files are written when the run has ended, however it did: then its journal is whole."""
        try:
            yield
        finally:
            for track in self.fitting.track:
                track.write_files()

    @contextmanager
    def _ends(self, run: trackhub.Run) -> Iterator[None]:
        """Whatever ends the training early is in the log, and says where the run lies."""
        try:
            with self.parts.stopping:
                yield
        except Terminated as stop:
            log.warning("stopped by SIGTERM")
            how_to_go_on(stop, run.path)
            run.finish("killed", "SIGTERM", timeout=0)
            raise
        except KeyboardInterrupt as stop:
            log.warning("stopped by Ctrl-C")
            how_to_go_on(stop, run.path)
            raise
        except BaseException as error:
            log.exception("the training failed")
            error.add_note(f"The run and its log: {run.path / 'logs' / log_name()}")
            if self.job.schedule.ranks > 1:
                error.add_note(f"The other ranks' logs, of which one may know more: {run.path / 'logs' / LOGS}")
            raise

    def _introduce(self, run: trackhub.Run) -> None:
        steps, data, trained = self.job.schedule, self.job.data, model.trainable(self.parts.model)
        self.console.print(f"run {run.path}", highlight=False, soft_wrap=True)
        self.console.print(
            f"{self.job.config.base_model}, {trained:,} trainable parameters; {len(data.train)} "
            f"questions, {steps.max_steps} steps of {steps.per_step} ({steps.epochs(len(data.train)):.1f} epochs)",
            highlight=False,
        )
        for note in self.job.notes:
            self.console.print(note, highlight=False, soft_wrap=True)
        log.info("settings: %s", self.job.record())
        if data.skipped:
            self.console.print(f"broken lines that are left out: {len(data.skipped)}", highlight=False)
        for line in data.skipped:
            log.warning("left out: %s", line)
