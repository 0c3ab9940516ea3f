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
``repeats``      "keep", "first" or "last": what it holds of a key that was logged twice at one step; "keep" if unsaid.
``order``        "journal" or "time": the order in which it gives points back; "journal" if unsaid.
``deadlines``    seconds by hook name, where the default of 60 does not fit.
``needs``        import name of the SDK, e.g. "swanlab": `trackhub trackers` says "ready" only if it is there.
``extra``        the extra of trackhub-ml (or the pip requirement) that brings the SDK.
``card``         one paragraph for people: what is stored where, and what to know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec
import pluggy

from trackhub.appendfile import AppendFile, keep_aside, replace_file
from trackhub.events import MEDIA_KINDS, Artifact, Checkpoint, Media, Message
from trackhub.journal.format import jsonable
from trackhub.locks import FileLock
from trackhub.verdicts import UNSEALED, Rebuild, Rejected, Retry

hookimpl = pluggy.HookimplMarker("trackhub")

RULES = ("truncate", "key", "rebuild", "known_step")
"""The idempotence rules: truncate to the recorded size; the backend's own primary key; an unfinished local
fragment is written again from the journal; the backend drops what it has."""


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The base of a tracker's options: annotated fields with defaults, described by `msgspec.Meta`.

    A field whose `Meta(extra={"secret": True})` is set is never written to disk. Its name has to say so, as `api_key`
    and `password` do: the journal redacts options by their names, since it knows no plugin.
    """


class Uploads(Options):
    """The base of the options of a tracker that can take whole files: which of them it is given.

    The courier heeds it: `save_checkpoint` and `log_artifact` are called for what the policy lets through, and for
    nothing else. A tracker whose options have no `upload` is given every checkpoint and every artifact.
    """

    upload: Annotated[
        Literal["none", "last", "best", "all"],
        msgspec.Meta(
            description="checkpoints and artifacts to hand over: none; at the end of the run the last ones; "
            "the best checkpoint, by `best=` of the run, with the last artifacts; or all as they come"
        ),
    ] = "none"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend takes. The defaults take everything."""

    key_length: int = 0
    """Longest key, in characters; 0 for any."""
    key_forbidden: str = ""
    """A regular expression that matches what a key must not contain; each match is encoded, as `escape` says."""
    escape: str = "%"
    """The character that stands before the two hexadecimal digits of each encoded byte; one that the backend takes."""
    flat_params: bool = False
    """Whether parameters are flat strings: "a/b" keys, mapped as those of metrics are, and each value as its text."""
    param_length: int = 0
    """Longest text of a flat parameter, in characters; 0 for any. A longer one is cut and told."""
    nan: bool = True
    """Whether NaN is stored as such. If not, such a value is left out and told."""
    infinite: bool = True
    """Whether +Inf and -Inf are stored as such. If not, such a value is left out and told."""
    big_ints: bool = True
    """Whether integers beyond 2**53 keep every digit. If not, they are delivered as floats and told."""
    signed_zero: bool = True
    """Whether -0.0 stays apart from 0.0."""
    float_bits: int = 64
    """Width of a stored number: 64, or 32 where the backend keeps about seven digits."""
    time_step: float = 0.0
    """Seconds between two times that the backend can tell apart, e.g. 0.001; 0 for floats as they are."""
    steps: tuple[int, int] | None = None
    """The least and the largest step; a row outside is set aside with that reason. None for any."""
    media: frozenset[str] = frozenset()
    """The kinds of media that are taken, of `MEDIA_KINDS`; the others stay in the run folder, and that is told."""


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
    """The whole configuration so far, as the user gave it; also delivered by `log_params`, which heeds the limits."""
    best: dict[str, str]
    """"min" or "max" by metric, for those whose best value matters: see `trackhub.start`."""
    remembered: dict[str, Any]
    """What `remember` kept, also from earlier processes."""

    @property
    def environment(self) -> dict[str, Any]:
        """Host, packages, git commit and so on, as `trackhub.environment.snapshot` says; empty until it is known."""

    @property
    def runs_dir(self) -> Path:
        """The folder that holds this run and its siblings."""

    def remember(self, **facts: Any) -> None:
        """Put the tracker's own facts, e.g. ``run_id=..., url=...``, on disk at once.

        Those whose name begins with an underscore are not shown to people.
        """


__all__ = [
    "MEDIA_KINDS",
    "RULES",
    "UNSEALED",
    "AppendFile",
    "Artifact",
    "Checkpoint",
    "FileLock",
    "Limits",
    "Media",
    "Message",
    "Options",
    "Rebuild",
    "Rejected",
    "Retry",
    "Row",
    "RunInfo",
    "Uploads",
    "hookimpl",
    "jsonable",
    "keep_aside",
    "replace_file",
]
