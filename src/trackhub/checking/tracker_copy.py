"""A run folder to open a tracker on, of which nothing matters: its own files are copies."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from trackhub.checking.paper import ReadOnlyRun
from trackhub.layout import RunFolder

_OURS = ("journal", "delivery", "checkpoints", "media", "artifacts", "logs", "final_model")
"""Folders of a run that hold no tracker's files."""


class Copy:
    """A folder of runs that holds a copy of one run's tracker files; databases beside the runs are linked.

    Args:
        home: an empty folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def of(self, folder: RunFolder) -> Path:
        """The copied run folder."""
        run = self._home / folder.path.name
        run.mkdir()
        for source in folder.path.iterdir():
            if source.is_dir() and source.name not in _OURS:
                shutil.copytree(source, run / source.name, symlinks=True)
            elif source.is_file():
                shutil.copy2(source, run / source.name)
        for beside in folder.path.parent.iterdir():
            if beside.is_file():
                with contextlib.suppress(OSError):  # a system without links for everybody
                    (self._home / beside.name).symlink_to(beside)
        return run

    def remove(self) -> None:
        """Take it away again."""
        shutil.rmtree(self._home, ignore_errors=True)


class CopiedRun(ReadOnlyRun):
    """A run as its tracker sees it, in another place."""

    def at(self, path: Path) -> CopiedRun:
        """The same run, with its folder at `path`."""
        self.path = path
        return self
