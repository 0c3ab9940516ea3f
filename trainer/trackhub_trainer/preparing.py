"""Everything that can be checked before a model is loaded, all problems at once."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trackhub import ranks
from trackhub.delivery.verdict import check_trackers
from trackhub.errors import ConfigError
from trackhub.journal.state import state
from trackhub.layout import RunFolder, runs_dir
from trackhub.lineage import law
from trackhub.secrets import REDACTED
from trackhub.settings import parse_tracker_options, select
from trackhub_trainer import belonging, choosing, lora, machine, model, resuming, schedule
from trackhub_trainer.belonging import Told
from trackhub_trainer.config import FIELDS, Config
from trackhub_trainer.data import Data
from trackhub_trainer.origin import Origin
from trackhub_trainer.request import Request
from trackhub_trainer.schedule import Schedule
from trackhub_trainer.tasks import Task

HEAVY = ("torch", "lightning.pytorch", "transformers", "peft")
"""Imports that take seconds: they run while the trackers are checked."""


@dataclass(frozen=True)
class Job:
    """A training that may begin.

    Attributes:
        config: what the user asked for.
        given: the names of the settings that they gave.
        task: the data set.
        data: its questions.
        schedule: the steps.
        options: of each tracker.
        origin, told: where the training goes on, and what that checkpoint tells of itself; None for a new run.
        notes: what the user should know before it begins.
    """

    config: Config
    given: frozenset[str]
    task: Task
    data: Data
    schedule: Schedule
    options: dict[str, dict[str, Any]]
    origin: Origin | None = None
    told: Told | None = None
    notes: tuple[str, ...] = ()

    @property
    def run_name(self) -> str:
        """The run's name; its folder carries the time behind it."""
        return choosing.run_name(self.config)

    def test_questions(self) -> tuple[Any, ...]:
        """The questions that are evaluated: the first `eval_limit`, the same in every run."""
        return self.data.test[: self.config.eval_limit or None]

    def validation_questions(self) -> tuple[Any, ...]:
        """The questions that are measured while training goes on."""
        return self.data.validation[: self.config.eval_subset or None]

    def record(self) -> dict[str, Any]:
        """All settings as they are in force, for the run's config.yaml; it can be given as ``--config`` again."""
        settled = asdict(self.schedule)
        trackers = select(self.config.trackers, self.options)
        return {
            **asdict(self.config),
            **settled,
            **_absolute(self.config),
            "base_model": _portable(self.config.base_model),
            "trackers": str(trackers),
            "tracker_opt": {name: given for name, given in trackers.options.items() if given},
            "chosen": sorted(name for name in {*settled, "precision"} - self.given if FIELDS[name].default is None),
            "using_validation_as_test": self.data.using_validation_as_test,
            "skipped_lines": len(self.data.skipped),
            **({law.KEY: self.order} if self.config.track_batches else {}),
        }

    @cached_property
    def order(self) -> dict[str, Any]:
        """What the order of the questions follows from, for whoever wants to compute it again."""
        lines = [question.line for question in self.data.train]
        return law.record(self.config.seed, self.schedule.per_step, lines, self.data.train_file)


def _absolute(config: Config) -> dict[str, str]:
    """The settings that name files or folders, as they are found from anywhere."""
    given = {name: getattr(config, name) for name in ("data_dir", "train_file", "validation_file", "test_file")}
    if choosing.is_file(config.dataset):
        given["dataset"] = config.dataset
    return {name: str(Path(path).expanduser().absolute()) for name, path in given.items() if path}


def _portable(base_model: str) -> str:
    path = Path(base_model).expanduser()
    return str(path.absolute()) if base_model != "tiny" and path.exists() else base_model


def prepare(request: Request, trackers_checked: bool = False) -> Job:
    """The job that the request asks for.

    Args:
        request: for one data set.
        trackers_checked: the trackers were asked already, for another one.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    request = resuming.continued(request, choosing.run_name(request.config))
    config = request.config
    options, problems = _tracker_options(config.tracker_opt)
    with ThreadPoolExecutor(1) as pool:
        asked = "none" if trackers_checked or ranks.rank() else config.trackers
        verdict = pool.submit(check_trackers, asked, options)
        problems = [*request.problems, *problems, *schedule.contradictions(config), *model.problems(config.base_model)]
        problems += [*machine.problems(config), *lora.problems(config)]
        task, found, wrong = choosing.read(config)
        problems += [*wrong, *_runs_dir(config)]
        if not problems:
            for name in HEAVY:
                importlib.import_module(name)
        problems += verdict.result()
    if problems or task is None or found is None:
        raise ConfigError(*problems)
    settled = schedule.settle(config, len(found.train))
    told = None if request.origin is None else _told(request.origin, found, settled)
    return Job(config, request.given, task, found, settled, options, request.origin, told, request.notes)


def _told(origin: Origin, found: Data, steps: Schedule) -> Told:
    """The checkpoint that the training goes on from."""
    run = state(RunFolder(origin.run))
    told = belonging.told_by(origin.file)
    questions, ended = belonging.digest(found.train), run.status == "finished"
    wrong = belonging.of_run_and_data(told, run.id, questions, found.train_file, steps.max_steps, ended)
    if wrong := wrong or belonging.of_lines(origin.run, found):
        raise ConfigError(*wrong)
    return told


def _tracker_options(given: Any) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Options by tracker, from ``--tracker-opt`` or from a mapping in YAML."""
    if isinstance(given, Mapping) and all(isinstance(part, Mapping) for part in given.values()):
        return {str(name): _without_redacted(part) for name, part in given.items()}, []
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return {}, ["tracker_opt wants TRACKER.OPTION=VALUE, or in YAML {TRACKER: {OPTION: VALUE}}"]
    try:
        return dict(parse_tracker_options(texts)), []
    except ConfigError as error:
        return {}, list(error.problems)


def _without_redacted(options: Mapping[str, Any]) -> dict[str, Any]:
    """The config.yaml of a run holds no keys: they come from the environment again."""
    return {name: value for name, value in options.items() if value != REDACTED}


def _runs_dir(config: Config) -> list[str]:
    """Whether runs can be written, as far as it can be seen without writing."""
    folder = runs_dir(config.runs_dir)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        return []
    return [f"the runs folder {folder} cannot be written: choose another with --runs-dir"]
