"""``--resume-from-checkpoint PATH|auto``: the run that goes on, and the checkpoint that it goes on from."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from trackhub import ranks
from trackhub.errors import ConfigError, JournalError, TrackhubError
from trackhub.layout import RunFolder, all_runs, find_run, safe_name

OPTION = "--resume-from-checkpoint"
AUTO = "auto"
_NAME = re.compile(r"checkpoint-step-(\d+)\.ckpt")
_TAKEN_BACK = "before-rewind-"


@dataclass(frozen=True)
class Origin:
    """Where a training goes on.

    Attributes:
        run: the run's folder.
        file: the checkpoint.
        passed_over: what is said about newer checkpoints that cannot be read.
    """

    run: Path
    file: Path
    passed_over: tuple[str, ...] = ()

    @property
    def step(self) -> int:
        """The checkpoint's step by its name; 0 for a name that tells none."""
        found = _NAME.fullmatch(self.file.name)
        return int(found[1]) if found else 0


def find(given: str, runs: Path, name: str) -> Origin | None:
    """The run and checkpoint that the user means; None if ``auto`` finds nothing to go on with.

    Args:
        given: a checkpoint, a run's folder, its name under `runs`, or ``auto``: the newest run called `name`.
        runs: the folder of all runs.
        name: the run's name, without the time.

    Raises:
        ConfigError: there is no such thing, it is broken, or the run is still being written.
    """
    try:
        found = _auto(runs, name) if given == AUTO else _named(Path(given).expanduser(), runs)
        if found is not None:
            _check_free(found.run)
    except TrackhubError as error:
        raise ConfigError(f"{OPTION} {given}: {error}") from error
    return found


def broken(file: Path) -> str:
    """Why a checkpoint cannot be read as a whole, "" if it can; nothing in it is interpreted."""
    try:
        with zipfile.ZipFile(file) as content:
            damaged = content.testzip()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return "is cut off, or is no checkpoint"
    return f"is damaged ({damaged})" if damaged else ""


def _auto(runs: Path, name: str) -> Origin | None:
    called = re.compile(rf"{re.escape(safe_name(name))}_\d{{8}}_\d{{6}}(-\d+)?")
    found = [(_started(run), run.path.name, run.path) for run in all_runs(runs) if called.fullmatch(run.path.name)]
    newest = max(found, default=(0.0, "", None))[2]
    return _newest(newest) if newest and saved(newest) else None


def _started(folder: RunFolder) -> float:
    """When a run began; 0 for one that never came to write a word, as on a full disk."""
    from trackhub.journal.state import header

    try:
        return header(folder.rank_journal(0)).started
    except JournalError:
        return 0.0


def _named(path: Path, runs: Path) -> Origin:
    if not path.is_file():
        return _newest(find_run(path, runs).path)
    if reason := broken(path):
        raise ConfigError(f"it {reason}. The newest whole one of its run is found by the run's folder in its place")
    folder = path.absolute().parent
    if folder.name.startswith(_TAKEN_BACK):
        raise ConfigError("the run has gone back to before this checkpoint, and on from there: it is no part of it now")
    return Origin(_run_of(path), path.absolute())


def _newest(run: Path) -> Origin:
    """The newest whole checkpoint of a run: that of the highest step, since a run that goes back moves later ones."""
    passed_over: list[str] = []
    for file in saved(run):
        if not (reason := broken(file)):
            return Origin(run, file, tuple(passed_over))
        passed_over.append(f"{file} {reason}: passed over")
    seen = "; ".join(passed_over) or f"there is no checkpoint-step-*.ckpt in {run / 'checkpoints'}"
    raise ConfigError(f"the run {run.name} has no checkpoint to go on from: {seen}")


def saved(run: Path) -> list[Path]:
    """The checkpoints of a run, the latest step first."""
    files = (path for path in RunFolder(run).checkpoints.glob("*.ckpt") if _NAME.fullmatch(path.name))
    return sorted(files, key=lambda path: int(path.stem.rpartition("-")[2]), reverse=True)


def _run_of(file: Path) -> Path:
    """The run of a checkpoint: where the file lies; for one that was copied elsewhere, what it says itself."""
    here = file.absolute().parent.parent
    if RunFolder(here).journal.is_dir():
        return here
    from trackhub_trainer.belonging import told_by

    there = Path(str(told_by(file).told.get("run_path", "")))
    if there.name and RunFolder(there).journal.is_dir():
        return there
    raise ConfigError(f"its run is not at {there}: put it back into the run's folder, under checkpoints/")


def _check_free(run: Path) -> None:
    """Nobody writes the run; the other ranks find it written by rank 0."""
    from trackhub.journal.state import header, latest, writer_alive

    folder = RunFolder(run)
    if not ranks.rank() and writer_alive(folder):
        pid = header(latest(folder)).pid
        raise ConfigError(f"the run {run.name} is still being written by process {pid}: end it first")
    if not os.access(run, os.W_OK):
        raise ConfigError(f"the run's folder {run} cannot be written")
