"""Hostile keys and values, all the way: nothing is lost from the journal, and every tracker holds what it can."""

from __future__ import annotations

import csv
import json
import math

import trackhub
from trackhub.journal import read
from trackhub.testing import SomeRun, open_tracker

KEYS = [
    "",
    "\ud800 lone",
    "🦊/é",
    "a\nb\x00c",
    'quote"comma,',
    " padded /",
    "x" * 10_000,
    "../../etc",
    "step",
    "surrogate-escaped:\\x",
]
VALUES = [0.1, math.nan, math.inf, -math.inf, 1e308, 5e-324, 2**53 + 1, -(10**30), -0.0, 7]


def test_hostile_keys_and_values_arrive_everywhere() -> None:
    with trackhub.start(trackers="csv,jsonl,swanlab") as run:
        for step, value in enumerate(VALUES):
            run.log_metrics(dict.fromkeys(KEYS, value), step=step)
    logged = [event.metrics for event in read(run.path) if type(event).__name__ == "Metrics"]
    assert [list(row) for row in logged] == [KEYS] * len(VALUES)
    assert [repr(row[""]) for row in logged] == [repr(value) for value in VALUES]
    receipts = {receipt.tracker: receipt for receipt in run.receipts()}
    assert all(receipt.complete for receipt in receipts.values()), receipts
    assert all(receipt.mappings for receipt in receipts.values())
    with (run.path / "metrics.csv").open(newline="") as file:
        assert len(next(csv.reader(file))) == 2 + len(KEYS)
    assert [len(json.loads(line)) for line in (run.path / "metrics.jsonl").read_text().splitlines()] == [12] * len(
        VALUES
    )


def test_what_was_mapped_can_be_found_by_its_original_key() -> None:
    from trackhub_csv import CsvTracker

    with trackhub.start(trackers="csv") as run:
        run.log_metrics({"\ud800": 1.5}, step=1)
    (receipt,) = run.receipts()
    (mapped,) = receipt.mappings.values()
    cursor = json.loads((run.path / "delivery" / "csv.json").read_text())
    tracker = open_tracker(
        CsvTracker, SomeRun(path=run.path, id=run.id, remembered=cursor["remembered"]), cursor["state"]
    )
    assert [point[:2] for point in tracker.read_back(mapped)] == [(1, 1.5)]
