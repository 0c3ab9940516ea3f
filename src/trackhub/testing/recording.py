"""A tracker that writes down every hook call, and trackers that misbehave: for tests of delivery, and of plugins."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec

from trackhub.plugin import Checkpoint, Message, Options, RunInfo, hookimpl
from trackhub.testing.faults import Fault, misbehave


class RecordingOptions(Options):
    """What the recorder writes to."""

    file: Annotated[str, msgspec.Meta(description="the file, inside the run folder")] = "recording.jsonl"


class RecordingTracker:
    """Appends one JSON line per hook call to ``recording.jsonl`` in the run folder. It has no idempotence rule."""

    card = "Writes down every hook call, for tests."

    Options: type[RecordingOptions] = RecordingOptions

    def __init__(self, options: RecordingOptions) -> None:
        self.options = options
        self._path = Path()

    def write(self, hook: str, **arguments: Any) -> None:
        """Write down one call."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode({"hook": hook, **arguments}, enc_hook=str) + b"\n")

    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        """Remember the file, and write down the call."""
        self._path = run.path / self.options.file
        self.write("on_run_start", run_id=run.id, name=run.name, state=state)
        run.remember(file=self.options.file)

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        """Write down the call."""
        self.write("log_params", params=params)

    @hookimpl
    def log_metrics(self, metrics: dict[str, float], step: int, timestamp: float) -> None:
        """Write down the call."""
        self.write("log_metrics", metrics=metrics, step=step, timestamp=timestamp)

    @hookimpl
    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write down the call."""
        self.write("save_checkpoint", path=checkpoint.path, step=checkpoint.step, metrics=checkpoint.metrics)

    @hookimpl
    def log_message(self, message: Message) -> None:
        """Write down the call."""
        self.write("log_message", text=message.text, level=message.level)

    @hookimpl
    def flush(self) -> dict[str, float]:
        """Everything is in the file after each call."""
        return {"at": time.time()}

    @hookimpl
    def on_run_end(self, status: str, summary: dict[str, dict[str, float]]) -> None:
        """Write down the call."""
        self.write("on_run_end", status=status, summary=summary)

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """The points that were written down."""
        rows = recorded(self._path, "log_metrics")
        return [(row["step"], row["metrics"][key], row["timestamp"]) for row in rows if key in row["metrics"]]


def recorded(path: Path, hook: str | None = None) -> list[dict[str, Any]]:
    """The calls in a recording, oldest first; those of one hook only if it is named."""
    calls = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return [call for call in calls if hook in (None, call["hook"])]


class FaultyOptions(RecordingOptions):
    """Where and how it misbehaves."""

    hook: Annotated[str, msgspec.Meta(description="the hook that misbehaves")] = "log_metrics"
    fault: Annotated[Fault, msgspec.Meta(description="what it does there")] = "raise"
    times: Annotated[int, msgspec.Meta(description="how often, over all restarts")] = 1_000_000_000
    seconds: Annotated[float, msgspec.Meta(description="how long it hangs, or is slow")] = 3600.0
    deadline: Annotated[float, msgspec.Meta(description="seconds that its hooks may take")] = 60.0


class FaultyTracker(RecordingTracker):
    """A recorder that misbehaves in one hook, in a way of your choice."""

    Options = FaultyOptions

    def __init__(self, options: FaultyOptions) -> None:
        super().__init__(options)
        self.deadlines = {options.hook: options.deadline}

    def write(self, hook: str, **arguments: Any) -> None:
        """Misbehave, or write down the call."""
        options: FaultyOptions = self.options  # type: ignore[assignment]
        if hook == options.hook and self._again(options.times):
            misbehave(options.fault, options.seconds)
        super().write(hook, **arguments)

    def _again(self, times: int) -> bool:
        """Count a fault, on disk, so that a restart goes on counting."""
        counter = self._path.with_suffix(".faults")
        with counter.open("ab") as file:
            file.write(b".")
        return counter.stat().st_size <= times
