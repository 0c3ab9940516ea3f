"""How a run ended, and the runs that nobody ended: by exception, by exit, in a forked child."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Protocol


class Ending(Protocol):
    """What is asked here of a run."""

    def finish(self, status: str, reason: str, timeout: float | None = None) -> None:
        """End it, and wait for its deliveries."""

    def forked(self) -> None:
        """Take leave of the parent's file, in a child."""

    def is_at(self, path: str, rank: int) -> bool:
        """Whether it is this run."""


_open: set[Ending] = set()
"""Runs that are not finished, kept alive: a run of a function that has returned is finished at exit like any other."""


def how(error: BaseException | None) -> tuple[str, str]:
    """(status, reason) of a run whose block was left by `error`."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "finished", ""
    if isinstance(error, KeyboardInterrupt):
        return "killed", "KeyboardInterrupt"
    return "failed", f"{type(error).__name__}: {error}"


def watch(run: Ending) -> None:
    """Finish `run` when this process exits, and give it a file of its own in forked children."""
    _watch_exit()
    _open.add(run)


def forget(run: Ending) -> None:
    """`run` is finished."""
    _open.discard(run)


def opened(path: str, rank: int) -> Ending | None:
    """The open run at `path` in this process, if there is one."""
    return next((run for run in _open if run.is_at(path, rank)), None)


def _finish_all() -> None:
    """At exit: an uncaught exception means failed. `sys.exit(3)` leaves no trace here; `with` sees it.

    A notebook's kernel that ends has its runs killed: its last exception is that of some cell, and whoever restarts
    it does not wait.
    """
    status, reason = how(getattr(sys, "last_value", None))
    for run in list(_open):
        if _in_kernel():
            run.finish("killed", "the kernel was shut down", timeout=0)
        else:
            run.finish(status, reason)


def _in_kernel() -> bool:
    """Whether this process is the kernel of a notebook."""
    kernel = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and bool(kernel.IPKernelApp.initialized())


def _forked() -> None:
    for run in list(_open):
        run.forked()


def _watch_exit() -> None:
    global _watched
    if not _watched:
        atexit.register(_finish_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forked)
        _watched = True


_watched = False
