"""Processes by pid and start time: a pid alone may by now belong to somebody else."""

from __future__ import annotations

import os
from functools import cache


@cache
def host() -> str:
    """This machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket

    return socket.gethostname()


def start_time(pid: int) -> float:
    """When `pid` started, in a unit that only compares; 0.0 if there is no such process or nobody can tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - the start of every run waits for this
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return _start_time_elsewhere(pid)
    return 0.0 if fields[0] == b"Z" else float(fields[19])


def _start_time_elsewhere(pid: int) -> float:
    if os.path.isdir("/proc/self"):  # noqa: PTH112
        return 0.0
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that had `pid` when it started at `started` still runs."""
    return started != 0.0 and start_time(pid) == started
