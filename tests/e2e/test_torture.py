"""Random kills, many times: `make torture`, with TRACKHUB_TORTURE=N trials and TRACKHUB_SEED to repeat one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_three_trackers import TRAINING, assert_equal_everywhere

from trackhub.journal.state import state
from trackhub.layout import all_runs
from trackhub.testing.processes import MARK, marked

TRIALS = int(os.environ.get("TRACKHUB_TORTURE", "20"))
SEED = int(os.environ.get("TRACKHUB_SEED", "0"))

pytestmark = pytest.mark.torture


def victims(training: subprocess.Popen[bytes]) -> list[int]:
    """Supervisor and couriers of this trial."""
    return [process.pid for process in marked(os.environ[MARK]) if process.pid != training.pid]


def kill(*pids: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("trial", range(SEED, SEED + TRIALS))
def test_whoever_is_killed_whenever_every_point_arrives_once(trial: int, runs: Path) -> None:
    chance = random.Random(trial)
    training = subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE)
    assert training.stdout is not None
    training.stdout.readline()
    for _ in range(chance.randrange(4)):
        time.sleep(chance.uniform(0, 1.5))
        kill(*chance.sample(alive := victims(training), chance.randint(0, len(alive))))
    time.sleep(chance.uniform(0, 1))
    kill(*(victims(training) if chance.random() < 0.5 else []), training.pid)
    training.communicate()
    (folder,) = all_runs(runs)
    while chance.random() < 0.4:
        started = subprocess.Popen(
            [sys.executable, "-m", "trackhub", "sync", folder.path.name], stdout=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0, 2))
        kill(started.pid, *victims(started))
        started.wait()
    done = subprocess.run(
        [sys.executable, "-m", "trackhub", "sync", folder.path.name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(folder).status == "killed"
    assert_equal_everywhere(folder.path)
