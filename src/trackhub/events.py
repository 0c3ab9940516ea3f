"""The event types: each is one immutable thing that happened, and one line of the journal.

Every line is a JSON object that `kind` tags. `n` is the event's ordinal in its file, counted from 1, and
`t` the moment of the call in Unix seconds. Metric values that JSON cannot hold travel as the strings
``NaN``, ``Infinity`` and ``-Infinity``; readers turn them back, typed by their position.
"""

from __future__ import annotations

from typing import Any

import msgspec

FORMAT = 1
"""Version of the journal format. A reader refuses a higher one."""


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line of every journal file: whose it is, and who writes it."""

    trackhub: int
    run_id: str
    run_name: str = ""
    host: str = ""
    pid: int = 0
    pid_started: float = 0.0
    started: float = 0.0
    rank: int = 0
    attempt: int = 0


class Event(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True):
    """What all events share: the ordinal `n` in its file, and the time `t` in Unix seconds."""

    n: int
    t: float


class RunStarted(Event, frozen=True, tag="run_started"):
    """A run began, or was resumed (`attempt` above 0). `options` holds no secrets: see `secrets.py`.

    `sources` says where the class of a tracker lies that no distribution brings; `best` is "min" or "max" by metric.
    """

    project: str = "default"
    trackers: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    notes: str | None = None
    group: str | None = None
    job_type: str | None = None
    best: dict[str, str] = {}
    attempt: int = 0
    argv: tuple[str, ...] = ()
    cwd: str = ""


class Params(Event, frozen=True, tag="params"):
    """Configuration: the first of a run, or an addition."""

    params: dict[str, Any]


class Metrics(Event, frozen=True, tag="metrics"):
    """One row: numbers at a step. `source` is "system" for what the supervisor sampled.

    `took` is trackhub's own cost: one row in 64 carries the seconds that an earlier log call took. Not delivered.
    """

    step: int
    metrics: dict[str, int | float | str]
    source: str = ""
    took: float = 0.0


class Media(Event, frozen=True, tag="media"):
    """One picture, sound, table or text, stored under `media/` by its content's hash.

    `media_kind` is one of `MEDIA_KINDS`; `details` what is known of it, e.g. width and height, sample_rate, columns.
    """

    key: str
    step: int
    media_kind: str
    path: str
    sha256: str = ""
    caption: str = ""
    details: dict[str, Any] = {}


class Artifact(Event, frozen=True, tag="artifact"):
    """A file that belongs to the run. `path` is relative to the run folder, or absolute where it stayed outside."""

    name: str
    path: str
    size: int = 0
    metadata: dict[str, Any] = {}


class Checkpoint(Event, frozen=True, tag="checkpoint"):
    """A checkpoint that exists on disk when this is written."""

    step: int
    path: str
    size: int = 0
    metrics: dict[str, int | float | str] = {}


class Batch(Event, frozen=True, tag="batch"):
    """Lineage: the lines of the data, 0-based, that went into one step, in their order. Not delivered to trackers.

    A step has one for each of its ranks, and where it spans the end of an epoch, one for each epoch.
    """

    step: int
    epoch: int
    lines: tuple[int, ...]
    dataset: str = ""
    rank: int = 0


class Message(Event, frozen=True, tag="message"):
    """A line for people. An alert is a message with the level "warning" or "error".

    `source` is "stdout" or "stderr" for a line that the training printed, and "failure" where another process of the
    run than the one that started it says how it failed.
    """

    text: str
    level: str = "info"
    source: str = ""


class Rejected(Event, frozen=True, tag="rejected"):
    """A value that could not be logged: which, why, and what it looked like (redacted, at most 200 characters)."""

    key: str
    reason: str
    value: str = ""
    step: int | None = None


class Environment(Event, frozen=True, tag="environment"):
    """Where the run ran: host, Python, packages, git commit. Written by the supervisor."""

    environment: dict[str, Any]


class Rewind(Event, frozen=True, tag="rewind"):
    """A resume went back: rows of earlier attempts above `step` no longer count."""

    step: int


class RunEnded(Event, frozen=True, tag="run_ended"):
    """How the run ended: finished, failed or killed; `reason` names the exception or the signal."""

    status: str
    reason: str = ""


AnyEvent = (
    RunStarted
    | Params
    | Metrics
    | Media
    | Artifact
    | Checkpoint
    | Batch
    | Message
    | Rejected
    | Environment
    | Rewind
    | RunEnded
)

MEDIA_KINDS = ("audio", "figure", "histogram", "html", "image", "table", "text", "video")
"""Files: image, figure: .png .jpg .gif .webp; audio: .wav .mp3 ...; video: .mp4 .webm .gif; html: .html; text: .txt;
table: .json {"columns": [...], "data": [[...], ...]}; histogram: .json {"edges": [n + 1 numbers], "counts": [n]}."""
WITHOUT_A_WORD = "the training process died without a word"
"""The reason in a `RunEnded` that somebody else had to write."""
FAILURE = "failure"
"""The source of the message with which a rank above 0, or a child, says how it failed."""
STATUSES = ("running", "finished", "failed", "killed")
"""A run has one of these; the last three end it."""
