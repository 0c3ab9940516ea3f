"""The jsonl tracker alone: what its lines look like."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from trackhub_jsonl import JsonlTracker

from trackhub.plugin import Row
from trackhub.testing import SomeRun, open_tracker


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    return SomeRun(tmp_path)


def test_each_row_is_one_flat_object(run: SomeRun) -> None:
    tracker = open_tracker(JsonlTracker, run)
    tracker.log_rows([Row({"loss": 0.1, "n": 2**60}, 3, 7.25, 1), Row({"loss": math.nan, "up": math.inf}, 4, 8.0, 2)])
    tracker.log_rows([Row({"down": -math.inf, "system/cpu": 1.0}, 4, 9.5, 3, "system")])
    assert (run.path / "metrics.jsonl").read_bytes().splitlines() == [
        b'{"step":3,"timestamp":7.25,"loss":0.1,"n":1152921504606846976}',
        b'{"step":4,"timestamp":8.0,"loss":"NaN","up":"Infinity"}',
        b'{"step":4,"timestamp":9.5,"down":"-Infinity","system/cpu":1.0}',
    ]


def test_a_metric_called_step_or_timestamp_has_a_name_of_its_own(run: SomeRun) -> None:
    tracker = open_tracker(JsonlTracker, run)
    tracker.log_rows([Row({"step": 1.5, "timestamp": 2.5, "metric.step": 3.5, "metric.loss": 4.5}, 0, 1.0, 1)])
    assert json.loads((run.path / "metrics.jsonl").read_text()) == {
        "step": 0,
        "timestamp": 1.0,
        "metric.step": 1.5,
        "metric.timestamp": 2.5,
        "metric.metric.step": 3.5,
        "metric.loss": 4.5,
    }
    assert tracker.read_back("step") == [(0, 1.5, 1.0)]
    assert tracker.read_back("metric.step") == [(0, 3.5, 1.0)]


def test_any_number_of_metrics_and_late_ones_need_no_rewrite(run: SomeRun) -> None:
    tracker = open_tracker(JsonlTracker, run)
    for number in range(2000):
        tracker.log_rows([Row({f"metric-{number}": 1.0}, number, 0.5, number)])
        sealed, _ = tracker.flush() if number % 500 == 0 else (True, None)
        assert sealed
    assert tracker.read_back("metric-1999") == [(1999, 1.0, 0.5)]
