"""The settings of a training that goes on: those of its run, and what may differ without changing what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackhub.errors import ConfigError
from trackhub.layout import RunFolder, runs_dir
from trackhub_trainer import config_file
from trackhub_trainer.config import FIELDS, Config
from trackhub_trainer.origin import AUTO, OPTION, Origin, find
from trackhub_trainer.values import parse

if TYPE_CHECKING:
    from trackhub_trainer.request import Request

FREE = frozenset(
    {
        *("max_steps", "stage2_steps", "early_stop"),
        *("save", "save_steps", "disk_budget", "merge", "track_batches"),
        *("eval_limit", "eval_every", "eval_subset", "cloze"),
        *("accelerator", "precision", "threads", "workers"),
        *("trackers", "tracker_opt", "runs_dir", "finish_timeout"),
        *("data_dir", "train_file", "validation_file", "test_file", "base_model"),
    }
)
"""What may be given anew: it says what is still to come, or where things lie; whether they are the same is checked."""


def continued(request: Request, name: str) -> Request:
    """The request with the settings of the run that goes on; as it is if there is none to go on with.

    Args:
        request: what the user wants.
        name: what runs of this kind are called.
    """
    if request.resume is None:
        return request
    try:
        origin = find(request.resume, runs_dir(request.config.runs_dir), name)
    except ConfigError as error:
        return replace(request, problems=(*request.problems, *error.problems))
    if origin is None:
        return replace(request, resume=None, notes=(f"{OPTION} {AUTO}: nothing to go on with yet, a new run begins",))
    return _as_in(origin, request)


def _as_in(origin: Origin, request: Request) -> Request:
    recorded, chosen, problems = recorded_in(origin.run)
    anew = {name: getattr(request.config, name) for name in request.given}
    for name in sorted(anew.keys() - FREE):
        if not _same(anew[name], recorded.get(name, FIELDS[name].default)):
            problems.append(_fixed(name, anew[name], recorded.get(name), origin))
    free = {name: value for name, value in anew.items() if name in FREE}
    if (free.get("max_steps") or origin.step) < origin.step:
        problems.append(
            f"--max-steps {free.pop('max_steps')} is less than the {origin.step} steps that {origin.file} has behind it"
        )
    values = {**_without_stale(recorded, chosen, free), **free}
    if free.get("max_steps") and (values.get("stage1_steps") or 0) > free["max_steps"]:
        values["stage1_steps"] = free["max_steps"]  # it ends inside stage 1: the rates up to there stay what they were
    given = (frozenset(recorded) - chosen) | frozenset(free)
    whole = (*request.problems, *problems)
    notes = (*origin.passed_over, f"going on from {origin.file}")
    return replace(request, config=Config(**values), given=given, origin=origin, problems=whole, notes=notes)


def recorded_in(run: Path) -> tuple[dict[str, Any], frozenset[str], list[str]]:
    """(settings, those that the run chose itself, problems), from the journal: config.yaml is written after it."""
    from trackhub.journal.params import params

    named, problems = config_file.named(params(RunFolder(run)))
    chosen = frozenset(named.get("chosen") or ())
    values = {}
    for name, raw in named.items():
        if name in FIELDS:
            try:
                values[name] = parse(FIELDS[name], raw)
            except ValueError as error:
                problems.append(f"{name} in the run {run.name}: {error}")
    if "dataset" not in values:
        problems.append(f"{OPTION}: the run {run.name} was not made by the trainer: it records no data set")
    return values, chosen, problems


def _without_stale(recorded: Mapping[str, Any], chosen: frozenset[str], free: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded settings, less those that follow from one that is given anew. Stage 1 stays: it was trained."""
    stale = set()
    if "max_steps" in free:
        stale |= {"stage2_steps"} if recorded.get("schedule") == "two-stage" else {"stage1_steps", "stage2_steps"}
    elif "stage2_steps" in free:
        stale.add("max_steps")
    if {"max_steps", "stage2_steps", "save"} & set(free):
        stale |= {"save_steps"} & chosen
    return {name: value for name, value in recorded.items() if name not in stale}


def _same(given: Any, recorded: Any) -> bool:
    """Whether two values are the same; a file is recorded by its absolute path."""
    if given == recorded or not isinstance(given, str) or not isinstance(recorded, str):
        return bool(given == recorded)
    return Path(given).expanduser().absolute() == Path(recorded)


def _fixed(name: str, given: Any, recorded: Any, origin: Origin) -> str:
    shown = ",".join(given) if isinstance(given, tuple) else given
    option = f"--{name.replace('_', '-')}"
    return (
        f"{option} {shown}: the run {origin.run.name} was trained with {recorded}, and a training that goes on keeps "
        f"that: leave {option} out, or start a new run"
    )
