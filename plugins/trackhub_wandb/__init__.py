"""The W&B tracker: offline folders without an account by default, live to a W&B server where there is a key.

The SDK is imported when the run opens, never before.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from trackhub.plugin import MEDIA_KINDS, Artifact, Checkpoint, Limits, Media, Message, Row, RunInfo, Uploads, hookimpl

if TYPE_CHECKING:
    from trackhub_wandb.fragments import Fragments

KEPT = ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY")
"""The variables of the user that stay; everything else is said explicitly."""


OPENING = ("on_run_start", "log_params", "log_metrics_batch", "log_media", "log_message", "flush", "on_run_end")
"""Hooks that may open the run, or wait for its upload."""
COPYING = ("log_artifact", "save_checkpoint")


class WandbOptions(Uploads):
    """The options of this tracker."""

    mode: Annotated[
        Literal["auto", "offline", "online"],
        Meta(
            description="offline: files in the run folder, no account, no network. online: live to a W&B server. "
            "auto: online if WANDB_API_KEY is set, else offline"
        ),
    ] = "auto"
    project: Annotated[
        str | None,
        Meta(description="W&B project: up to 128 characters, none of / \\ # ? % : (default: the run's project)"),
    ] = None
    entity: Annotated[
        str | None,
        Meta(description="W&B entity, i.e. user or team (default: WANDB_ENTITY, else the key's owner)"),
    ] = None
    host: Annotated[
        str | None,
        Meta(description="online: a W&B server of your own, e.g. https://wandb.example.org (default: WANDB_BASE_URL)"),
    ] = None
    fragment_events: Annotated[
        int,
        Meta(description="finish the W&B folder and open another after so many events", ge=1),
    ] = 100_000

    def __post_init__(self) -> None:
        """Refuse a name that W&B would refuse, now rather than when the run opens."""
        if self.project is not None and not re.fullmatch(r"[^/\\#?%:]{1,128}", self.project):
            raise ValueError(f"project={self.project!r}: W&B takes up to 128 characters, none of / \\ # ? % :")

    @property
    def online(self) -> bool:
        """Whether the run goes to a server."""
        return self.mode == "online" or (self.mode == "auto" and bool(os.environ.get("WANDB_API_KEY")))


class WandbTracker:
    """Keeps a run as W&B offline folders, or sends it to a W&B server."""

    Options = WandbOptions
    limits = Limits(
        key_forbidden=r"\A_|(?<=\Atrackhub)/(?=(?:step|status)\Z)",
        big_ints=False,
        steps=(-(2**63), 2**63 - 1),
        media=frozenset(MEDIA_KINDS),
    )
    idempotence = "rebuild"
    rewinds = "replace"
    repeats = "keep"
    deadlines = dict.fromkeys(OPENING, 150.0) | dict.fromkeys(COPYING, 600.0)
    needs = "wandb"
    extra = "wandb"
    card = """Without a key: no account, no network, W&B's own offline folders in the run's wandb_logs/wandb/, to be
    uploaded later with `wandb sync`. Every point is kept with its own time, NaN and Inf included; the x axis is
    trackhub/step, W&B's own step only counts. Parameters, media and messages (as lines of the log) are stored;
    checkpoints and artifacts with upload=last, best or all. An unfinished folder is written again after a crash (rule:
    rebuild), and after a rewind. With WANDB_API_KEY, or mode=online, the run is sent live; there W&B drops the steps
    that it has (rule: known_step), and after a rewind the earlier values stay. Online is not verified by the tests."""

    def __init__(self, options: WandbOptions) -> None:
        self._options = options
        if options.online:
            self.idempotence, self.rewinds = "known_step", "append"
            if not (os.environ.get("WANDB_API_KEY") or _netrc().is_file()):
                raise ValueError(
                    "mode=online needs an API key: export WANDB_API_KEY=... (your W&B settings page shows it), "
                    "or leave out mode=online to log offline"
                )

    @hookimpl
    def on_run_start(self, run: RunInfo, state: dict[str, Any] | None) -> None:
        """Find out where the run was; W&B's own run is opened when there is something to store."""
        _clean_environment(run)
        try:
            from trackhub_wandb.fragments import Fragments
        except ImportError as error:
            raise RuntimeError(f"needs another wandb: pip install 'wandb>=0.31,<0.32' ({error})") from error
        run.remember(run_id=run.id)
        self._run: Fragments = Fragments(run, state, self._options, self.limits.key_forbidden)

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        """Add to the run's config."""
        self._run.params(params)

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """One history row per row, with its own time."""
        self._run.rows(rows)

    @hookimpl
    def log_media(self, media: Media) -> None:
        """Copy the file into W&B's folder, and name it in a history row."""
        self._run.media(media)

    @hookimpl
    def log_message(self, message: Message) -> None:
        """Store the message in the run's log."""
        self._run.message(message)

    @hookimpl
    def log_artifact(self, artifact: Artifact) -> None:
        """Copy a file as a W&B artifact of type "dataset"."""
        self._run.artifact(artifact)

    @hookimpl
    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Copy a checkpoint as a version of the run's W&B artifact of type "model"."""
        self._run.checkpoint(checkpoint)

    @hookimpl
    def on_rewind(self, step: int) -> None:
        """Offline: discard the run's folders and have it delivered again. Online: the earlier values stay."""
        self._run.rewind(step)

    @hookimpl
    def flush(self) -> Any:
        """UNSEALED while a folder is open."""
        return self._run.flush()

    @hookimpl
    def on_run_end(self, status: str, summary: dict[str, dict[str, float]]) -> None:
        """Write the true status and the best values, and end W&B's own process."""
        self._run.end(status, summary)

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the run's folders hold."""
        return self._run.read_back(key)


def _netrc() -> Path:
    """Where `wandb login` puts the key."""
    return Path(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))  # noqa: PTH111 - does not raise without a home


def _clean_environment(run: RunInfo) -> None:
    """Variables that the SDK would read, and obey, are taken away; its own files are kept beside the run's folders."""
    for name in [name for name in os.environ if name.startswith("WANDB_") and name not in KEPT]:
        del os.environ[name]
    home = run.path / "wandb_logs" / "sdk"
    places = {f"WANDB_{kind}_DIR": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "ARTIFACT")}
    os.environ.update(places, WANDB_ERROR_REPORTING="false", WANDB_SILENT="true")
