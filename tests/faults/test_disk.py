"""The disk of a run is full, read-only for a moment, or fails once: what was kept is written when it works again."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agree import assert_equal, rows_of

import trackhub
from trackhub.delivery.receipt import receipts
from trackhub.delivery.sync import sync
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs

pytestmark = pytest.mark.alone

TRAINING = """
import os, sys, time, trackhub
run = trackhub.start(trackers="csv,jsonl,tensorboard", name="full", runs_dir=sys.argv[1], finish_timeout=10)
pause = float(sys.argv[2])
print("started", flush=True)
step = 0
while not os.path.exists(sys.argv[3]):
    run.log_metrics({"loss": step / 7, "text" * 20: float(step)}, step=step)
    step += 1
    time.sleep(pause)
run.finish()
print(step, flush=True)
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)


def train(disk: Path, tmp_path: Path, pause: float = 0.0005) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(disk), str(pause), str(tmp_path / "stop")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def until_full(disk: Path) -> None:
    end = time.monotonic() + 60
    while shutil.disk_usage(disk).free > 4096 and time.monotonic() < end:
        time.sleep(0.05)
    assert shutil.disk_usage(disk).free <= 4096


def test_a_disk_that_is_full_for_a_while_costs_no_event_and_one_warning(small: Path, tmp_path: Path) -> None:
    """Journal, cursors, receipts and the trackers' own files are all on it."""
    training = train(small, tmp_path)
    until_full(small)
    time.sleep(3)
    assert training.poll() is None
    grow(small)
    time.sleep(1)
    (tmp_path / "stop").touch()
    out, err = training.communicate(timeout=120)
    assert training.returncode == 0
    assert err.count("cannot be written (No space left on device): events wait in memory") == 1, err
    assert err.count("can be written again") == 1
    assert "lost" not in err
    (folder,) = all_runs(small)
    assert sync(folder).result == "delivered"
    assert [row.step for row in rows_of(folder)] == list(range(int(out)))
    assert state(folder).status == "finished"
    assert_equal(folder, "csv", "jsonl", "tensorboard")
    assert list(folder.delivery.glob(".*.tmp")) == []


def test_a_trainer_that_is_killed_while_the_disk_is_full_is_told_dead_when_there_is_room(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor's own word has to wait for the disk, too."""
    monkeypatch.setenv("TRACKHUB_LINGER", "60")
    training = train(small, tmp_path)
    until_full(small)
    time.sleep(1)
    training.kill()
    training.communicate()
    time.sleep(2)
    grow(small)
    (folder,) = all_runs(small)
    end = time.monotonic() + 60
    while not all(receipt.complete for receipt in receipts(folder)) and time.monotonic() < end:
        time.sleep(0.3)
    assert state(folder).status == "killed"
    assert_equal(folder, "csv", "jsonl", "tensorboard")


@pytest.mark.torture
def test_a_full_disk_does_not_keep_a_training_from_its_end(small: Path, tmp_path: Path) -> None:
    """What did not get to the disk is lost, and told with its number; what did is delivered when there is room."""
    training = train(small, tmp_path)
    until_full(small)
    time.sleep(2)
    (tmp_path / "stop").touch()
    out, err = training.communicate(timeout=120)
    assert training.returncode == 0
    assert "events are lost" in err
    grow(small)
    (folder,) = all_runs(small)
    assert sync(folder).result == "delivered"
    steps = [row.step for row in rows_of(folder)]
    assert steps == list(range(len(steps)))
    assert 0 < len(steps) < int(out)
    assert_equal(folder, "csv", "jsonl", "tensorboard")


SICK_DISK = """
import errno, os
from pathlib import Path
from trackhub import appendfile
from trackhub.delivery import cursor
from trackhub_{name} import {cls} as Real

def first(name, start, times, error, real):
    def call(*arguments):
        counter = Path({folder!r}, name)
        with counter.open("ab") as file:
            file.write(b".")
        if start < counter.stat().st_size <= start + times:
            if name == "append":
                arguments[0].write(bytes(arguments[1][: len(arguments[1]) // 2]))
            raise OSError(error, os.strerror(error))
        return real(*arguments)
    return call

if {what!r} == "append":
    appendfile._write = first("append", 0, 1, errno.EIO, appendfile._write)
if {what!r} == "cursor":
    cursor.write_atomically = first("cursor", 2, 3, errno.ENOSPC, cursor.write_atomically)

class {cls}(Real):
    __qualname__ = "{cls}"
"""


@pytest.mark.parametrize("what", ["append", "cursor"])
@pytest.mark.parametrize(("name", "cls"), [("csv", "CsvTracker"), ("jsonl", "JsonlTracker")])
def test_a_courier_s_write_that_fails_is_done_again_and_leaves_no_half_line(
    what: str, name: str, cls: str, tmp_path: Path
) -> None:
    """An error of the disk in the middle of a row; a full disk when the cursor is to be stored."""
    module = tmp_path / "sick_disk.py"
    module.write_text(SICK_DISK.format(what=what, name=name, cls=cls, folder=str(tmp_path)))
    run = trackhub.start(trackers=[f"{module}:{cls}"], finish_timeout=30)
    for step in range(300):
        run.log_metrics({"loss": step / 7}, step=step)
        time.sleep(0.01)
    run.finish()
    folder = RunFolder(run.path)
    assert sync(folder).result == "delivered"
    assert (tmp_path / what).stat().st_size > (1 if what == "append" else 5)  # it failed, and was done again
    assert_equal(folder, name)


@pytest.mark.parametrize(("number", "times"), [(errno.EIO, 1), (errno.EROFS, 3), (errno.ENOSPC, 3)])
def test_a_write_of_the_journal_that_fails_for_a_moment_is_done_again(
    number: int, times: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error of the disk, once; a disk that is read-only, or full, for a second or so."""
    run = trackhub.start(trackers="jsonl", finish_timeout=30)
    run.log_metrics({"loss": 1.0}, step=0)
    whole, failed = os.write, []

    def sick(descriptor: int, data: bytes) -> int:
        if len(failed) < times and b"metrics" in bytes(data):
            failed.append(data)
            raise OSError(number, os.strerror(number))
        return whole(descriptor, data)

    monkeypatch.setattr(os, "write", sick)
    for step in range(1, 600):
        run.log_metrics({"loss": float(step)}, step=step)
        time.sleep(0.004)
    run.finish()
    assert len(failed) == times
    assert [row.step for row in rows_of(RunFolder(run.path))] == list(range(600))
    said = capfd.readouterr().err
    assert said.count(os.strerror(number)) == said.count("can be written again") == 1
    assert_equal(RunFolder(run.path), "jsonl")
