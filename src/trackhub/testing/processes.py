"""No process may outlive a test: how the ones that belong to it are found."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

MARK = "TRACKHUB_TEST_MARK"
"""Every process that a test starts, however far down, inherits this variable with a value of its own."""


@contextmanager
def no_survivors(within: float = 20.0) -> Iterator[None]:
    """Fail if a process that was started inside still runs `within` seconds after the end; and end it.

    Raises:
        AssertionError: with the command lines of the survivors.
    """
    before = os.environ.get(MARK)
    mark = os.environ[MARK] = uuid.uuid4().hex
    try:
        yield
    finally:
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before
        left = _wait(mark, within)
    assert not left, f"processes outlived the test: {left}"  # noqa: S101 - this is what a test calls


def _wait(mark: str, within: float) -> list[str]:
    until = time.monotonic() + within
    while (alive := marked(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    described = [_describe(process) for process in alive]
    for process in alive:
        _end(process)
    return described


def marked(mark: str) -> list[psutil.Process]:
    """The running processes, other than this one, whose environment carries `mark`."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _carries(process, mark)]


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _describe(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[-200:]
    except psutil.Error:
        return str(process.pid)


def _end(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(5)
    except psutil.Error:
        return
