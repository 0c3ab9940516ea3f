"""Trackers whose SDK does what SDKs do to their process. Each keeps the steps it got, in a file of its own."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from trackhub.plugin import Options, RunInfo, hookimpl

FOREVER = 3600.0
How = Literal[
    "asks",
    "changes stdout",
    "closes fds",
    "comes back from a fork",
    "eats memory",
    "hangs",
    "hangs at exit",
    "ignores signals",
    "leaves children",
    "moves",
    "prints",
    "segfaults",
]


def asks() -> None:
    """A prompt, as SDKs have for a missing key: nobody is there to answer."""
    input("Enter your API key: ")


def changes_stdout() -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stdin.close()


def closes_fds() -> None:
    for descriptor in (0, 1, 2):
        os.close(descriptor)


def comes_back_from_a_fork() -> None:
    """As a careless pool of workers does."""
    os.fork()


def eats_memory() -> None:
    eaten = []
    while True:
        eaten.append(b"x" * 10_000_000)
        time.sleep(0.01)


def hangs_at_exit() -> None:
    """An exit hook, and a thread that is no daemon."""
    atexit.register(time.sleep, FOREVER)
    threading.Thread(target=time.sleep, args=(FOREVER,)).start()


def ignores_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(FOREVER)


def leaves_children() -> None:
    """One that was forked and one that was started, both deaf, with every pipe of the courier held open."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(FOREVER)
        os._exit(0)
    subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({FOREVER})"], close_fds=False)


def prints() -> None:
    """Everywhere, and also where the supervisor listens."""
    print("stdout " * 10_000)
    sys.stderr.write("stderr\n")
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"not a word\n")
        except OSError:
            continue


WAYS = {
    "asks": asks,
    "changes stdout": changes_stdout,
    "closes fds": closes_fds,
    "comes back from a fork": comes_back_from_a_fork,
    "eats memory": eats_memory,
    "hangs": lambda: time.sleep(FOREVER),
    "hangs at exit": hangs_at_exit,
    "ignores signals": ignores_signals,
    "leaves children": leaves_children,
    "moves": lambda: os.chdir("/proc"),
    "prints": prints,
    "segfaults": lambda: os.kill(os.getpid(), signal.SIGSEGV),
}


class SickOptions(Options):
    """What is wrong with it."""

    how: Annotated[How, msgspec.Meta(description="what it does")] = "hangs"
    times: Annotated[int, msgspec.Meta(description="how often, over all restarts")] = 1_000_000
    deadline: Annotated[float, msgspec.Meta(description="seconds that a hook may take")] = 1.5


class SickTracker:
    """Writes down steps, and misbehaves at the tenth row of each of its first lives."""

    card = "A tracker with an SDK that misbehaves, for tests."
    Options = SickOptions

    def __init__(self, options: SickOptions) -> None:
        self._options = options
        self._rows = 0
        self.deadlines = {"log_metrics": options.deadline}

    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        self._path: Path = run.path / "sick.txt"
        self._lives: Path = run.path / "sick.lives"
        with self._lives.open("a") as file:
            file.write(".")

    @hookimpl
    def log_metrics(self, step: int) -> None:
        self._rows += 1
        if self._rows == 10 and self._lives.stat().st_size <= self._options.times:
            WAYS[self._options.how]()
        with self._path.open("a") as file:
            file.write(f"{step}\n")


class HangsWhenMade:
    """Never gets as far as to be called."""

    card = "Hangs when it is made, for tests."

    def __init__(self) -> None:
        time.sleep(FOREVER)

    @hookimpl
    def log_metrics(self, step: int) -> None:
        """Never called."""
