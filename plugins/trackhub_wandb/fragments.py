"""A run as W&B folders. A `.wandb` file can never be appended to: what was left unfinished is written again.

Online it is the same: a folder that was not finished counts as not uploaded, and W&B drops the steps that it has.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from trackhub.plugin import UNSEALED, Artifact, Checkpoint, Media, Message, Rebuild, Row, RunInfo
from trackhub_wandb import WandbOptions
from trackhub_wandb.records import points
from trackhub_wandb.sdk import kill_process
from trackhub_wandb.session import STATUS, Session


class Fragments:
    """The run's folders: the sealed ones that `state` knows, and at most one that is being written.

    Args:
        run: the run.
        state: the last state, or None.
        options: the tracker's options.
        forbidden: matches the keys that W&B knows by another name.

    Raises:
        Rebuild: a sealed folder is missing or was changed; all are discarded.
    """

    def __init__(self, run: RunInfo, state: dict[str, Any] | None, options: WandbOptions, forbidden: str) -> None:
        self._mode = "online" if options.online else "offline"
        state = state or {"mode": self._mode}
        self._run = run
        self._options = options
        self._forbidden = re.compile(forbidden)
        self._best = {metric: direction for metric, direction in run.best.items() if self._is_plain(metric)}
        self._parent = run.path / "wandb_logs"
        self._folders = self._parent / "wandb"
        self._sealed: dict[str, int] = dict(state.get("sealed", {}))
        self._ordinal = int(state.get("ordinal", 0))
        self._config = dict(run.params)
        self._session: Session | None = None
        self._events = 0
        if state["mode"] != self._mode or not (options.online or self._all_there()):
            self._discard_all()
            raise Rebuild("the W&B folders are not what was stored before")

    def params(self, params: dict[str, Any]) -> None:
        """Add to the config."""
        self._config.update(params)
        self._store(lambda session: session.params(params))

    def rows(self, rows: list[Row]) -> None:
        """Store rows; W&B's own step is their ordinal, which only grows."""
        self._store(lambda session: session.rows(rows), len(rows))
        self._ordinal = rows[-1].ordinal

    def media(self, media: Media) -> None:
        """Store a medium. The courier counts it too, so the ordinal after the last row is free."""
        self._store(lambda session: session.media(media, self._ordinal + 1))
        self._ordinal += 1

    def message(self, message: Message) -> None:
        """Store a message."""
        self._store(lambda session: session.message(message))

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint."""
        self._store(lambda session: session.checkpoint(checkpoint))

    def artifact(self, artifact: Artifact) -> None:
        """Store a file."""
        self._store(lambda session: session.artifact(artifact))

    def rewind(self, step: int) -> None:
        """Offline: discard everything and have it delivered again: the journal knows what counts."""
        if self._mode == "offline":
            self._discard_all()
            raise Rebuild(f"the run went back to step {step}")

    def flush(self) -> Any:
        """Seal the open folder when it is full; while it is open, nothing of it would survive a crash."""
        if self._session is not None:
            if self._events < self._options.fragment_events:
                return UNSEALED
            self._seal("finished")
        return {"mode": self._mode, "sealed": dict(self._sealed), "ordinal": self._ordinal}

    def end(self, status: str, summary: dict[str, dict[str, float]]) -> None:
        """Seal the open folder with the run's status; a resumed run opens another under the same run id."""
        self._store(lambda session: session.summarise(self._final(status, summary)))
        self._seal(status)

    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """Every point of `key`, over all folders of the run in the order they were written."""
        if self._mode == "online":
            raise NotImplementedError(f"{key}: the points of mode=online are at the server")
        if self._session is not None:
            self._session.settle()
        names = [*self._sealed, *(name for name in self._ours() if name not in self._sealed)]
        return [point for name in names for point in points(self._file(name), key)]

    def _store(self, call: Callable[[Session], object], events: int = 1) -> None:
        """Store something in the open folder; `events` is how much of its room that takes."""
        session = self._open()
        try:
            call(session)
        except OSError as error:
            self._lost(error)
            raise
        self._events += events

    def _lost(self, error: OSError) -> None:
        """Offline the courier goes back to its cursor. Online W&B is given everything, and drops what it has."""
        if self._mode == "online":
            raise Rebuild(f"W&B's own process was lost: {error}") from error

    def _open(self) -> Session:
        """The folder that is being written. What an earlier process left unfinished is discarded here."""
        if self._session is None:
            self._discard(set(self._ours()) - set(self._sealed))
            self._parent.mkdir(exist_ok=True)
            self._session = Session(self._run, self._options, self._parent, self._best)
            self._run.remember(fragment=self._session.folder.name)
            if self._session.url:
                self._run.remember(url=self._session.url)
            if self._config:
                self._session.params(self._config)
        return self._session

    def _seal(self, status: str) -> None:
        if self._session is not None:
            try:
                self._session.finish(status)
            except OSError as error:
                self._lost(error)
                raise
            self._sealed[self._session.folder.name] = self._session.file.stat().st_size
            self._session = None
            self._events = 0

    def _final(self, status: str, summary: dict[str, dict[str, float]]) -> dict[str, Any]:
        """The summary of the whole run: W&B's own knows one folder, and takes NaN for the least and the largest."""
        last = {metric: found["last"] for metric, found in summary.items() if self._is_plain(metric)}
        best = {
            metric: {direction: summary[metric]["best"], "last": summary[metric]["last"]}
            for metric, direction in self._best.items()
            if metric in last and "best" in summary[metric]
        }
        return {**last, **best, STATUS: status}

    def _is_plain(self, metric: str) -> bool:
        """Whether a metric is delivered under its own name; "*" is no name where W&B takes patterns."""
        told = metric.encode("utf-8", "replace").decode()
        return bool(metric) and metric == told and not re.search(r"[%*]", metric) and not self._forbidden.search(metric)

    def _ours(self) -> list[str]:
        """The folders of this run id, sorted: no other folder is ever touched."""
        kind = "run" if self._mode == "online" else "offline-run"
        name = re.compile(rf"{kind}-\d{{8}}_\d{{6}}-{re.escape(self._run.id)}(?:-\d+)?")
        folders = (path for path in self._folders.glob(f"{kind}-*") if path.is_dir() and not path.is_symlink())
        return sorted(path.name for path in folders if name.fullmatch(path.name))

    def _discard_all(self) -> None:
        self._discard(self._ours())

    def _discard(self, names: Collection[str]) -> None:
        if names:
            kill_process()
        for name in names:
            shutil.rmtree(self._folders / name)

    def _file(self, name: str) -> Path:
        return self._folders / name / f"run-{self._run.id}.wandb"

    def _all_there(self) -> bool:
        files = {self._file(name): size for name, size in self._sealed.items()}
        return all(file.is_file() and file.stat().st_size == size for file, size in files.items())
