"""A run live at SwanLab Cloud, or at a SwanLab server of one's own. Not verified against a real server.

Rows go straight to the SDK's core, which keeps their times, drops the steps that the server has, and uploads.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import swanlab
from swanlab.exceptions import AuthenticationError

from trackhub.plugin import UNSEALED, Media, Message, Rebuild, Retry, Row, RunInfo
from trackhub_swanlab import SwanlabOptions, media
from trackhub_swanlab.columns import TYPES, Columns
from trackhub_swanlab.fragment import (
    LONGEST_NOTES,
    STATES,
    log_record,
    plain,
    project_name,
    scalars,
)

MODE = "cloud"
HOST = "https://api.swanlab.cn"
MOST_PENDING = 200_000
"""Records that may wait for the upload in memory; the journal holds the rest."""
MOST_MEDIA = 100
"""Media among them: their content waits in memory, too."""
SETTLING = 1.5
"""Seconds in which the SDK's own thread surely hands a changed configuration to the upload; it does within 0.5."""


class CloudRun:
    """One run at a SwanLab server.

    Args:
        run: the run.
        state: the last state, or None.
        options: the tracker's options.

    Raises:
        Rebuild: so far the run was kept offline.
        Retry: the server cannot be reached.
    """

    def __init__(self, run: RunInfo, state: dict[str, Any] | None, options: SwanlabOptions) -> None:
        if state is not None and state.get("mode") != MODE:
            raise Rebuild("the run was kept offline so far")
        key = options.api_key or os.environ.get("SWANLAB_API_KEY", "")
        host = options.host or os.environ.get("SWANLAB_API_HOST") or HOST
        state = state or {}
        self._lines = int(state.get("lines", 0))
        self._columns = Columns(dict(state.get("columns", {})))
        self._settled = 0.0
        self._config = {**run.params, **state.get("config", {})}
        self._run = _init(run, options, key, host)
        self._core = self._run._ctx.core
        run.remember(url=self._run.url)

    def params(self, params: dict[str, Any]) -> None:
        """Add to the run's configuration."""
        self._config.update(params)
        self._run.config.update(plain(self._config))
        self._settled = time.monotonic() + SETTLING

    def rows(self, rows: list[Row]) -> None:
        """Hand rows to the upload."""
        if len(self._pending()) > MOST_PENDING:
            raise Retry("the upload to SwanLab is behind", after=5.0)
        self._core.upsert_scalars([scalar for row in rows for scalar in scalars(row, self._columns)])

    def medium(self, medium: Media) -> None:
        """Hand a medium to the upload."""
        media.check(medium)
        if sum(record.HasField("media") for record in self._pending()) > MOST_MEDIA:
            raise Retry("the upload of media to SwanLab is behind", after=5.0)
        column = self._columns.of(medium.key, TYPES[medium.media_kind])
        self._core.upsert_media([media.inline(medium, column)])

    def message(self, message: Message) -> None:
        """Hand the lines of a message to the upload."""
        lines = message.text.splitlines()
        self._lines += len(lines)
        self._core.upsert_logs([log_record(line, message.level, message.t) for line in lines])

    def rewind(self, step: int) -> None:
        """Nothing: what the server has stays, and the SDK drops the steps that come again."""

    def flush(self) -> Any:
        """The state, once the upload has caught up."""
        if self._pending() or time.monotonic() < self._settled:
            return UNSEALED
        columns = dict(self._columns.known)
        return {"mode": MODE, "lines": self._lines, "config": plain(self._config), "columns": columns}

    def end(self, status: str) -> None:
        """Finish the run; this waits for the upload, and the hook's deadline bounds it."""
        self._run.finish(state=STATES[status], error=None if status == "finished" else f"run {status}")

    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What a server holds cannot be read here."""
        raise NotImplementedError(f"{key}: the points of mode=cloud are at the server")

    def _pending(self) -> list[Any]:
        transport = self._core._transport
        return transport.pending_records() if transport else []


def _init(run: RunInfo, options: SwanlabOptions, key: str, host: str) -> Any:
    """The SDK's run: quiet, without probes, never asking; known by our run id, so that it is found again."""
    try:
        return swanlab.init(
            reinit=True,
            mode="online",
            workspace=options.workspace,
            project=options.project or project_name(run.project),
            name=run.name,
            description=(run.notes or "")[:LONGEST_NOTES] or None,
            group=run.group,
            job_type=run.job_type,
            tags=list(run.tags),
            id=run.id,
            resume="allow",
            settings=_quiet(key, host),
        )
    except AuthenticationError as error:
        if _reachable(host):
            raise
        raise Retry(
            f"{host} cannot be reached. "
            f"To keep the run in files instead: trackhub sync {run.path.name} --tracker-opt swanlab.mode=offline"
        ) from error


def _quiet(key: str, host: str) -> Any:
    """Settings without probes, prompts, captured output, or files: the journal is the local copy."""
    probes = ("hardware", "runtime", "requirements", "conda", "git", "swanlab", "monitor")
    return swanlab.Settings(
        mode="online",
        interactive=False,
        core=swanlab.Settings.Core(skip_store=True),
        api_key=key,
        api_host=host,
        terminal=swanlab.Settings.Terminal(proxy_type="none"),
        probe=swanlab.Settings.Probe(**dict.fromkeys(probes, False)),
    )


def _reachable(host: str) -> bool:
    """Whether anybody answers at `host`: the SDK reports an outage as a wrong key."""
    address = urlsplit(host if "//" in host else f"https://{host}")
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=5).close()
    except OSError:
        return False
    return True
