"""The syncs of one command: a few runs at once, one display for all of them, and a clean end on Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from trackhub.delivery.progress import Progress
from trackhub.delivery.sync import TICK, Outcome, Sitting, sync
from trackhub.errors import ConfigError, TrackhubError
from trackhub.layout import RunFolder
from trackhub.settings import Trackers
from trackhub.tell import tell

JOBS = 2
"""Runs whose couriers work at once, where nobody says otherwise."""


def sync_all(
    folders: Sequence[RunFolder],
    to: Trackers = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    timeout: float | None = None,
    jobs: int = JOBS,
) -> list[Outcome]:
    """Deliver many runs as far as they go. A run that cannot be delivered is an outcome, and keeps no other one.

    Args:
        folders: the runs.
        to: as for `sync`.
        options: as for `sync`.
        timeout: seconds for each run.
        jobs: how many runs at once.

    Raises:
        KeyboardInterrupt: after everything that was started has ended.
    """
    sitting = Sitting(Progress(total=len(folders)))
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="trackhub-sync")
    futures = [pool.submit(_outcome, folder, to, options, timeout, sitting) for folder in folders]
    try:
        with sitting.progress:
            _watch(futures, sitting)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        _stop(futures, sitting)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [future.result() for future in futures]


def _watch(futures: list[Future[Outcome]], sitting: Sitting) -> None:
    while wait(futures, TICK).not_done:
        if sys.stderr.isatty():
            sitting.progress.show()


def _stop(futures: list[Future[Outcome]], sitting: Sitting) -> None:
    """Let the couriers finish their step; with another Ctrl-C end them at once."""
    sitting.stop.set()
    tell("stopping, as soon as each courier has finished its step. Ctrl-C again: at once")
    try:
        # A future that was cancelled before its turn never counts as done.
        wait([future for future in futures if not future.cancelled()])
    except KeyboardInterrupt:
        sitting.kill()


def _outcome(
    folder: RunFolder,
    to: Trackers,
    options: Mapping[str, Mapping[str, Any]] | None,
    timeout: float | None,
    sitting: Sitting,
) -> Outcome:
    try:
        return sync(folder, to, options, timeout, sitting)
    except TrackhubError as error:
        result = "mistake" if isinstance(error, ConfigError) else "broken"
        return Outcome(folder.path.name, str(folder.path), result, True, [], str(error))
    finally:
        sitting.progress.remove(folder)
