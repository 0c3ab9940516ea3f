"""How much memory the processes of a training hold, while it logs into the void."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

TRAINING = """
import sys, time, trackhub
run = trackhub.start(trackers={"mlflow": {"tracking_uri": "http://127.0.0.1:9"}, "sick": {"hook": "log_metrics",
    "fault": "slow", "seconds": 0.05}}, name="void", finish_timeout=0)
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
"""One tracker is gone, and its courier backs off for the whole time; another takes 20 rows a second, and lags."""


class Sizes(NamedTuple):
    """Resident bytes by what a process is."""

    trainer: int
    supervisor: int
    mlflow: int
    sick: int


def sizes(trainer: int) -> Sizes:
    """Of a training and its delivery."""
    found = {"trainer": psutil.Process(trainer).memory_info().rss}
    for process in psutil.Process(trainer).children(recursive=True):
        line = process.cmdline()
        name = "supervisor" if line[-1] == "trackhub.delivery.supervisor" else line[-1]
        found[name] = process.memory_info().rss
    return Sizes(**{name: found[name] for name in Sizes._fields})


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
    """Wait until it has warmed up, and its couriers have failed a few times."""
    assert process.stdout is not None
    assert process.stdout.readline() == "warm\n"
    time.sleep(8)
