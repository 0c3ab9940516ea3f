"""The SwanLab tracker: offline folders without an account by default, SwanLab Cloud on request.

The SDK is imported when the run opens, never before.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta

from trackhub.plugin import Limits, Media, Message, Options, Row, RunInfo, hookimpl
from trackhub_swanlab.columns import LONGEST, TYPES

KEPT = ("SWANLAB_API_KEY", "SWANLAB_API_HOST", "SWANLAB_WEBHOOK", "SWANLAB_WEBHOOK_VALUE", "SWANLAB_WEBHOOK_TIMEOUT")
"""The variables of the user that stay; everything else is said explicitly."""


class SwanlabOptions(Options):
    """The options of this tracker."""

    mode: Annotated[
        Literal["offline", "cloud"],
        Meta(description="offline: files in the run folder, no account, no network. cloud: live to a SwanLab server."),
    ] = "offline"
    project: Annotated[
        str | None,
        Meta(description="SwanLab project: letters, digits and _ - + . (default: the run's project)"),
    ] = None
    workspace: Annotated[
        str | None,
        Meta(description="SwanLab workspace, i.e. user or organisation (default: the key's owner)"),
    ] = None
    api_key: Annotated[
        str | None,
        Meta(description="mode=cloud: key of the SwanLab account (default: SWANLAB_API_KEY)", extra={"secret": True}),
    ] = None
    host: Annotated[
        str | None,
        Meta(description="mode=cloud: a SwanLab server of your own (default: SWANLAB_API_HOST, else swanlab.cn)"),
    ] = None
    fragment_events: Annotated[
        int,
        Meta(description="offline: finish the folder and open another after so many events", ge=1),
    ] = 100_000

    def __post_init__(self) -> None:
        """Refuse names that a SwanLab server would refuse, now rather than at the upload."""
        if self.project is not None and not re.fullmatch(r"[0-9a-zA-Z_\-+.]{1,100}", self.project):
            raise ValueError(f"project={self.project!r}: SwanLab takes up to 100 letters, digits and _ - + .")
        if self.workspace is not None and not re.fullmatch(r"[0-9a-zA-Z_\-]{1,25}", self.workspace):
            raise ValueError(f"workspace={self.workspace!r}: SwanLab takes up to 25 letters, digits and _ -")


class OpenRun(Protocol):
    """One run at SwanLab, open: `offline.OfflineRun` or `cloud.CloudRun`."""

    def params(self, params: dict[str, Any]) -> None:
        """Add to the configuration."""

    def rows(self, rows: list[Row]) -> None:
        """Store rows."""

    def medium(self, medium: Media) -> None:
        """Store a medium, or raise `Rejected` for a format that SwanLab does not take."""

    def message(self, message: Message) -> None:
        """Store a line for people."""

    def rewind(self, step: int) -> None:
        """Go back to `step`."""

    def flush(self) -> Any:
        """The state that can be gone on from, or UNSEALED."""

    def end(self, status: str) -> None:
        """Close the run."""

    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """(step, value, timestamp) of every stored point of `key`."""


class SwanlabTracker:
    """Keeps a run as SwanLab offline folders, or sends it to SwanLab Cloud."""

    Options = SwanlabOptions
    limits = Limits(
        key_length=LONGEST,
        key_forbidden=r"[\x00-\x1f\x7f]|\A[ ./]+|[ ./]+\Z|(?<=\A__swanlab__)\.",
        big_ints=False,
        time_step=1e-9,
        steps=(0, 2**48),
        media=frozenset(TYPES),
    )
    idempotence = "rebuild"
    rewinds = "replace"
    deadlines = {"on_run_start": 150.0, "on_run_end": 150.0}  # noqa: RUF012 - never changed
    needs = "swanlab"
    extra = "swanlab"
    card = """Offline (the default) without account or network: SwanLab's own run folders in the run's swanlab_logs/,
    to be uploaded later with `swanlab sync`. Every point is kept with its own time, NaN and Inf included; a (key, step)
    that was logged twice is there twice, and an upload keeps the first. Media of all kinds are kept, audio as WAV and
    video as GIF. An unfinished folder is written again after a crash (rule: rebuild), and after a rewind. mode=cloud
    sends live; there the SDK drops the steps that the server has (rule: known_step), so after a rewind the earlier
    values stay. Cloud is not verified by the tests."""

    def __init__(self, options: SwanlabOptions) -> None:
        self._options = options
        if options.mode == "cloud":
            self.idempotence, self.rewinds = "known_step", "append"
            if not (options.api_key or os.environ.get("SWANLAB_API_KEY")):
                raise ValueError(
                    "mode=cloud needs an API key: export SWANLAB_API_KEY=... "
                    "(your SwanLab settings page shows it), or leave out mode=cloud to log offline"
                )

    @hookimpl
    def on_run_start(self, run: RunInfo, state: dict[str, Any] | None) -> None:
        """Open the run; nothing is created on disk before there is something to store."""
        self._run: OpenRun = _opened(run, state, self._options)
        run.remember(run_id=run.id)

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        """Add to config.yaml."""
        self._run.params(params)

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Store rows with their own times."""
        self._run.rows(rows)

    @hookimpl
    def log_media(self, media: Media) -> None:
        """Store a picture, sound, text, page, or the chart of a table or histogram."""
        self._run.medium(media)

    @hookimpl
    def log_message(self, message: Message) -> None:
        """Store the message in the run's log."""
        self._run.message(message)

    @hookimpl
    def on_rewind(self, step: int) -> None:
        """Offline: discard the run's folders and have it delivered again. Cloud: the earlier values stay."""
        self._run.rewind(step)

    @hookimpl
    def flush(self) -> Any:
        """Offline: UNSEALED while a folder is open. Cloud: UNSEALED while the upload is behind."""
        return self._run.flush()

    @hookimpl
    def on_run_end(self, status: str) -> None:
        """Write the true status."""
        self._run.end(status)

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the run's offline folders hold."""
        return self._run.read_back(key)


def _opened(run: RunInfo, state: dict[str, Any] | None, options: SwanlabOptions) -> OpenRun:
    """The run in the mode that was asked for; this imports the SDK."""
    (run.runs_dir / "swanlab_workspace").mkdir(exist_ok=True)
    if options.mode == "cloud":
        _clean_environment(run)
    try:
        from trackhub_swanlab import cloud, offline
    except ImportError as error:
        raise RuntimeError(f"needs another swanlab: pip install 'swanlab>=0.10.3,<0.11' ({error})") from error
    if options.mode == cloud.MODE:
        return cloud.CloudRun(run, state, options)
    return offline.OfflineRun(run, state, options)


def _clean_environment(run: RunInfo) -> None:
    """Variables that the SDK would read, and refuse or obey, are taken away; its home is the workspace."""
    for name in [name for name in os.environ if name.startswith("SWANLAB_") and name not in KEPT]:
        del os.environ[name]
    os.environ["SWANLAB_ROOT"] = os.environ["SWANLAB_SAVE_DIR"] = str(run.runs_dir / "swanlab_workspace")
