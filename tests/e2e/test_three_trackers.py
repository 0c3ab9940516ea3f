"""One run, three trackers: what csv, jsonl and swanlab hold is equal, key by key, also after a kill."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agreement import assert_each_point_once, of_journal
from holdings import points

import trackhub
from trackhub import Run
from trackhub.layout import all_runs
from trackhub.testing import SomeRun, open_tracker
from trackhub.testing.processes import MARK, marked

pytestmark = pytest.mark.alone

THREE = ("csv", "jsonl", "swanlab")
VALUES = [0.1, -0.0, 1e308, 5e-324, math.nan, math.inf, -math.inf, 2**53, 3, 1 / 3]


def assert_equal_everywhere(path: Path) -> None:
    assert_each_point_once(path, *THREE)


def test_three_trackers_hold_the_same_points_as_the_journal() -> None:
    with trackhub.start(trackers="csv,jsonl,swanlab", config={"lr": 1e-4}) as run:
        for step in range(200):
            run.log_metrics({"train/loss": VALUES[step % len(VALUES)], "lr": step * 1e-3}, step=step)
            if step % 50 == 49:
                run.log_metrics({"val/loss": 1 / (step + 1)}, step=step)
    assert all(receipt.complete for receipt in run.receipts())
    assert_equal_everywhere(run.path)


@pytest.mark.parametrize("trackers", ["csv", "swanlab", "jsonl,swanlab"])
def test_the_environment_chooses_the_trackers_without_a_change_of_code(
    trackers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKHUB_TRACKERS", trackers)
    with trackhub.start() as run:
        run.log_metrics({"a": 1.5}, step=3)
    assert run.trackers == tuple(trackers.split(","))
    for tracker in run.trackers:
        assert [point[:3] for point in points(run.path, tracker)] == [("a", 3, 1.5)]


def test_a_tracker_that_the_run_never_had_is_filled_later() -> None:
    with trackhub.start(trackers="jsonl") as run:
        for step in range(50):
            run.log_metrics({"a": step * 0.1}, step=step)
    assert not (run.path / "metrics.csv").exists()
    filled = subprocess.run(
        [sys.executable, "-m", "trackhub", "sync", str(run.path), "--to", "csv,swanlab"], check=False
    )
    assert filled.returncode == 0
    assert_equal_everywhere(run.path)


TRAINING = """
import time, trackhub
run = trackhub.start(trackers="csv,jsonl,swanlab")
print("started", flush=True)
for step in range(10_000_000):
    run.log_metrics({"a": step * 0.1, "b": float("nan") if step % 7 == 0 else step}, step=step)
    time.sleep(0.001)
"""


@pytest.mark.parametrize("seconds", [0.3, 1.2, 2.5])
def test_after_a_kill_and_a_sync_they_hold_the_same_points_still(seconds: float, runs: Path) -> None:
    training = subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE)
    assert training.stdout is not None
    assert training.stdout.readline() == b"started\n"
    time.sleep(seconds)
    training.kill()
    training.communicate()
    (folder,) = all_runs(runs)
    assert subprocess.run([sys.executable, "-m", "trackhub", "sync", folder.path.name], check=False).returncode == 0
    assert_equal_everywhere(folder.path)


def test_a_resume_from_an_earlier_step_replaces_the_later_rows_everywhere() -> None:
    with trackhub.start(trackers="csv,jsonl,swanlab") as first:
        for step in range(30):
            first.log_metrics({"a": step}, step=step)
    with trackhub.resume(first.path, step=9) as second:
        for step in range(10, 20):
            second.log_metrics({"a": -step}, step=step)
    assert second.id == first.id
    assert [point[2] for point in of_journal(first.path)] == [*range(10), *range(-10, -20, -1)]
    assert all(receipt.complete for receipt in second.receipts())
    assert_equal_everywhere(first.path)


def started(run: Run) -> SomeRun:
    return SomeRun(path=run.path, id=run.id)


def test_no_courier_imports_torch() -> None:
    """The SDK is in use, and torch, which is installed, stays out: each courier's map of files says so."""
    run = trackhub.start(trackers="csv,jsonl,swanlab")
    run.log_metrics({"a": 1})
    seen: set[str] = set()
    until = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < until:
        for process in marked(os.environ[MARK]):
            command = process.cmdline()
            if "trackhub.delivery.courier_main" in command and (run.path / "delivery" / f"{command[-1]}.json").exists():
                assert not any("torch" in entry.path for entry in process.memory_maps())
                seen.add(command[-1])
        time.sleep(0.2)
    run.finish()
    assert seen == {"csv", "jsonl", "swanlab"}


def test_open_tracker_reads_back_what_the_couriers_stored() -> None:
    from trackhub_csv import CsvTracker

    with trackhub.start(trackers="csv") as run:
        run.log_metrics({"a": 1.25}, step=7)
    cursor = json.loads((run.path / "delivery" / "csv.json").read_text())
    tracker = open_tracker(CsvTracker, started(run), cursor["state"])
    assert [point[:2] for point in tracker.read_back("a")] == [(7, 1.25)]
