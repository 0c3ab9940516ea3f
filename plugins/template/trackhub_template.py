"""The tracker template: replace the file by calls of your platform. Retries, order and receipts are trackhub's work."""

from __future__ import annotations

import json
from typing import Annotated, Any

from msgspec import Meta

from trackhub.plugin import AppendFile, Limits, Options, Rebuild, Row, RunInfo, hookimpl


class TemplateOptions(Options):
    """Set as --tracker-opt template.file=a.jsonl, as TRACKHUB_TEMPLATE_FILE=a.jsonl, or in code."""

    file: Annotated[str, Meta(pattern=r"^[\w-]+\.jsonl$", description="the file, in the run folder")] = "template.jsonl"


class TemplateTracker:
    """Keeps each row of a run as a line of JSON."""

    Options = TemplateOptions
    limits = Limits()  # what your platform takes: trackhub maps the rest, and tells
    idempotence = "truncate"  # why each point is there once after a crash; leave it out if nothing makes it so
    rewinds = "replace"
    card = "One line of JSON per row, [step, time, metrics], in the run folder: template.jsonl."

    def __init__(self, options: TemplateOptions) -> None:
        self._options = options

    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        """Open the run: import your SDK here, and tell run.remember(run_id=...) what the platform calls it."""
        self._file = AppendFile(run.path / self._options.file, state, begins=b"[")

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Store rows. Raise Retry when the platform is away, and Rejected for what it never takes."""
        self._file.append("".join(json.dumps([row.step, row.timestamp, row.metrics]) + "\n" for row in rows).encode())

    @hookimpl
    def on_rewind(self, step: int) -> None:
        """The run went back: everything that still counts comes again."""
        self._file.discard()
        raise Rebuild(f"the run went back to step {step}")

    @hookimpl
    def flush(self) -> dict[str, int]:
        """Everything handed over is safe when this returns; what it returns is the state after a crash."""
        return self._file.flush()

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the platform holds, for the tests and for `trackhub status --verify`."""
        rows = map(json.loads, self._file.lines())
        return [(step, metrics[key], time) for step, time, metrics in rows if key in metrics]
