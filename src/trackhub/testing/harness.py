"""A plugin opened in the test's own process, through the same facade that its courier uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from trackhub.delivery.facade import Tracker


class SomeRun(msgspec.Struct):
    """A run for a tracker to open, with plain defaults: all that `RunInfo` promises."""

    path: Path
    id: str = "0123456789abcdef"
    name: str = "some-run_20260101_000000"
    project: str = "default"
    tags: tuple[str, ...] = ()
    notes: str | None = None
    group: str | None = None
    job_type: str | None = None
    started: float = 1_767_225_600.25
    params: dict[str, Any] = {}
    best: dict[str, str] = {}
    environment: dict[str, Any] = {}
    remembered: dict[str, Any] = {}

    @property
    def runs_dir(self) -> Path:
        """The folder that holds the run."""
        return self.path.parent

    def remember(self, **facts: Any) -> None:
        """Keep the tracker's own facts."""
        self.remembered.update(facts)


def open_tracker(plugin_class: type, run: SomeRun, state: Any = None, **options: Any) -> Tracker:
    """A tracker of `plugin_class` with `options`, after `on_run_start(run, state)`."""
    options_class = getattr(plugin_class, "Options", None)
    plugin = plugin_class(options_class(**options)) if options_class else plugin_class()
    tracker = Tracker(plugin_class.__name__, plugin)
    tracker.on_run_start(run, state)
    return tracker
