"""A run that goes back: what it saved after that step makes room, so that nothing is overwritten."""

from __future__ import annotations

import re
import shutil
from itertools import chain, count
from pathlib import Path

from trackhub.errors import ConfigError
from trackhub.events import Checkpoint
from trackhub.files import first_free
from trackhub.journal.params import of_kind
from trackhub.layout import RunFolder

_STEP = re.compile(r"(?:step|checkpoint)\D?(\d+)")
"""The step in the name of a checkpoint that the training was killed before telling of."""


def make_room(folder: RunFolder, step: int, last_step: int) -> Path | None:
    """Move checkpoints later than `step`, and the final model, to ``checkpoints/before-rewind-<number>/``.

    Only what lies in the run folder is moved. Returns the new folder; None if there was nothing to move.

    Args:
        folder: the run; nobody writes it now.
        step: the last step that still counts.
        last_step: how far the run had got.

    Raises:
        ConfigError: the disk refuses.
    """
    later = [path for path, at in _checkpoints(folder).items() if at > step]
    if not later and step >= last_step:
        return None
    room = _free(folder)
    try:
        for path in [*later, folder.final_model]:
            if path.exists() and not room.is_relative_to(path):
                _move(path, room / _below(path, folder))
    except OSError as error:
        raise ConfigError(f"what is later than step {step} cannot be moved to {room}: {error}") from error
    return room if room.exists() else None


def check_reached(folder: RunFolder, step: int, last_step: int) -> None:
    """Refuse a step that the run never reached.

    Args:
        folder: the run.
        step: the last step that is to count.
        last_step: of the run's last row; a checkpoint may be later.

    Raises:
        ConfigError: there is neither a row nor a checkpoint of that step or of a later one.
    """
    reached = max((last_step, *_checkpoints(folder).values()))
    if step > reached:
        far = f"got no further than step {reached}" if reached >= 0 else "has not logged a step"
        raise ConfigError(f"step={step}: run {folder.path.name} {far}. Without step= it goes on where it is")


def _checkpoints(folder: RunFolder) -> dict[Path, int]:
    """The step of each checkpoint in the run folder: as the journal says, else by its name."""
    told = [event for event in of_kind(folder, "checkpoint") if isinstance(event, Checkpoint)]
    found = {folder.path / event.path: event.step for event in told if _is_inside(event.path)}
    untold = (path for path in folder.checkpoints.glob("*") if path not in found)
    return found | {path: int(name[1]) for path in untold if (name := _STEP.search(path.name))}


def _is_inside(path: str) -> bool:
    """Whether a path in the journal is that of something in the run folder that is none of our own files."""
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts and parts[0] not in RunFolder.OURS


def _free(folder: RunFolder) -> Path:
    return first_free(folder.checkpoints / f"before-rewind-{number}" for number in count(1))


def _below(path: Path, folder: RunFolder) -> Path:
    return path.relative_to(folder.checkpoints if path.is_relative_to(folder.checkpoints) else folder.path)


def _move(path: Path, target: Path) -> None:
    """Move `path`, also to another disk; what has the name of `target` already stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    later = (target.with_name(f"{target.name}-{number}") for number in count(2))
    shutil.move(path, first_free(chain([target], later)))
