"""The TensorBoard tracker: one event file per run, in TensorBoard's own format.

The SDK is imported when the run opens, never before; neither torch nor TensorFlow is.
"""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any

import msgspec

from trackhub.plugin import AppendFile, Limits, Media, Message, Options, Rebuild, Row, RunInfo, hookimpl, jsonable
from trackhub_tensorboard.tags import DASHBOARDS, SCALAR, Tags

PARAMS, MESSAGES, STATUS = "trackhub/params", "trackhub/messages", "trackhub/status"
"""Tags in the Text tab. In TensorBoard a tag has one kind, so `limits` keeps metrics from having these names."""
BEYOND = 2.0**128 - 2.0**103
"""From here on the nearest 32-bit float is infinity."""


class TensorboardOptions(Options):
    """The options of this tracker."""

    log_dir: Annotated[
        str, msgspec.Meta(description="folder of the event file, directly in the run folder: letters, digits, _ and -")
    ] = "tensorboard_logs"


class TensorboardTracker:
    """Keeps a run as a TensorBoard event file."""

    Options = TensorboardOptions
    limits = Limits(
        key_forbidden="[\ud800-\udfff]|(?<=\\Atrackhub)/(?=(?:params|messages|status)\\Z)",
        big_ints=False,
        float_bits=32,
        steps=(-(2**63), 2**63 - 1),
        media=frozenset(DASHBOARDS),
    )
    idempotence = "truncate"
    rewinds = "replace"
    needs = "tensorboard"
    extra = "tensorboard"
    card = """One event file in the run's tensorboard_logs/; open with `tensorboard --logdir runs`. Each point has its
    own step and time, NaN and Inf included. TensorBoard stores values as 32-bit floats: about seven digits, integers
    exact up to 2**24, infinity beyond 3.4e38. Parameters, messages and the status are in the Text tab. After a crash
    the file is cut back to what is recorded (rule: truncate), after a rewind it is written again. Images, figures, GIF
    videos, WAV audio, text and histograms are in their tabs; other media, artifacts and checkpoints are not stored."""

    def __init__(self, options: TensorboardOptions) -> None:
        if not re.fullmatch(r"[\w-]+", options.log_dir):
            raise ValueError(f"log_dir={options.log_dir!r}: give a plain folder name, e.g. log_dir=tensorboard_logs")
        self._options = options
        self._told: set[str] = set()

    @hookimpl
    def on_run_start(self, run: RunInfo, state: dict[str, Any] | None) -> None:
        """Open the file where the state left it. Nothing is written before the first flush."""
        from trackhub_tensorboard import media, records

        self._records, self._media, self._run = records, media, run
        self._name = f"{self._options.log_dir}/{_file_name(run)}"
        if state is not None and state["file"] != self._name:
            raise Rebuild(f"the file was {state['file']} and is {self._name} now")
        (run.path / self._options.log_dir).mkdir(exist_ok=True)
        self._head = records.head(run.started)
        self._file = AppendFile(run.path / self._name, state["events"] if state else None, begins=self._head)
        self._texts: int = state["texts"] if state else 0
        self._time: float = state["time"] if state else run.started
        self._tags = Tags(dict(state.get("tags", {})) if state else {})
        run.remember(file=self._name)

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        """Show the parameters, as JSON; a later addition is a text of its own."""
        content = msgspec.json.format(msgspec.json.encode(jsonable(params)), indent=2).decode()
        self._append_text(PARAMS, f"```json\n{content}\n```", self._time)

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Append one record per row."""
        for row in rows:
            self._tell_infinite(row)
        self._append(self._records.scalars(rows, self._tags))
        self._time = rows[-1].timestamp

    @hookimpl
    def log_media(self, media: Media) -> None:
        """Append a record for the dashboard that shows this kind."""
        data = self._media.record(media, self._tags.find(media.key, DASHBOARDS[media.media_kind]))
        self._tags.of(media.key, DASHBOARDS[media.media_kind])
        self._append(data)
        self._time = media.t

    @hookimpl
    def log_message(self, message: Message) -> None:
        """Show the message, as Markdown; an alert says its level first."""
        level = "" if message.level == "info" else f"{message.level}: "
        self._append_text(MESSAGES, level + message.text, message.t)

    @hookimpl
    def on_rewind(self, step: int) -> None:
        """Discard the file and have it delivered again, under a new name: so an open TensorBoard notices."""
        self._file.discard()
        self._run.remember(_rewinds=_times_rewound(self._run) + 1)
        raise Rebuild(f"the run went back to step {step}")

    @hookimpl
    def flush(self) -> dict[str, Any]:
        """Put the file on the disk."""
        return {
            "file": self._name,
            "events": self._file.flush(),
            "texts": self._texts,
            "time": self._time,
            "tags": dict(self._tags.known),
        }

    @hookimpl
    def on_run_end(self, status: str) -> None:
        """Show the true status."""
        self._append_text(STATUS, status, self._time)

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the file holds."""
        return self._records.points(self._file.path, self._tags.find(key, SCALAR))

    def _append_text(self, tag: str, content: str, timestamp: float) -> None:
        """Texts are numbered: of two with one tag and step, TensorBoard's fast loader shows the last only."""
        self._append(self._records.text(tag, content, self._texts, timestamp))
        self._texts += 1

    def _append(self, data: bytes) -> None:
        self._file.append(data if self._file.size else self._head + data)

    def _tell_infinite(self, row: Row) -> None:
        """Say once per metric that a finite value becomes an infinite one."""
        for key, value in row.metrics.items():
            if abs(value) >= BEYOND and value - value == 0 and key not in self._told:
                self._told.add(key)
                logging.getLogger("trackhub").warning(
                    "tensorboard: %s = %r at step %d is beyond 32-bit floats and stored as an infinity; "
                    "the journal keeps it (said once per metric)",
                    key, value, row.step,
                )  # fmt: skip


def _times_rewound(run: RunInfo) -> int:
    return int(run.remembered.get("_rewinds", 0))


def _file_name(run: RunInfo) -> str:
    """As TensorBoard wants it, and the same wherever the run is delivered from."""
    return f"events.out.tfevents.{int(run.started):010d}.trackhub.{run.id}.{_times_rewound(run):03d}"
