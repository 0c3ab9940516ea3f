"""One W&B run of the SDK, open: quiet, without probes, with a `wandb-core` process of its own."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import wandb
from wandb.sdk.data_types._private import MEDIA_TMP

from trackhub.plugin import Artifact, Checkpoint, Media, Message, Retry, Row, RunInfo, jsonable
from trackhub_wandb import WandbOptions
from trackhub_wandb.contents import checkpoint_artifact, file_artifact, file_stem, value_of
from trackhub_wandb.records import AXIS, count
from trackhub_wandb.sdk import VISIBLE_AFTER, be_polite, end_process, kill_process, settings_of

EXIT_CODES = {"finished": 0, "failed": 1, "killed": 255}
"""trackhub's word for how a run ended, and what W&B makes of it; 255 is what its SDK says after Ctrl-C."""
STATUS = "trackhub/status"
"""The summary's own word for it."""


class Session:
    """A new W&B folder, open for writing; every earlier one of this process is ended.

    Args:
        run: whose run it is.
        options: the tracker's options.
        parent: the folder to make it in.
        best: "min" or "max" by metric, for those whose best value the summary keeps.

    Raises:
        Retry: the run does not open: the server cannot be reached or refuses the key, the disk is full.
    """

    def __init__(self, run: RunInfo, options: WandbOptions, parent: Path, best: dict[str, str]) -> None:
        kill_process()
        Path(MEDIA_TMP.name).mkdir(parents=True, exist_ok=True)
        self._run_id = run.id
        self._stored: Counter[str] = Counter()
        try:
            self._sdk = wandb.init(settings=settings_of(run, options, parent))
        except Exception as error:  # whatever keeps the SDK from opening, no event is to be set aside for it
            kill_process()
            raise Retry(f"W&B: {str(error)[:300]}{_in_files(run) if options.online else ''}") from error
        self.folder = Path(self._sdk.sync_dir)
        self.url: str | None = self._sdk.url
        # Copies of artifacts go where they are discarded together with the records that name them.
        os.environ["WANDB_DATA_DIR"] = str(self.folder / "staged")
        self._sdk.define_metric("*", step_metric=AXIS)
        for metric, direction in best.items():
            self._sdk.define_metric(metric, step_metric=AXIS, summary=f"{direction},last")
        be_polite()

    @property
    def file(self) -> Path:
        """The `.wandb` file."""
        return self.folder / f"run-{self._run_id}.wandb"

    def params(self, params: dict[str, Any]) -> None:
        """Add to the config, key by key as given: `run.config` strips hyphens and looks up "wandb-artifact://"."""
        named = {"%5Fwandb" if key == "_wandb" else key: value for key, value in jsonable(params).items()}
        self._sdk._config_callback(data=named)

    def rows(self, rows: list[Row]) -> None:
        """One history row for each."""
        for row in rows:
            self._log(row.metrics, row.step, row.timestamp, row.ordinal)

    def media(self, media: Media, ordinal: int) -> None:
        """One history row with one medium."""
        value = value_of(media)
        if media.media_kind != "histogram":
            value.bind_to_run(self._sdk, file_stem(media.key), ordinal)
        self._log({media.key: value}, media.step, media.t, ordinal)

    def _log(self, values: dict[str, Any], step: int, timestamp: float, ordinal: int) -> None:
        self._sdk.log({**values, AXIS: step, "_timestamp": timestamp}, step=ordinal, commit=True)
        self._stored["history"] += 1

    def message(self, message: Message) -> None:
        """A line of the run's log; W&B keeps no time with it, so its text begins with one."""
        level = "" if message.level == "info" else f"{message.level}: "
        self._sdk.write_logs(f"{datetime.fromtimestamp(message.t, UTC):%Y-%m-%dT%H:%M:%SZ} {level}{message.text}")
        self._stored["output_logger"] += 1

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """One version of the run's model."""
        self._sdk.log_artifact(checkpoint_artifact(self._run_id, checkpoint), aliases=[f"step-{checkpoint.step}"])
        self._stored["artifact"] += 1

    def artifact(self, artifact: Artifact) -> None:
        """One artifact."""
        self._sdk.log_artifact(file_artifact(self._run_id, artifact))
        self._stored["artifact"] += 1

    def summarise(self, values: dict[str, Any]) -> None:
        """Put values into the summary."""
        self._sdk.summary.update(values)

    def finish(self, status: str) -> None:
        """Write how it ended, wait for it, and see that the file holds everything.

        Raises:
            OSError: the SDK's process is gone, or the upload takes too long.
        """
        be_polite()
        self._sdk.finish(exit_code=EXIT_CODES[status])
        end_process()
        held = count(self.file)
        if held["exit"] != 1 or not self._stored <= held:
            raise OSError(f"{self.file} holds {dict(held)} and should hold {dict(self._stored)}")
        _sync(self.folder)

    def settle(self, within: float = 5.0) -> None:
        """Wait until readers see what was logged."""
        until = time.monotonic() + within
        while not self._stored <= count(self.file) and time.monotonic() < until:
            time.sleep(VISIBLE_AFTER / 5)


def _in_files(run: RunInfo) -> str:
    """What to do where the server stays away."""
    return f". To keep the run in files instead: trackhub sync {run.path.name} --tracker-opt wandb.mode=offline"


def _sync(folder: Path) -> None:
    """Wait until the disk has the folder."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        if os.name == "nt" and path.is_dir():
            continue
        handle = os.open(path, os.O_RDWR if path.is_file() and os.access(path, os.W_OK) else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
