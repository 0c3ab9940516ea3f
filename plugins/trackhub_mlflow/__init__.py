"""The MLflow tracker: a local database beside the runs by default, or a tracking server.

The SDK is imported when the run opens, never before; only its stateless client is used.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from trackhub.plugin import (
    Artifact,
    Checkpoint,
    Limits,
    Media,
    Rebuild,
    Rejected,
    Row,
    RunInfo,
    hookimpl,
)
from trackhub_mlflow import places, quiet
from trackhub_mlflow.options import MlflowOptions

STATES = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
"""trackhub's word for how a run ended, and MLflow's."""
SEVERAL_WITHIN = 300.0
"""Seconds for a few requests of a slow server, each of which ends by its own timeout."""
MANY_WITHIN = 6 * 3600.0
"""Seconds for a whole checkpoint, or a thousand rows of many values; a request that hangs ends much earlier, too."""


class MlflowTracker:
    """Keeps a run in MLflow."""

    Options = MlflowOptions
    limits = Limits(
        key_length=250,
        key_forbidden=(
            r"[^/\w.\- :]|\A/|(?<=/)/|/\Z"  # one slash between two parts
            r"|\A\.(?=\.)|(?<![^/])\.(?=\.?(?:/|\Z))"  # no ".." at the head, no part "." or ".."
        ),
        escape=":",
        flat_params=True,
        param_length=6000,
        infinite=False,
        signed_zero=False,
        big_ints=False,
        time_step=0.001,
        steps=(-(2**63), 2**63 - 1),
        media=frozenset({"audio", "figure", "histogram", "html", "image", "table", "text", "video"}),
    )
    idempotence = "key"
    rewinds = "append"
    repeats = "keep"
    order = "time"
    deadlines = {  # noqa: RUF012 - never changed
        "on_run_start": SEVERAL_WITHIN,
        "log_params": SEVERAL_WITHIN,
        "log_metrics_batch": MANY_WITHIN,
        "log_media": 600.0,
        "log_artifact": MANY_WITHIN,
        "save_checkpoint": MANY_WITHIN,
        "on_run_end": SEVERAL_WITHIN,
    }
    needs = "mlflow"
    extra = "mlflow"
    card = """A run in mlflow.db beside the runs, its files in mlartifacts/; open with
    `mlflow ui --backend-store-uri sqlite:///runs/mlflow.db`. Or on a server: tracking_uri=http://host:5000. Each point
    has its own step, and its time in milliseconds; together with key and value that is MLflow's own primary key: a
    replay after a crash adds nothing (rule: key), and neither does a point that you log twice in a millisecond. NaN is
    kept, infinities are left out. A parameter keeps its first value; config.json holds the whole configuration. After a
    rewind the earlier values stay and the later ones stand last. Messages are not stored: MLflow has no log."""

    def __init__(self, options: MlflowOptions) -> None:
        self._options = options
        self._warned: set[str] = set()

    @hookimpl
    def on_run_start(self, run: RunInfo, state: dict[str, Any] | None) -> None:
        """Open or find the run; its id is on disk before anything is delivered."""
        uri = self._options.uri() or places.beside(run)
        quiet.hush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's imports warn of their own dependencies
            from trackhub_mlflow import answers, artifacts, opening, sending
        self._verdicts, self._opening, self._run = answers.verdicts, opening, run
        answers.wait_at_most(self._options.timeout)
        with self._verdicts(opening=True):
            client, found = opening.opened(uri, self._options.experiment or run.project, run)
        self._sent = sending.Sent(client, found)
        self._files = artifacts.Files(client, found.info.run_id)
        self._last = float(state["last"]) if state else run.started
        run.remember(run_id=found.info.run_id, **places.whereabouts(uri, found))
        if state is not None and state["run_id"] != found.info.run_id:
            raise Rebuild("the run that was filled before is not in this MLflow")

    @hookimpl
    def log_params(self, params: dict[str, str]) -> None:
        """Store new parameters; of one that was stored before with another value, only config.json has the later."""
        with self._answered():
            changed = self._sent.params(params)
        for key in changed:
            self._warn(f"parameter {key} has another value now: MLflow keeps the first, config.json has the last")
        self._put_config()

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Store rows, in requests of up to 1,000 values."""
        with self._answered():
            self._sent.rows(rows)
        self._last = max(self._last, *(row.timestamp for row in rows))

    @hookimpl
    def log_media(self, media: Media) -> None:
        """Store a picture for the picture grid, a table for the table view, anything else as a file."""
        with self._answered():
            self._files.put_media(media)
        self._last = max(self._last, media.t)

    @hookimpl
    def log_artifact(self, artifact: Artifact) -> None:
        """Store a file, or a folder of files, under the path that it has in the run folder."""
        with self._answered():
            self._files.put_kept(Path(artifact.path), self._run.path)
        self._last = max(self._last, artifact.t)

    @hookimpl
    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint, file or folder, under the path that it has in the run folder."""
        with self._answered():
            self._files.put_kept(Path(checkpoint.path), self._run.path)
        self._last = max(self._last, checkpoint.t)

    @hookimpl
    def flush(self) -> dict[str, Any]:
        """Every call has waited for MLflow to store what it was given."""
        return {"run_id": self._sent.run_id, "last": self._last}

    @hookimpl
    def on_run_end(self, status: str) -> None:
        """Tell what ran, and how and when it ended."""
        with self._answered():
            self._sent.tags(self._opening.source_tags(self._run.environment))
            self._sent.end(STATES[status], self._last)
        self._put_config()

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What MLflow holds, in its order: by time, step and value."""
        with self._answered():
            return self._sent.points(key)

    def _answered(self) -> AbstractContextManager[None]:
        return self._verdicts()

    def _put_config(self) -> None:
        """The whole configuration, whole and nested; metrics do not wait for artifacts that cannot be stored."""
        try:
            with self._answered():
                self._files.put_json(self._run.params, "config.json")
        except Rejected as refused:
            self._warn(f"config.json is not stored: {refused}")

    def _warn(self, words: str) -> None:
        if words not in self._warned:
            self._warned.add(words)
            logging.getLogger("trackhub").warning("mlflow: %s", words)
