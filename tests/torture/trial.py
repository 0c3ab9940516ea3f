"""One trial: a training that is killed, resumed and synced at random, and what every tracker holds of it at last."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import agreement
import holdings
import msgspec

from trackhub.journal.following import read
from trackhub.journal.state import State, state
from trackhub.layout import RunFolder
from trackhub.testing.processes import MARK, marked

TRAINING = str(Path(__file__).with_name("training.py"))
REPLACING = tuple(name for name in holdings.SIX if name != "mlflow")
"""Trackers that hold no more than what counts after a rewind."""


class Result(msgspec.Struct):
    """What came of a trial."""

    seed: int
    trackers: str
    attempts: int = 0
    kills: int = 0
    points: int = 0
    status: str = ""
    seconds: float = 0.0
    wrong: str = ""
    """What was found wrong; "" if each tracker holds each point once, in order, and the true status."""


class Trial:
    """A trial, wholly told by its seed, but for the moments at which the system does what it is told.

    Args:
        seed: every tenth has all six trackers; the others one or two.
        runs: an empty folder.
    """

    def __init__(self, seed: int, runs: Path) -> None:
        self._chance = random.Random(seed)
        drawn = holdings.SIX if seed % 10 == 0 else self._chance.sample(holdings.SIX, self._chance.randint(1, 2))
        self.result = Result(seed, ",".join(drawn))
        self._mark = f"torture-{os.getpid()}-{seed}"
        # Without TRACKHUB_STRICT, as users run it; what is not delivered at the end is left to `sync`.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACKHUB_")}
        self._environment |= {MARK: self._mark, "TRACKHUB_RUNS_DIR": str(runs), "TRACKHUB_SYSTEM_EVERY": "0"}
        self._environment |= {"TRACKHUB_LINGER": "0", "HOME": str(runs.parent)}
        self._path = ""

    def run(self) -> Result:
        """Do it all."""
        begin = time.monotonic()
        try:
            self._train("new", 0)
            while self._path and self._chance.random() < 0.3:
                self._train(self._path, self._resume_at())
            self._sync_with_kills()
            self.result.wrong = self._judge()
        finally:
            self._kill_all()
        self.result.seconds = round(time.monotonic() - begin, 1)
        return self.result

    def _train(self, run: str, first: int) -> None:
        mode = self._chance.choice(["finish", "raise", "hang", "hang"])
        arguments = [mode, self.result.trackers, str(first), str(self._chance.randint(0, 1500)), "0.001", run]
        training = subprocess.Popen(
            [sys.executable, TRAINING, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )
        assert training.stdout is not None
        if run != "new" or self._chance.random() < 0.9:  # else it may be killed before it has begun
            told = training.stdout.readline().decode().strip()
            self._path = told or self._path
            self.result.attempts += bool(told)
        self._harass(training)
        if mode == "hang":
            self._end(training)
        training.communicate()
        if not self._path:
            found = list(Path(self._environment["TRACKHUB_RUNS_DIR"]).glob("*/journal/rank-0.jsonl"))
            self._path = str(found[0].parent.parent) if found and found[0].stat().st_size else ""

    def _harass(self, training: subprocess.Popen[bytes]) -> None:
        """Kill some of supervisor and couriers, now and then."""
        for _ in range(self._chance.randrange(4)):
            time.sleep(self._chance.uniform(0, 1.2))
            if training.poll() is not None:
                return
            others = [one for one in self._alive() if one != training.pid]
            self._kill(self._chance.sample(others, self._chance.randint(0, len(others))))
            if self._chance.random() < 0.3:  # twice in a row
                time.sleep(self._chance.uniform(0, 0.1))
                self._kill([one for one in self._alive() if one != training.pid])

    def _end(self, training: subprocess.Popen[bytes]) -> None:
        """Kill the training, alone or with everything that belongs to it."""
        time.sleep(self._chance.uniform(0, 1.5))
        others = self._alive() if self._chance.random() < 0.5 else []
        self._kill(sorted({training.pid, *others}, key=lambda _: self._chance.random()))

    def _resume_at(self) -> int:
        """Behind the last step, or before it: a rewind."""
        last = state(RunFolder(self._path)).last_step
        return last + 1 if last < 2 or self._chance.random() < 0.5 else self._chance.randint(1, last)

    def _sync_with_kills(self) -> None:
        while self._path and self._chance.random() < 0.5:
            started = self._sync()
            time.sleep(self._chance.uniform(0, 3))
            self._kill([started.pid, *self._alive()])
            started.wait()
        if self._path:
            # The second one stands for a person's patience: a tracker may have died by our hand five times in a row.
            _ = self._sync().wait() == 0 or self._sync().wait()

    def _sync(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "trackhub", "sync", self._path]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self._environment)

    def _judge(self) -> str:
        """What is wrong, in words."""
        if not self._path:
            return ""
        now = state(RunFolder(self._path))
        self.result.status = now.status
        self.result.points = len(agreement.of_journal(Path(self._path)))
        return "; ".join(filter(None, (self._judged(tracker, now) for tracker in self.result.trackers.split(","))))

    def _judged(self, tracker: str, now: State) -> str:
        path = Path(self._path)
        if told := _state_of(path, tracker):
            return told
        if agreement.of_journal(path) and (told := _difference(path, tracker)):
            return told
        found = holdings.status_of(path, tracker)
        return "" if found in (None, now.status) else f"{tracker} says {found}, and the run is {now.status}"

    def _alive(self) -> list[int]:
        return [process.pid for process in marked(self._mark)]

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, 9)
                self.result.kills += 1
            except ProcessLookupError:
                continue

    def _kill_all(self) -> None:
        while left := self._alive():
            self._kill(left)
            time.sleep(0.1)


def _state_of(path: Path, tracker: str) -> str:
    from trackhub.delivery.receipt import receipts

    (receipt,) = receipts(RunFolder(path), (tracker,))
    return "" if receipt.complete else f"{tracker} is {receipt.state}: {receipt.reason or receipt.rejections}"


def _difference(path: Path, tracker: str) -> str:
    """How what a tracker holds differs from what counts; a tracker that appends may hold taken-back points too."""
    if tracker == "mlflow" and len(list(read(path, view="raw"))) != len(list(read(path))):
        wanted, found = set(agreement.logged(path, tracker)), holdings.points(path, "mlflow")
        missing = [point for point in _rounded(wanted) if point not in (held := set(_rounded(found)))]
        return f"mlflow lacks {missing[:3]}" if missing else "" if len(held) == len(found) else "mlflow repeats points"
    return agreement.difference(path, tracker) or _disorder(path, tracker)


def _rounded(points: object) -> list[tuple[str, int, str, int]]:
    return [(key, step, repr(value), round(moment * 1000)) for key, step, value, moment in points]  # type: ignore[attr-defined]


def _disorder(path: Path, tracker: str) -> str:
    """The training's steps only grow, and so do those of what counts."""
    steps = [step for key, step, *_ in holdings.points(path, tracker) if key == "a"]
    return "" if steps == sorted(steps) or tracker == "mlflow" else f"{tracker} holds its points in disorder"
