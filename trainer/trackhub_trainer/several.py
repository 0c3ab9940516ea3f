"""Several data sets in one command: a run each, one after another, in one group; one that fails stops no other."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING

from rich.console import Console

from trackhub.errors import ConfigError
from trackhub_trainer import quiet
from trackhub_trainer.choosing import given_name
from trackhub_trainer.preparing import Job, prepare
from trackhub_trainer.request import Request

if TYPE_CHECKING:
    from trackhub_trainer.train import Outcome


@dataclass(frozen=True)
class Result:
    """What became of one data set: an outcome, or what went wrong."""

    job: Job
    outcome: Outcome | None
    problem: str = ""


def names(request: Request) -> list[str]:
    """The data sets of ``--dataset``, each once."""
    return list(dict.fromkeys(part.strip() for part in request.config.dataset.split(",") if part.strip()))


def prepared(request: Request) -> list[Job]:
    """A job for each data set.

    Raises:
        ConfigError: everything that is wrong with any of them.
    """
    parts = _parts(request)
    jobs, problems = [], _contradictions(request, len(parts))
    for number, part in enumerate(parts):
        try:
            jobs.append(prepare(part, trackers_checked=number > 0))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return jobs


def _parts(request: Request) -> list[Request]:
    """The same request for each of its data sets."""
    wanted = names(request)
    if len(wanted) == 1:
        return [replace(request, config=replace(request.config, dataset=wanted[0]))]
    config = request.config
    group = config.group or f"{'+'.join(wanted)}_{datetime.now().astimezone():%Y%m%d_%H%M%S}"
    given = given_name(config)
    named = {name: f"{given}_{name}" if given else None for name in wanted}
    each = [replace(config, dataset=name, group=group, name=named[name]) for name in wanted]
    return [replace(request, config=one) for one in each]


def _contradictions(request: Request, parts: int) -> list[str]:
    """What can be said of one data set only."""
    config = request.config
    of_one = ("train_file", "validation_file", "test_file")
    found = [f"--{name.replace('_', '-')}" for name in of_one if getattr(config, name)]
    found += ["--resume-from-checkpoint"] if request.resume else []
    found += ["--devices and --num-nodes above 1"] if max(config.devices, config.num_nodes) > 1 else []
    if parts < 2:
        return [] if parts else ["--dataset names no data set"]
    return [f"{what}: with one data set only, and --dataset names {parts}" for what in found]


def run(jobs: Sequence[Job], console: Console, waiting: MemoryHandler, debug: bool) -> list[Result]:
    """Train one after another; whatever is raised but Ctrl-C and SIGTERM ends one of them only."""
    results = []
    for number, job in enumerate(jobs, 1):
        console.print(f"\ndata set {number} of {len(jobs)}: {job.task.name}", highlight=False)
        results.append(_one(job, console, waiting, debug))
        _close_log()
        waiting = quiet.hush()
    return results


def _one(job: Job, console: Console, waiting: MemoryHandler, debug: bool) -> Result:
    from trackhub_trainer.train import Training

    try:
        return Result(job, Training(job, console).run(waiting))
    except Exception as error:  # noqa: BLE001 - the next data set has its own chance
        if debug:
            traceback.print_exception(error)
        first = next(iter(str(error).splitlines()), "")
        for line in (f"{job.task.name} failed: {type(error).__name__}: {first}", *getattr(error, "__notes__", ())):
            console.print(line, highlight=False, soft_wrap=True)
        return Result(job, None, first or type(error).__name__)


def _close_log() -> None:
    """The log of a run that has ended takes nothing of the next."""
    for handler in logging.root.handlers:
        handler.close()
