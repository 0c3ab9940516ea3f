"""A run as SwanLab offline folders, written with the SDK's own file writer and no live SwanLab run.

So there are no SDK threads, exit hooks, settings files, environment variables, prompts or network calls, and each
point carries its own time. A SwanLab file can never be appended to: what was left unfinished is written again.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

from trackhub.plugin import UNSEALED, Media, Message, Rebuild, Row, RunInfo
from trackhub_swanlab import SwanlabOptions, media
from trackhub_swanlab.columns import SCALAR, TYPES, Columns
from trackhub_swanlab.fragment import Fragment, read_config, read_points, start_record

MODE = "offline"


class OfflineRun:
    """The run's folders: the sealed ones that `state` knows, and at most one that is being written.

    Args:
        run: the run.
        state: the last state, or None.
        options: the tracker's options.

    Raises:
        Rebuild: a sealed folder is missing or was changed; all are discarded.
    """

    def __init__(self, run: RunInfo, state: dict[str, Any] | None, options: SwanlabOptions) -> None:
        state = state or {"mode": MODE}
        self._run = run
        self._options = options
        self._logs = run.path / "swanlab_logs"
        self._sealed: dict[str, int] = dict(state.get("sealed", {}))
        self._lines = int(state.get("lines", 0))
        self._last = float(state.get("last", run.started))
        self._columns = Columns(dict(state.get("columns", {})))
        self._fragment: Fragment | None = None
        self._events = 0
        if state.get("mode") != MODE or not all(self._size(name) == size for name, size in self._sealed.items()):
            self._discard_all()
            raise Rebuild("the SwanLab folders are not what was stored before")
        self._config = {**run.params, **self._sealed_config()}

    def params(self, params: dict[str, Any]) -> None:
        """Add to config.yaml of the open folder."""
        self._config.update(params)
        self._open().write_config(self._config)
        self._events += 1

    def rows(self, rows: list[Row]) -> None:
        """Store rows."""
        fragment = self._open()
        for row in rows:
            fragment.write_row(row, self._columns)
            self._last = max(self._last, row.timestamp)
        self._events += len(rows)

    def medium(self, medium: Media) -> None:
        """Store a medium: its file in the open folder, and a record."""
        media.check(medium)
        fragment = self._open()
        column = self._columns.of(medium.key, TYPES[medium.media_kind])
        fragment.write_media(media.filed(medium, column, fragment.media_folder))
        self._last = max(self._last, medium.t)
        self._events += 1

    def message(self, message: Message) -> None:
        """Store the lines of a message in the run's log."""
        fragment = self._open()
        for line in message.text.splitlines():
            self._lines += 1
            fragment.write_line(line, message.level, message.t, self._lines)
        self._last = max(self._last, message.t)
        self._events += 1

    def rewind(self, step: int) -> None:
        """Discard everything and have it delivered again: the journal knows what counts."""
        self._discard_all()
        raise Rebuild(f"the run went back to step {step}")

    def flush(self) -> Any:
        """Seal the open folder when it is full; while it is open, nothing of it would survive a crash."""
        if self._fragment is not None:
            if self._events < self._options.fragment_events:
                self._fragment.flush()
                return UNSEALED
            self._seal("finished")
        return {
            "mode": MODE,
            "sealed": dict(self._sealed),
            "lines": self._lines,
            "last": self._last,
            "columns": dict(self._columns.known),
        }

    def end(self, status: str) -> None:
        """Seal the open folder with the run's status; a resumed run opens another under the same run id."""
        self._open()
        self._seal(status)

    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """Every point of `key`, over all folders of the run in the order they were written."""
        if self._fragment is not None:
            self._fragment.flush()
        names = [*self._sealed, *(name for name in self._ours() if name not in self._sealed)]
        column = self._columns.find(key, SCALAR)
        return [point for name in names for point in read_points(self._logs / name, column)]

    def _open(self) -> Fragment:
        """The folder that is being written. What an earlier process left unfinished is discarded here."""
        if self._fragment is None:
            for name in set(self._ours()) - set(self._sealed):
                shutil.rmtree(self._logs / name)
            folder = self._logs / self._free_name()
            self._run.remember(fragment=folder.name)
            self._fragment = Fragment(folder, start_record(self._run, self._options))
            if self._config:
                self._fragment.write_config(self._config)
        return self._fragment

    def _seal(self, status: str) -> None:
        if self._fragment is not None:
            self._fragment.seal(status, self._last)
            self._sealed[self._fragment.folder.name] = self._size(self._fragment.folder.name)
            self._fragment = None
            self._events = 0

    def _free_name(self) -> str:
        """A name as SwanLab makes them, a second after the last one's if need be, so that they sort by age."""
        moment, last = time.time(), max(self._ours(), default="")
        while (name := f"run-{time.strftime('%Y%m%d_%H%M%S', time.localtime(moment))}-{self._run.id}") <= last:
            moment += 1
        return name

    def _ours(self) -> list[str]:
        """The folders of this run id, sorted: no other folder is ever touched."""
        name = re.compile(rf"run-\d{{8}}_\d{{6}}-{re.escape(self._run.id)}")
        folders = (path for path in self._logs.glob("run-*") if not path.is_symlink())
        return sorted(path.name for path in folders if name.fullmatch(path.name))

    def _discard_all(self) -> None:
        for name in self._ours():
            shutil.rmtree(self._logs / name)

    def _size(self, name: str) -> int:
        """Size of a folder's data file; 0 when it is gone."""
        return sum(path.stat().st_size for path in Path(self._logs / name).glob("run-*.swanlab"))

    def _sealed_config(self) -> dict[str, Any]:
        """The configuration that the last sealed folder holds."""
        return read_config(self._logs / list(self._sealed)[-1]) if self._sealed else {}
