"""Several processes, one run: who starts it, and who joins."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackhub.run import Run

VARIABLE = "TRACKHUB_RUN"
"""`start` puts the run's path here, for the processes that it will start."""


def rank() -> int:
    """This process's rank, as torchrun, Lightning or SLURM tell it; 0 when nobody does."""
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        value = os.environ.get(name, "")
        if value.isdecimal():
            return int(value)
    return 0


def joined() -> tuple[str, int] | None:
    """(path, rank) of the run to join: only for a rank above 0 that inherited a run."""
    path = os.environ.get(VARIABLE, "")
    return (path, rank()) if path and rank() > 0 else None


def export(run: Run) -> None:
    """Let the processes that this one starts find the run."""
    os.environ[VARIABLE] = str(run.path)
