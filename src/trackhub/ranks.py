"""Several processes, one run: rank 0 starts it, the others join.

Lightning re-launches the script from rank 0, so its other ranks inherit ``TRACKHUB_RUN``. Under torchrun and SLURM all
ranks begin at once: rank 0 puts the run's path into a meeting file that is named after the job, and the others wait
for it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from trackhub.errors import JournalError

VARIABLE = "TRACKHUB_RUN"
"""`start` puts the run's path here, for the processes that it will start."""
WAIT = 60.0
"""Seconds that a rank waits for rank 0 to start the run."""
_JOB = (
    "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_RESTART_COUNT",
    "MASTER_ADDR",
    "MASTER_PORT",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
)


def rank() -> int:
    """This process's rank, as torchrun, Lightning or SLURM tell it; 0 when nobody does."""
    return _number("RANK", "LOCAL_RANK", "SLURM_PROCID")


def joined(runs: Path) -> tuple[str, int] | None:
    """(path, rank) of the run to join, for a rank above 0; None for a process that starts its own.

    Raises:
        JournalError: rank 0 did not start a run within `WAIT` seconds.
    """
    if not rank():
        return None
    inherited = os.environ.get(VARIABLE)
    if not _launched():
        return (inherited, rank()) if inherited else None
    if inherited and _started_by_parent(inherited):
        return inherited, rank()
    return _wait(_meeting(runs)), rank()


def announce(run: Path) -> None:
    """Let the other ranks, and the processes that this one starts, find the run."""
    os.environ[VARIABLE] = str(run)
    if _launched():
        meeting = _meeting(run.parent)
        meeting.parent.mkdir(exist_ok=True)
        new = meeting.with_suffix(f".{os.getpid()}")
        new.write_text(str(run))
        new.replace(meeting)


def _started_by_parent(run: str) -> bool:
    """Whether the process that started this one started the run: if not, a launcher ran inside another training."""
    from trackhub.journal.state import header, latest
    from trackhub.layout import RunFolder

    try:
        return header(latest(RunFolder(run))).pid == os.getppid()
    except JournalError:
        return False


def _launched() -> bool:
    """Whether a launcher started several ranks at once."""
    return _number("WORLD_SIZE", "SLURM_NTASKS") > 1 and any(name in os.environ for name in _JOB)


def _meeting(runs: Path) -> Path:
    from hashlib import sha256

    job = "|".join(os.environ.get(name, "") for name in _JOB)
    return runs / ".ranks" / sha256(job.encode()).hexdigest()[:16]


def _wait(meeting: Path) -> str:
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        path = _current(meeting)
        if path:
            return path
        time.sleep(0.1)
    raise JournalError(f"rank {rank()} waited {WAIT:.0f} s for rank 0 to start a run under {meeting.parents[1]}")


def _current(meeting: Path) -> str:
    """The run in the meeting file, if it is of this job: an earlier one may have left a file of the same name.

    It is where the run is still written; or, for a rank 0 that was quick, where the file came after the launcher and
    this rank has not joined that run yet.
    """
    from trackhub.journal.state import writer_alive
    from trackhub.layout import RunFolder

    try:
        path = meeting.read_text()
        if writer_alive(RunFolder(path)):
            return path
        new = meeting.stat().st_mtime > _launcher_started() and not RunFolder(path).rank_journal(rank()).exists()
        return path if new else ""
    except (OSError, JournalError):
        return ""


def _launcher_started() -> float:
    """When the process that started this one began, in Unix seconds."""
    import psutil

    try:
        return float(psutil.Process(os.getppid()).create_time())
    except psutil.Error:
        return float("inf")


def _number(*names: str) -> int:
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.isdecimal()), 0)
