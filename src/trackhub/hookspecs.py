"""The contract between trackhub and a tracker: every hook, when it fires, and what raising does.

All hooks run in the tracker's own courier process, one at a time, on its main thread; never in the training
process. An implementation may take any subset of the arguments, by name. Each call has a deadline (60 s, or
what the class states in `deadlines`): past it the courier is killed and started again.

What raising does is the same everywhere, so it is said once: `Retry` hands the same call again after its delay,
for as long as it takes; `Rejected` sets the event aside with its reason; anything else is tried three times and
then set aside. `on_run_start`, which has no event to set aside, is tried five times and then the tracker is
parked. Nothing that a tracker raises reaches the training or another tracker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from trackhub.plugin import Artifact, Checkpoint, Media, Message, Row, RunInfo

hookspec = pluggy.HookspecMarker("trackhub")


class TrackerSpec:
    """The hooks. Their names and arguments are fixed."""

    @hookspec
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        """The tracker opens its run: in every courier process, first of all.

        `state` is what the last `flush` returned, or None when nothing was stored so far. The tracker's own run id
        belongs on disk before anything is delivered: ``run.remember(run_id=..., url=...)``. May raise `Rebuild`.
        """

    @hookspec
    def log_params(self, params: dict[str, Any]) -> None:
        """The configuration, nested as the user gave it; called again with later additions."""

    @hookspec
    def log_metrics(self, metrics: dict[str, float], step: int, timestamp: float) -> None:
        """One row of numbers at a step; `timestamp` is the moment of the user's call, in Unix seconds."""

    @hookspec
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Up to 1,000 rows in the order of the journal; called instead of `log_metrics` where it exists.

        `Rejected` from a batch of several rows makes the courier halve it until one row is left.
        """

    @hookspec
    def log_media(self, media: Media, step: int, timestamp: float) -> None:
        """A picture, sound, table or text whose file lies at `media.path`; only kinds that `limits.media` names."""

    @hookspec
    def log_artifact(self, artifact: Artifact) -> None:
        """A file of the run, at the absolute path `artifact.path`."""

    @hookspec
    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """A checkpoint exists at the absolute path `checkpoint.path`."""

    @hookspec
    def log_message(self, message: Message) -> None:
        """A line for people; an alert has the level "warning" or "error"."""

    @hookspec
    def on_rewind(self, step: int) -> None:
        """A resume went back to `step`: rows above it will come again.

        A tracker that replaces discards its files and raises `Rebuild`; one without this hook appends.
        """

    @hookspec
    def flush(self) -> Any:
        """Make everything handed over so far safe, and return the state that `on_run_start` gets after a restart.

        The cursor and the returned state (JSON types) are stored in one atomic write. `UNSEALED` leaves the cursor.
        """

    @hookspec
    def on_run_end(self, status: str, summary: dict[str, dict[str, float]]) -> None:
        """The run is over: `status` is finished, failed or killed; a `flush` follows.

        `summary` maps each metric to its last, min and max value. A resumed run opens the tracker again.
        """

    @hookspec(firstresult=True)
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the backend holds under `key`: (step, value, timestamp) in stored order. For verification only."""
        raise NotImplementedError  # a specification is never called
