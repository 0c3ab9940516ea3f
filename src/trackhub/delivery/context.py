"""What a tracker is told of its run: `trackhub.plugin.RunInfo`, made from the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackhub.delivery import cursor as cursors
from trackhub.delivery.cursor import Cursor
from trackhub.journal.params import environment, params
from trackhub.journal.state import state
from trackhub.layout import RunFolder


class RunContext:
    """One run, as its trackers see it; `trackhub.plugin.RunInfo` documents the attributes."""

    def __init__(self, folder: RunFolder, cursor: Cursor) -> None:
        run = state(folder)
        self.id = run.id
        self.name = run.name
        self.path = folder.path
        self.project = run.project
        self.tags = run.tags
        self.notes = run.notes
        self.group = run.group
        self.job_type = run.job_type
        self.best = run.best
        self.started = run.started
        self.params = params(folder)
        self.remembered = cursor.remembered
        self._folder = folder
        self._cursor = cursor
        cursor.run_id = run.id

    @property
    def runs_dir(self) -> Path:
        """The folder that holds this run and its siblings."""
        return self.path.parent

    @property
    def environment(self) -> dict[str, Any]:
        """Where the run's latest attempt ran; empty until the supervisor has found out."""
        return environment(self._folder)

    def remember(self, **facts: Any) -> None:
        """Put the tracker's own facts on disk at once, before anything is delivered."""
        self.remembered.update(facts)
        cursors.store(self._folder.cursor(self._cursor.tracker), self._cursor)
