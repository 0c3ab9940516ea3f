"""What the supervisor does beside the deliveries: fsync, the environment, config.yaml, system metrics.

Each is a thread of its own, so that a disk or a driver that hangs stops nothing else.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trackhub import files
from trackhub.delivery.protocol import Orders
from trackhub.events import Environment, Metrics, Params
from trackhub.journal.following import first_start, read
from trackhub.journal.others import rank_processes
from trackhub.journal.state import attempt_of, ended, last_events, latest
from trackhub.journal.writing import JournalWriter
from trackhub.layout import RunFolder
from trackhub.settings import seconds

FSYNC_EVERY = 1.0
"""Seconds: the loss window of a power cut."""
SAMPLE_EVERY = 10.0
"""Seconds between two samples of the system metrics; ``TRACKHUB_SYSTEM_EVERY`` changes it, 0 turns them off."""
DESCRIBE_WITHIN = 6.0
"""Seconds that the end of a very short run waits for its description."""


class Chores:
    """The side work of one supervisor.

    Args:
        folder: the run.
        journal: the supervisor's own journal file.
        orders: whose training process to sample.
    """

    def __init__(self, folder: RunFolder, journal: JournalWriter, orders: Orders) -> None:
        self._folder = folder
        self._journal = journal
        self._orders = orders
        self._stop = threading.Event()
        self._synced: dict[Path, int] = {}
        self._description: threading.Thread | None = None

    def start(self) -> None:
        """Start the threads."""
        self._spawn(self._fsync_all)
        if self._orders.live:
            self._description = self._spawn(self._describe)
            self._spawn(self._sample)

    def stop(self) -> None:
        """Stop them, once the run is described; the journal is synced once more."""
        if self._description is not None:
            self._description.join(DESCRIBE_WITHIN)
        self._stop.set()
        self._fsync_once()

    def _spawn(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=f"trackhub{work.__name__}", daemon=True)
        thread.start()
        return thread

    def _fsync_all(self) -> None:
        while not self._stop.wait(FSYNC_EVERY):
            self._fsync_once()

    def _fsync_once(self) -> None:
        media = (path for path in self._folder.media.glob("[!.]*") if path not in self._synced)  # they never change
        for path in (*self._folder.journal.glob("*.jsonl"), *media):
            try:
                self._fsync(path)
            except OSError as error:
                print(f"fsync of {path}: {error}", file=sys.stderr)

    def _fsync(self, path: Path) -> None:
        size = path.stat().st_size
        if self._synced.get(path) == size:
            return
        files.sync(path)
        self._synced[path] = size

    def _describe(self) -> None:
        """Where the run runs, as an event and in config.yaml, once per attempt."""
        from trackhub.environment import snapshot

        start = first_start(self._folder, attempt_of(self._folder)) or first_start(self._folder)
        found = snapshot(Path(start.cwd if start else "/"), start.argv if start else ())
        self._journal.append(Environment, environment=found)
        self._write_config(found)

    def _write_config(self, found: dict[str, Any]) -> None:
        """config.yaml: enough to run it again. One that is there already is left alone."""
        import yaml

        config: dict[str, Any] = {}
        for event in read(self._folder):
            if isinstance(event, Metrics):
                break
            if isinstance(event, Params):
                config.update(event.params)
        start = first_start(self._folder)
        run = {"name": self._folder.path.name, "id": self._journal.header.run_id}
        run |= {key: getattr(start, key) for key in ("project", "trackers", "options", "tags", "group", "notes")}
        content = {"run": _plain(run), "config": _plain(config), "environment": _plain(found)}
        try:
            with self._folder.config.open("x", encoding="utf-8") as file:
                yaml.safe_dump(content, file, sort_keys=False, allow_unicode=True)
        except FileExistsError:
            return

    def _sample(self) -> None:
        """System metrics at the latest training step, as rows of the supervisor's own file."""
        every = seconds("TRACKHUB_SYSTEM_EVERY", SAMPLE_EVERY)
        if every <= 0:
            return
        from trackhub.monitor import Monitor, RankMonitor

        monitor, others = Monitor(self._orders.trainer_pid), RankMonitor()
        while not self._stop.wait(every):
            rows = [event for event in last_events(latest(self._folder)) if isinstance(event, Metrics)]
            metrics = monitor.sample() | others.sample(rank_processes(self._folder)) | _log_cost(rows)
            if ended(self._folder):
                return  # a courier that has the end is gone: what is measured after it would stay undelivered
            if metrics:
                step = rows[-1].step if rows else 0
                self._journal.append(Metrics, time.time(), step=step, metrics=metrics, source="system")


def _log_cost(rows: list[Metrics]) -> dict[str, float]:
    """What the latest log calls took the training, in microseconds each."""
    taken = [row.took for row in rows if row.took]
    return {"trackhub/log_us": round(sum(taken) / len(taken) * 1e6, 2)} if taken else {}


def _plain(value: Any) -> Any:
    """`value` with tuples as lists, for safe YAML."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
