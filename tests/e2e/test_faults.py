"""A tracker that misbehaves: the training ends in its time, the others are complete, the receipt names the failure."""

from __future__ import annotations

import time

import pytest

import trackhub
from trackhub import Run
from trackhub.delivery.receipt import Receipt
from trackhub.delivery.sync import sync
from trackhub.layout import RunFolder
from trackhub.testing import recorded

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("test_trackers")]

ROWS = 30


def train(**options: object) -> tuple[Run, dict[str, Receipt], float]:
    """A short training with a healthy and a sick tracker: (run, receipts, seconds that `finish` took)."""
    run = trackhub.start(trackers={"rec": {}, "sick": {"file": "sick.jsonl", **options}}, finish_timeout=4)
    for step in range(ROWS):
        run.log_metrics({"a": step}, step=step)
    begin = time.monotonic()
    run.finish()
    return run, {receipt.tracker: receipt for receipt in run.receipts()}, time.monotonic() - begin


def assert_healthy(run: Run, receipt: Receipt) -> None:
    assert receipt.complete
    assert [row["step"] for row in recorded(run.path / "recording.jsonl", "log_metrics")] == list(range(ROWS))
    assert recorded(run.path / "recording.jsonl", "on_run_end")


def test_one_that_raises_when_it_opens_is_parked() -> None:
    run, receipts, took = train(hook="on_run_start", fault="raise")
    assert_healthy(run, receipts["rec"])
    assert receipts["sick"].state in ("parked", "backing off", "stopped")
    assert "RuntimeError: the faulty tracker raises" in receipts["sick"].reason
    assert receipts["sick"].lag == ROWS
    assert took < 6


def test_one_that_raises_at_every_row_has_each_set_aside_with_its_reason() -> None:
    run, receipts, _ = train(hook="log_metrics", fault="reject")
    assert_healthy(run, receipts["rec"])
    assert (receipts["sick"].delivered, receipts["sick"].rejected) == (0, ROWS)
    assert "refuses this" in receipts["sick"].rejections[0]
    assert not receipts["sick"].complete


def test_one_that_raises_twice_gets_the_row_at_the_third_try() -> None:
    run, receipts, _ = train(hook="log_metrics", fault="raise", times=2)
    assert_healthy(run, receipts["rec"])
    assert receipts["sick"].complete
    assert [row["step"] for row in recorded(run.path / "sick.jsonl", "log_metrics")] == list(range(ROWS))
    log = (run.path / "delivery" / "delivery.log").read_text()
    assert log.count("Traceback") == 1
    assert ", in _raise" in log


def test_one_that_raises_at_the_end_is_named() -> None:
    run, receipts, took = train(hook="on_run_end", fault="raise")
    assert_healthy(run, receipts["rec"])
    assert "on_run_end" in receipts["sick"].rejections[0]
    assert receipts["sick"].delivered == ROWS
    assert took < 6


@pytest.mark.parametrize("hook", ["on_run_start", "log_metrics", "on_run_end"])
def test_one_that_sleeps_for_an_hour_costs_the_end_of_training_the_timeout_at_most(hook: str) -> None:
    run, receipts, took = train(hook=hook, fault="hang")
    assert_healthy(run, receipts["rec"])
    assert not receipts["sick"].complete
    assert hook in receipts["sick"].reason
    assert took < 4 + 1.5


def test_one_that_hangs_past_its_deadline_is_killed_and_started_again() -> None:
    run, receipts, _ = train(hook="log_metrics", fault="hang", times=1, deadline=1.0)
    assert_healthy(run, receipts["rec"])
    assert receipts["sick"].complete
    assert {row["step"] for row in recorded(run.path / "sick.jsonl", "log_metrics")} == set(range(ROWS))


@pytest.mark.parametrize("hook", [pytest.param("on_run_start", marks=pytest.mark.torture), "log_metrics"])
def test_one_that_always_dies_is_parked_after_a_few_tries_and_named(hook: str) -> None:
    run = trackhub.start(trackers={"sick": {"hook": hook, "fault": "exit"}}, finish_timeout=60)
    run.log_metrics({"a": 1})
    begin = time.monotonic()
    while run.receipts()[0].state != "parked" and time.monotonic() - begin < 90:
        time.sleep(0.2)
    (receipt,) = run.receipts()
    assert receipt.state == "parked"
    assert f"exit code 7 in {hook}" in receipt.reason
    run.finish()


@pytest.mark.parametrize("fault", ["exit", "crash"])
def test_one_whose_process_dies_once_is_started_again(fault: str) -> None:
    run, receipts, _ = train(hook="log_metrics", fault=fault, times=1)
    assert_healthy(run, receipts["rec"])
    assert receipts["sick"].complete
    assert {row["step"] for row in recorded(run.path / "sick.jsonl", "log_metrics")} == set(range(ROWS))


def test_one_that_is_away_is_not_waited_for_and_sync_finishes_it() -> None:
    run, receipts, took = train(hook="log_metrics", fault="away", times=5)
    assert_healthy(run, receipts["rec"])
    assert took < 6
    outcome = sync(RunFolder(run.path))
    assert outcome.result == "delivered"
    assert [row["step"] for row in recorded(run.path / "sick.jsonl", "log_metrics")] == list(range(ROWS))


def test_sync_does_not_wait_for_the_pauses_of_an_earlier_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses that are left behind add up to half a minute; those of a fresh start to a few seconds."""
    monkeypatch.setenv("TRACKHUB_LINGER", "120")
    run, receipts, _ = train(hook="log_metrics", fault="away", times=7)
    assert receipts["sick"].state == "backing off"
    begin = time.monotonic()
    assert sync(RunFolder(run.path)).result == "delivered"
    assert time.monotonic() - begin < 20
    assert [row["step"] for row in recorded(run.path / "sick.jsonl", "log_metrics")] == list(range(ROWS))


def test_finish_timeout_zero_does_not_wait() -> None:
    run = trackhub.start(trackers={"sick": {"hook": "log_metrics", "fault": "hang"}}, finish_timeout=0)
    run.log_metrics({"a": 1})
    begin = time.monotonic()
    run.finish()
    assert time.monotonic() - begin < 0.5
