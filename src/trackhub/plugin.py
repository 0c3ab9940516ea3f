"""All that the author of a tracker plugin imports.

A tracker is a plain class whose methods carry `@hookimpl`. The smallest one is::

    from trackhub.plugin import hookimpl

    class MyTracker:
        @hookimpl
        def log_metrics(self, metrics, step):
            send(metrics, step)

registered in its distribution as::

    [project.entry-points."trackhub.trackers"]
    mine = "my_package:MyTracker"

`trackhub.hookspecs` documents every hook. A class may also state, as plain attributes:

``Options``      an `Options` subclass: its typed fields are the tracker's options. The class is then made
                 as ``MyTracker(options)``, otherwise as ``MyTracker()``.
``limits``       a `Limits`: what the backend takes. trackhub maps what it does not, reversibly, and tells.
``idempotence``  one of `RULES`: why a replay after a crash leaves each point exactly once. Without it the
                 receipt says "may repeat after a crash".
``rewinds``      "replace" or "append": what the backend holds after a resume from an earlier step.
``deadlines``    seconds by hook name, where the default of 60 does not fit.
``needs``        import name of the SDK, e.g. "swanlab": `trackhub trackers` says "ready" only if it is there.
``extra``        the extra of trackhub-ml (or the pip requirement) that brings the SDK.
``card``         one paragraph for people: what is stored where, and what to know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import msgspec
import pluggy

from trackhub.appendfile import AppendFile, keep_aside, replace_file
from trackhub.events import Artifact, Checkpoint, Media, Message
from trackhub.journal.format import jsonable
from trackhub.verdicts import UNSEALED, Rebuild, Rejected, Retry

hookimpl = pluggy.HookimplMarker("trackhub")

RULES = ("truncate", "key", "rebuild", "known_step")
"""The idempotence rules: truncate to the recorded size; the backend's own primary key; an unfinished local
fragment is written again from the journal; the backend drops what it has."""


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The base of a tracker's options: annotated fields with defaults, described by `msgspec.Meta`.

    A field whose `Meta(extra={"secret": True})` is set is never written to disk.
    """


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend takes. The defaults take everything."""

    key_length: int = 0
    """Longest metric key, in characters; 0 for any."""
    key_forbidden: str = ""
    """A regular expression that matches what a key must not contain; each match is percent-encoded."""
    param_length: int = 0
    """Longest parameter value, in characters; 0 for any."""
    nonfinite: bool = True
    """Whether NaN, +Inf and -Inf are stored as such. If not, such a value is left out and told."""
    big_ints: bool = True
    """Whether integers beyond 2**53 keep every digit. If not, they are delivered as floats and told."""
    media: frozenset[str] = frozenset()
    """The kinds of media that are taken, e.g. {"image", "text"}."""


class Row(msgspec.Struct, frozen=True):
    """One row for `log_metrics_batch`: numbers at a step, when they were logged, and their place in the run."""

    metrics: dict[str, float]
    """Keys are already mapped to the limits; values are floats or ints, NaN and infinities included."""
    step: int
    timestamp: float
    """Unix seconds."""
    ordinal: int
    """Strictly increasing over everything that is delivered to this tracker; the same after a replay."""
    source: str = ""
    """"system" for what the supervisor sampled, otherwise empty."""


class RunInfo(Protocol):
    """What a tracker is told of the run it opens."""

    id: str
    name: str
    """Name of the run's folder: unique under its `runs/`."""
    path: Path
    """The run folder. A tracker keeps its files inside it."""
    project: str
    tags: tuple[str, ...]
    notes: str | None
    group: str | None
    job_type: str | None
    started: float
    """Unix seconds."""
    params: dict[str, Any]
    """The configuration as known when the tracker opens; also delivered by `log_params`."""
    remembered: dict[str, Any]
    """What `remember` kept, also from earlier processes."""

    @property
    def runs_dir(self) -> Path:
        """The folder that holds this run and its siblings."""

    def remember(self, **facts: Any) -> None:
        """Put the tracker's own facts, e.g. ``run_id=..., url=...``, on disk at once.

        Those whose name begins with an underscore are not shown to people.
        """


__all__ = [
    "RULES",
    "UNSEALED",
    "AppendFile",
    "Artifact",
    "Checkpoint",
    "Limits",
    "Media",
    "Message",
    "Options",
    "Rebuild",
    "Rejected",
    "Retry",
    "Row",
    "RunInfo",
    "hookimpl",
    "jsonable",
    "keep_aside",
    "replace_file",
]
