"""`trainer --trackers ...`: any choice without a change of code, the same points everywhere, also after a kill."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agreement import assert_each_point_once
from holdings import series

from trackhub.journal.state import state
from trackhub.layout import all_runs

TRAINER = [str(Path(sys.executable).with_name("trainer")), "--max-steps", "12", "--eval-limit", "4"]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, float]]:
    """The losses of the same training with the plainest of trackers."""
    runs = tmp_path_factory.mktemp("expected")
    environment = {**os.environ, "TRACKHUB_RUNS_DIR": str(runs), "TRACKHUB_LINGER": "0", "TRACKHUB_SYSTEM_EVERY": "0"}
    subprocess.run([*TRAINER, "--trackers", "jsonl"], check=True, capture_output=True, env=environment)
    (folder,) = all_runs(runs)
    found = series(folder.path, "jsonl", "train/loss")
    assert [step for step, _ in found] == list(range(1, 13))
    return found


@pytest.mark.parametrize(
    ("arguments", "environment", "trackers"),
    [
        (["--trackers", "swanlab,csv,jsonl"], {}, ("swanlab", "csv", "jsonl")),
        (["--trackers", "swanlab"], {}, ("swanlab",)),
        ([], {"TRACKHUB_TRACKERS": "csv"}, ("csv",)),
    ],
)
def test_any_choice_of_trackers_holds_the_same_losses(
    arguments: list[str],
    environment: dict[str, str],
    trackers: tuple[str, ...],
    runs: Path,
    expected: list[tuple[int, float]],
) -> None:
    subprocess.run([*TRAINER, *arguments], check=True, capture_output=True, env={**os.environ, **environment})
    (folder,) = all_runs(runs)
    assert state(folder).trackers == trackers
    for tracker in trackers:
        assert series(folder.path, tracker, "train/loss") == expected


def test_a_trainer_killed_at_any_step_leaves_a_run_that_sync_completes(runs: Path) -> None:
    training = subprocess.Popen(
        [*TRAINER[:1], "--trackers", "csv,jsonl,swanlab", "--max-steps", "5000", "--eval-limit", "4"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = runs / "nothing"
    until = time.monotonic() + 60
    while not journal.exists() and time.monotonic() < until:
        journal = next(runs.glob("*/journal/rank-0.jsonl"), journal)
        time.sleep(0.05)
    time.sleep(random.uniform(1, 4))
    training.kill()
    training.wait()
    (folder,) = all_runs(runs)
    done = subprocess.run(
        [sys.executable, "-m", "trackhub", "sync", folder.path.name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(folder).status == "killed"
    assert_each_point_once(folder.path, "csv", "jsonl", "swanlab")
