"""SIGKILL, of the trainer, of couriers and supervisor, of all at once: every point arrives all the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trackhub.delivery.receipt import receipts
from trackhub.journal import read
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs
from trackhub.testing import recorded
from trackhub.testing.processes import MARK, marked

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("test_trackers")]

TRAINING = """
import os, sys, time, trackhub
run = trackhub.start(trackers="rec,csv,jsonl", name="killed")
if "fork" in sys.argv:
    for _ in range(2):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
print("started", flush=True)
for step in range(10_000_000):
    run.log_metrics({"a": step, "b": step * 0.1}, step=step)
    time.sleep(0.0005)
"""


def start_training(*arguments: str) -> subprocess.Popen[str]:
    """A training in a process of its own that logs until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(random.uniform(0.2, 1.0))
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def delivery_processes() -> list[psutil.Process]:
    """Supervisor and couriers of this test."""
    return [one for one in marked(os.environ[MARK]) if any("trackhub.delivery" in part for part in one.cmdline())]


def end_children() -> None:
    """The forked children of a killed training sleep on: end them."""
    for process in marked(os.environ[MARK]):
        if "fork" in process.cmdline():
            process.kill()


def sync(*runs: Path) -> int:
    """`trackhub sync` as a user calls it; its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "trackhub", "sync", *map(str, runs)], capture_output=True, check=False
    ).returncode


def only_run(runs: Path) -> RunFolder:
    (folder,) = all_runs(runs)
    return folder


def assert_all_arrived(folder: RunFolder) -> None:
    """Each tracker holds each logged point: exactly once where it has a rule, at least once where it has none."""
    logged = [event.step for event in read(folder) if type(event).__name__ == "Metrics"]
    assert logged == list(range(len(logged)))
    assert len(logged) > 10
    lines = (folder.path / "metrics.csv").read_text().splitlines()[1:]
    assert [int(line.split(",")[0]) for line in lines] == logged
    assert (folder.path / "metrics.jsonl").read_bytes().count(b"\n") == len(logged)
    seen = [row["step"] for row in recorded(folder.path / "recording.jsonl", "log_metrics")]
    assert sorted(set(seen)) == logged
    assert state(folder).status == "killed"
    assert recorded(folder.path / "recording.jsonl", "on_run_end")[-1]["status"] == "killed"
    assert all(receipt.complete for receipt in receipts(folder))


def test_after_a_kill_of_the_trainer_sync_delivers_every_point(runs: Path) -> None:
    kill(start_training())
    folder = only_run(runs)
    assert sync(folder.path) == 0
    assert_all_arrived(folder)


def test_forked_children_that_live_on_do_not_hide_the_death_of_the_trainer(runs: Path) -> None:
    kill(start_training("fork"))
    folder = only_run(runs)
    assert sync(folder.path) == 0
    end_children()
    assert_all_arrived(folder)


def test_after_a_kill_of_everything_at_once_sync_delivers_every_point(runs: Path) -> None:
    training = start_training()
    for process in delivery_processes():
        process.kill()
    kill(training)
    folder = only_run(runs)
    assert sync(folder.path) == 0
    assert_all_arrived(folder)


def test_killed_couriers_and_supervisors_come_back_while_the_training_goes_on(runs: Path) -> None:
    training = start_training()
    for _ in range(3):
        victims = delivery_processes()
        if victims:
            random.choice(victims).kill()
        time.sleep(0.7)
    assert training.poll() is None
    kill(training)
    folder = only_run(runs)
    assert sync(folder.path) == 0
    assert_all_arrived(folder)


def test_a_run_that_was_killed_without_a_word_is_killed_also_before_anybody_says_so(runs: Path) -> None:
    training = start_training()
    for process in delivery_processes():
        process.send_signal(signal.SIGKILL)
    kill(training)
    assert state(only_run(runs)).status == "killed"


def test_a_supervisor_that_outlives_the_trainer_declares_it_killed(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_LINGER", "20")
    kill(start_training())
    until = time.monotonic() + 20
    while delivery_processes() and time.monotonic() < until:
        time.sleep(0.1)
    assert_all_arrived(only_run(runs))
