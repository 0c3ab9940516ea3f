"""The same run again: its folder, its journal, its trackers; what it had reached since makes room."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import trackhub
from trackhub import ranks
from trackhub.journal.params import params
from trackhub.layout import RunFolder
from trackhub_trainer.preparing import Job

log = logging.getLogger("trackhub_trainer")


def go_on(job: Job, settings: dict[str, Any]) -> trackhub.Run:
    """Resume the run that the job goes on with, at the step of its checkpoint.

    Args:
        job: with an origin.
        settings: as they are in force from here on, for the run's config.yaml.

    Raises:
        ConfigError: somebody writes the run, or what is later cannot be moved away.
    """
    assert job.origin is not None and job.told is not None  # noqa: S101 - for the type checker
    folder = RunFolder(job.origin.run)
    if ranks.rank():
        return trackhub.start(runs_dir=folder.path.parent)
    as_before = params(folder).get("trackers") == settings["trackers"]
    run = trackhub.resume(
        folder.path,
        step=job.told.step,
        trackers=None if as_before else job.config.trackers,
        options=job.options,
        finish_timeout=job.config.finish_timeout,
    )
    run.log_params(settings)
    _sweep(folder.checkpoints)
    return run


def _sweep(checkpoints: Path) -> None:
    """Remove what a training that was killed while saving has left half written."""
    for partial in checkpoints.glob(".checkpoint-step-*.ckpt.*"):
        partial.unlink(missing_ok=True)
        log.info("%s removed: it was never finished", partial.name)
