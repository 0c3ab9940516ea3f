"""How a run begins: a folder of its own, a journal, and a supervisor; or goes on, or is joined."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackhub import ranks, variables
from trackhub.endings import watch
from trackhub.errors import ConfigError, JournalError
from trackhub.events import Params, Rewind, RunEnded, RunStarted
from trackhub.journal.format import storable
from trackhub.journal.writing import JournalWriter, new_header
from trackhub.layout import RunFolder, find_run, safe_name
from trackhub.layout import runs_dir as resolve_runs_dir
from trackhub.local import OBJECT
from trackhub.run import Run
from trackhub.secrets import hide, redact_argv
from trackhub.settings import Selection, Trackers, asked, check_best, disclosed, located, seconds
from trackhub.tell import tell

if TYPE_CHECKING:
    from trackhub.journal.state import State

FINISH_TIMEOUT = 30.0
"""Seconds that `finish` waits for the deliveries, unless told otherwise."""


def start(
    *,
    project: str = "default",
    name: str | None = None,
    trackers: Trackers = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    config: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    group: str | None = None,
    notes: str | None = None,
    job_type: str | None = None,
    best: Mapping[str, str] | None = None,
    console: bool | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    finish_timeout: float = FINISH_TIMEOUT,
    delivery: str | None = None,
) -> Run:
    """Start a run.

    Args:
        project: what the run belongs to; trackers group runs by it.
        name: the run's name; its folder is ``<name>_<YYYYmmdd_HHMMSS>``. An identical name makes a new run.
        trackers: "swanlab,csv", a list of names, or {"mlflow": {"tracking_uri": ...}}; else ``TRACKHUB_TRACKERS``,
            else ``csv``. "none" for the journal alone. Beside names: ``path/to/file.py:Class``, and in a list an
            object of yours with the hook `log_metrics`, which is carried in a thread of this process.
        options: more options by tracker; they win over those in `trackers` and in the environment.
        config: the configuration, as nested as you like. What looks like a credential is redacted.
        tags, group, notes, job_type: for those trackers that know them.
        best: "min" or "max" by metric, e.g. {"val/loss": "min"}: its best value and step are in the summary, and the
            first of them that a checkpoint carries says which checkpoint is the best.
        console: whether to log what is printed, line by line, as messages; else ``TRACKHUB_CONSOLE=1``, else not.
        runs_dir: the folder of all runs; else ``TRACKHUB_RUNS_DIR``, else ``runs``.
        finish_timeout: seconds that `finish` waits for the deliveries; 0 for not at all.
        delivery: "live" (default), or "later": nothing is delivered before `trackhub sync`; else ``TRACKHUB_DELIVERY``.

    Raises:
        ConfigError: an unknown tracker, or a runs folder that cannot be written; all problems at once.
    """
    if joined := ranks.joined(resolve_runs_dir(runs_dir)):
        return Run.join(*joined)
    selection, mode = _checked(asked(trackers, options), delivery, config, best)
    hide(selection.options)
    folder = _new_folder(resolve_runs_dir(runs_dir), storable(str(name or "run")))
    header = new_header(os.urandom(8).hex(), folder.path.name)
    writer = JournalWriter(folder.rank_journal(0), header, trouble=tell)
    writer.append(
        RunStarted,
        project=storable(project),
        trackers=selection.names,
        options=storable(selection.options),
        sources=selection.sources,
        tags=tuple(storable(str(tag)) for tag in ([tags] if isinstance(tags, str) else tags)),
        notes=storable(notes),
        group=storable(group),
        job_type=storable(job_type),
        best=storable(dict(best or {})),
        argv=tuple(redact_argv(sys.argv)),
        cwd=_cwd(),
    )
    if config:
        writer.append(Params, params=storable(dict(config)))
    run = _running(folder, writer, selection, finish_timeout, mode)
    if os.environ.get("TRACKHUB_CONSOLE", "") not in ("", "0") if console is None else console:
        run.capture_console()
    return run


def resume(
    run: str | os.PathLike[str],
    *,
    step: int | None = None,
    trackers: Trackers = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    finish_timeout: float = FINISH_TIMEOUT,
    delivery: str | None = None,
) -> Run:
    """Go on with a run: the same folder, the same run in every tracker.

    Args:
        run: the run folder, or the run's name under the runs folder.
        step: the last step that still counts. If the run had got further, the later rows are taken back: each
            tracker does with them what it states as its rule. Later checkpoints, and ``final_model/``, are moved to
            ``checkpoints/before-rewind-<number>/``.
        trackers, options, finish_timeout, delivery: as in `start`; by default those that the run had.

    Raises:
        ConfigError: no such run, it is still being written, or `step` is no integer or beyond its last step.
    """
    from trackhub.delivery.launch import retire
    from trackhub.journal import added
    from trackhub.journal.state import state, writer_alive
    from trackhub.rewinding import check_reached, make_room

    if not isinstance(step, int | None):
        raise ConfigError(f"step={step!r}: the last step that still counts is an integer")
    folder = find_run(run, runs_dir)
    before = state(folder)
    if writer_alive(folder):
        raise ConfigError(f"run {before.name} is still being written by process {before.pid}: end it first")
    chosen = _as_before(before, options) if trackers is None else asked(trackers, options)
    selection, mode = _checked(chosen, delivery)
    hide(selection.options)
    if step is not None and step > before.last_step:
        check_reached(folder, step, before.last_step)
    retire(folder)
    _bury(folder, before)
    if step is not None:
        make_room(folder, step, before.last_step)
    attempt = before.attempt + 1
    header = new_header(before.id, folder.path.name, attempt=attempt)
    writer = JournalWriter(folder.rank_journal(0, attempt), header, trouble=tell)
    writer.append(
        RunStarted,
        project=before.project,
        trackers=selection.names,
        attempt=attempt,
        options=storable(selection.options),
        sources=selection.sources,
        tags=before.tags,
        argv=tuple(redact_argv(sys.argv)),
        cwd=_cwd(),
    )
    added.forget(folder)
    if step is not None and step < before.last_step:
        writer.append(Rewind, step=step)
    last_step = before.last_step if step is None else step
    return _running(folder, writer, selection, finish_timeout, mode, last_step)


def _bury(folder: RunFolder, before: State) -> None:
    """Training and supervisor both died without a word: say so, before the run goes on."""
    from trackhub.journal.others import without_a_word
    from trackhub.journal.state import ended

    if ended(folder) is None:
        status, reason = without_a_word(folder)
        header = new_header(before.id, before.name, attempt=before.attempt)
        supervisor = JournalWriter(folder.supervisor_journal, header, reopen=True)
        supervisor.append(RunEnded, status=status, reason=reason)
        supervisor.close()


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


def _mode(delivery: str | None) -> tuple[str, list[str]]:
    """How to deliver, and what is wrong with what was said about it."""
    mode = delivery or os.environ.get("TRACKHUB_DELIVERY") or "live"
    problems = [] if mode in ("live", "later") else [f"delivery={mode!r} is neither 'live' nor 'later'"]
    try:
        seconds("TRACKHUB_LINGER", 0.0)
    except ConfigError as error:
        problems += error.problems
    return mode, problems


def _as_before(before: State, options: Mapping[str, Mapping[str, Any]] | None) -> tuple[Selection, list[str]]:
    """The trackers that the run had, but for objects of a process that is gone."""
    gone = [name for name, source in before.sources.items() if source == OBJECT]
    if gone:
        tell(f"{', '.join(gone)}: an object of the earlier process; hand it to resume(trackers=[...]) to go on with it")
    stored = {name: disclosed(before.options.get(name, {})) for name in before.trackers if name not in gone}
    return asked(stored or "none", options, before.sources)


def _checked(
    chosen: tuple[Selection, list[str]],
    delivery: str | None,
    config: Any = None,
    best: Mapping[str, str] | None = None,
) -> tuple[Selection, str]:
    """(the trackers that are there, the mode of delivery); all problems at once."""
    (selection, strays), (mode, wrong) = chosen, _mode(delivery)
    problems = [*check_best(best), *strays, *wrong]
    if not isinstance(config, Mapping | None):
        problems.append(f"config is a dict, e.g. config=vars(arguments), not {type(config).__name__}")
    selection, missing = located(selection)
    variables.warn(selection.names)
    if problems := [*problems, *missing]:
        raise ConfigError(*problems)
    return selection, mode


def _new_folder(base: Path, name: str) -> RunFolder:
    """A run folder that nobody else has: ``<name>_<time>``, with ``-2`` behind it where that is taken."""
    stem = f"{safe_name(name)}_{time.strftime('%Y%m%d_%H%M%S')}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            folder = RunFolder(base / (stem if number == 1 else f"{stem}-{number}"))
            try:
                folder.path.mkdir()
            except FileExistsError:
                continue
            folder.journal.mkdir()
            return folder
    except OSError as error:
        raise ConfigError(
            f"the runs folder {base} cannot be written ({error.strerror}): choose another with --runs-dir, "
            "runs_dir= or TRACKHUB_RUNS_DIR"
        ) from error
    raise JournalError(f"{base} already holds 10,000 runs named {stem}")


def _running(
    folder: RunFolder,
    writer: JournalWriter,
    selection: Selection,
    finish_timeout: float,
    mode: str,
    last_step: int = -1,
) -> Run:
    from trackhub.delivery.launch import Delivery

    carried = Delivery(folder, selection, live=mode == "live")
    carried.start()
    run = Run(folder, writer, selection.names, carried, finish_timeout, last_step)
    ranks.announce(folder.path)
    watch(run)
    return run
