"""Which lines of the data file go into each step: into the journal, and into the traditional files in `logs/`.

Both are computed from the order, never counted. The batch of a step is logged when the step is done, and before its
checkpoint is saved: what a checkpoint has seen is in the journal when the checkpoint exists.
"""

from __future__ import annotations

import logging
import time
from typing import Any, BinaryIO

from lightning.pytorch import Callback, Trainer

from trackhub import Run, ranks
from trackhub.errors import TrackhubError
from trackhub.layout import RunFolder
from trackhub.lineage import traditional
from trackhub.lineage.law import Law
from trackhub.lineage.reading import read
from trackhub_trainer.data import Question
from trackhub_trainer.preparing import Job

log = logging.getLogger("trackhub_trainer")


class TrackBatches(Callback):  # type: ignore[misc]
    """Tells the run which lines each step used.

    Args:
        run: where to.
        job: the training: its questions and their order.
    """

    def __init__(self, run: Run, job: Job) -> None:
        self._run = run
        self._law = Law(**job.order)
        self._dataset = job.task.name
        self._samples = {one.line: _shown(one) for one in job.data.train}
        self._records = traditional.Records(self._dataset, self._law, self._samples)
        self._file: BinaryIO | None = None
        self._writes_files = not ranks.rank()
        self._done = 0

    def on_train_start(self, trainer: Trainer, _: Any) -> None:
        """After a resume, the file of batches begins with those that still count."""
        self._done = trainer.global_step
        if self._writes_files:
            if self._done:
                self.write_files()
            self._file = self._opened()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """After a batch that ended a step."""
        step = trainer.global_step
        if step == self._done:
            return
        self._done = step
        parts = self._law.by_epoch(step, trainer.global_rank, trainer.world_size)
        for epoch, lines in parts:
            self._run.log_batch(lines, step, epoch, self._dataset)
        if self._file is not None:
            self._append(self._file, step, parts if trainer.world_size == 1 else self._law.by_epoch(step))

    def on_train_end(self, trainer: Trainer, *_: Any) -> None:
        """Once the last batch of every rank is in the journal, rank 0 may read it."""
        trainer.strategy.barrier("lineage")

    def _append(self, file: BinaryIO, step: int, parts: list[tuple[int, list[int]]]) -> None:
        """One line for the whole step, of all ranks, for whoever follows the file."""
        try:
            file.write(traditional.line_of(self._records.batch(step, time.time(), parts)))
        except OSError as error:
            log.warning("%s is not written on before the end: %s", file.name, error)
            self._close()

    def _opened(self) -> BinaryIO | None:
        path = traditional.batch_file(self._run.path / "logs", self._dataset)
        try:
            path.parent.mkdir(exist_ok=True)
            return path.open("ab", buffering=0)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error)
            return None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write_files(self) -> None:
        """The traditional files, from what the journal holds now, by rank 0; a disk that refuses is told."""
        self._close()
        folder = RunFolder(self._run.path)
        try:
            if self._writes_files:
                traditional.write(read(folder), self._law, self._samples, folder.logs)
        except (OSError, TrackhubError) as error:
            log.warning("the files of lineage in logs/ are not written: %s", error)


def _shown(question: Question) -> traditional.Shown:
    return traditional.shown(str(question.row.get("id", "")), str(question.row.get("input", "")))
