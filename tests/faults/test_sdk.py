"""An SDK that hangs, crashes or takes its process apart: the others deliver, the training ends, nobody is left."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil
import pytest

import trackhub
from trackhub import Run
from trackhub.delivery.receipt import Receipt
from trackhub.delivery.sync import sync
from trackhub.layout import RunFolder
from trackhub.testing import recorded
from trackhub.testing.processes import MARK, marked

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("test_trackers")]

ROWS = 40
FILE = f"{Path(__file__).with_name('sick.py')}:SickTracker"
HARMLESS = ["asks", "changes stdout", "closes fds", "hangs at exit", "moves", "prints"]
"""What costs at most a few tries."""
DEADLY = ["eats memory", "hangs", "ignores signals", "segfaults"]
"""What costs the process."""


def train(timeout: float, **options: object) -> tuple[Run, dict[str, Receipt], float]:
    """A training with a healthy and a sick tracker: (run, receipts, seconds that `finish` took)."""
    run = trackhub.start(trackers={"rec": {}, FILE: options}, finish_timeout=timeout)
    for step in range(ROWS):
        run.log_metrics({"a": step}, step=step)
    begin = time.monotonic()
    run.finish()
    took = time.monotonic() - begin
    receipts = {receipt.tracker: receipt for receipt in run.receipts()}
    assert receipts["rec"].complete
    assert [row["step"] for row in recorded(run.path / "recording.jsonl", "log_metrics")] == list(range(ROWS))
    assert recorded(run.path / "recording.jsonl", "on_run_end")[-1]["status"] == "finished"
    return run, receipts, took


def steps(run: Run) -> list[int]:
    return [int(line) for line in (run.path / "sick.txt").read_text().split()]


def delivery() -> list[str]:
    """Processes of this test, other than the test itself."""
    found = []
    for one in marked(os.environ[MARK]):
        with contextlib.suppress(psutil.Error):  # it has just ended
            found.append(" ".join(one.cmdline())[-60:])
    return found


@pytest.mark.parametrize("how", HARMLESS)
def test_what_an_sdk_does_to_its_process_stays_there(how: str) -> None:
    run, receipts, _ = train(30, how=how, times=1)
    assert receipts["sick"].complete, receipts["sick"]
    assert steps(run) == list(range(ROWS))


def test_a_child_that_comes_back_from_a_hook_does_not_deliver_beside_its_parent() -> None:
    """The hook it came back in, it may end, if it is not ended before; the next one is not called."""
    run, receipts, _ = train(30, how="comes back from a fork", times=1)
    assert receipts["sick"].complete
    assert sorted(steps(run)) in (sorted([*range(ROWS), 9]), list(range(ROWS)))


def test_a_question_is_answered_with_nothing_at_once_and_named() -> None:
    """Each of three tries ends at the prompt; then the row is set aside, and the next ones arrive."""
    _, receipts, took = train(30, how="asks")
    assert receipts["sick"].rejected == 0 or "EOFError" in receipts["sick"].rejections[0]
    assert took < 10


@pytest.mark.parametrize("how", DEADLY)
def test_one_whose_process_is_lost_once_is_started_again(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_COURIER_MEMORY", "400")
    run, receipts, _ = train(30, how=how, times=1)
    assert receipts["sick"].complete, receipts["sick"]
    assert sorted(set(steps(run))) == list(range(ROWS))


@pytest.mark.torture
@pytest.mark.parametrize(
    ("how", "deadline", "words"),
    [
        ("eats memory", 60, "400 are allowed (TRACKHUB_COURIER_MEMORY)"),
        ("ignores signals", 1, "log_metrics did not return in time"),
        ("segfaults", 60, "its process ended with SIGSEGV in log_metrics"),
    ],
)
def test_one_whose_process_is_lost_again_and_again_is_parked_and_named(
    how: str, deadline: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKHUB_COURIER_MEMORY", "400")
    monkeypatch.setenv("TRACKHUB_LINGER", "120")
    run, _, took = train(3, how=how, deadline=deadline)
    assert took < 3 + 1.5
    until = time.monotonic() + 60
    while (receipt := run.receipts()[1]).state != "parked" and time.monotonic() < until:
        time.sleep(0.2)
    assert receipt.state == "parked"
    assert words in receipt.reason and "5 times in a row" in receipt.reason


def test_children_that_an_sdk_leaves_behind_are_gone_with_its_courier() -> None:
    _, receipts, _ = train(30, how="leaves children", times=1)
    assert receipts["sick"].complete
    assert delivery() == []


def test_children_are_gone_too_when_everything_is_stopped_in_the_middle() -> None:
    _, _, took = train(6, how="leaves children", deadline=60)
    until = time.monotonic() + 15
    while delivery() and time.monotonic() < until:
        time.sleep(0.1)
    assert delivery() == []
    assert took < 6 + 1.5


def test_children_are_gone_too_when_the_supervisor_is_killed() -> None:
    run = trackhub.start(trackers={FILE: {"how": "leaves children", "times": 1}}, finish_timeout=20)
    for step in range(ROWS):
        run.log_metrics({"a": step}, step=step)
    until = time.monotonic() + 15
    while not any("time.sleep(3600" in line for line in delivery()) and time.monotonic() < until:
        time.sleep(0.05)
    for process in marked(os.environ[MARK]):
        with contextlib.suppress(psutil.Error):
            if "trackhub.delivery.supervisor" in process.cmdline():
                process.kill()
    time.sleep(8)
    assert not any("time.sleep(3600" in line for line in delivery())
    run.finish()
    assert sync(RunFolder(run.path)).result == "delivered"
