"""How much memory the processes of a training hold, while it logs into the void."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

TRAINING = """
import sys, time, trackhub
run = trackhub.start(trackers={"mlflow": {"tracking_uri": "http://127.0.0.1:9"}, "sick": {"hook": "log_metrics",
    "fault": "slow", "seconds": 0.001}}, name="void", finish_timeout=0)
row = {f"train/metric_{number}": number * 1.2345 for number in range(10)}
def log(first, count):
    for step in range(first, first + count):
        run.log_metrics(row, step=step)
log(0, 20_000)
print("warm", flush=True)
sys.stdin.readline()
log(20_000, int(sys.argv[1]) // 10)
print("done", flush=True)
sys.stdin.readline()
run.finish("failed")
"""
"""One tracker is gone, and its courier backs off all the time; another takes hundreds of rows a second, and lags."""


class Sizes(NamedTuple):
    """Resident bytes by what a process is."""

    trainer: int
    supervisor: int
    mlflow: int
    sick: int


def peak(pid: int) -> int:
    """The most that a process ever held: no spike between two looks is missed."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def now(pid: int) -> int:
    """What a process holds."""
    size: int = psutil.Process(pid).memory_info().rss
    return size


def sizes(trainer: int, of: Callable[[int], int] = now) -> Sizes:
    """Of a training and its delivery."""
    found = {"trainer": of(trainer)}
    for process in psutil.Process(trainer).children(recursive=True):
        with contextlib.suppress(psutil.Error, IndexError):  # the supervisor asks git, and others, now and then
            name = process.cmdline()[-1]
            found["supervisor" if name == "trackhub.delivery.supervisor" else name] = of(process.pid)
    return Sizes(**{name: found.get(name, 0) for name in Sizes._fields})


@contextmanager
def training(points: int) -> Iterator[subprocess.Popen[str]]:
    """A training that has logged a little, and then waits for `go`."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(points)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.communicate("\n", timeout=60)
    finally:
        process.kill()
        process.wait()


def go(process: subprocess.Popen[str]) -> None:
    """Have it log, and wait until it has."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def settled(process: subprocess.Popen[str]) -> None:
    """Wait until it has warmed up, and the courier whose tracker is gone has done its imports, and grows no more."""
    assert process.stdout is not None
    assert process.stdout.readline() == "warm\n"
    until, before, since = time.monotonic() + 90, 0, time.monotonic()
    while time.monotonic() < until and (before < 100e6 or time.monotonic() - since < 5):
        time.sleep(0.3)
        if (held := sizes(process.pid).mlflow) > before + 1e6:
            before, since = held, time.monotonic()
    assert before > 100e6
