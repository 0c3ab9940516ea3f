"""The csv tracker alone: columns that come late, rewrites, config.json."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import pytest
from file_trackers import START, deliver, load, points_of, some_rows, store, stored
from trackhub_csv import CsvTracker, table

from trackhub.delivery.facade import Tracker
from trackhub.plugin import Rebuild, Row
from trackhub.testing import SomeRun, open_tracker


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "some-run"
    path.mkdir()
    return SomeRun(path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one rewrite, the next is never due."""
    monkeypatch.setattr(table, "PATIENCE", 1e9)


def row(step: int, **metrics: float) -> Row:
    return Row(metrics, step, START + step, step + 1)


def lines(run: SomeRun) -> list[str]:
    return (run.path / "metrics.csv").read_text().splitlines()


def state_of(tracker: Tracker) -> Any:
    sealed, state = tracker.flush()
    assert sealed
    return json.loads(json.dumps(state))


def test_the_table_is_wide_with_columns_in_order_of_first_appearance(run: SomeRun) -> None:
    tracker = open_tracker(CsvTracker, run)
    tracker.log_rows(
        [row(0, loss=0.5, lr=1e-4), row(1, lr=2, val=math.nan), Row({"system/cpu": 3.0}, 1, 7.5, 3, "system")]
    )
    assert lines(run) == [
        "step,timestamp,loss,lr,val,system/cpu",
        "0,1767225601.123456,0.5,0.0001,,",
        "1,1767225602.123456,,2,NaN,",
        "1,7.5,,,,3.0",
    ]


def test_a_late_column_is_there_after_the_next_flush_and_old_rows_only_gain_empty_cells(run: SomeRun) -> None:
    tracker = open_tracker(CsvTracker, run)
    tracker.log_rows([row(step, loss=step / 7) for step in range(50)])
    before = lines(run)
    tracker.log_rows([row(50, loss=1.0), row(50, **{"val/loss": 0.25}), row(51, loss=2.0)])
    state_of(tracker)
    assert lines(run)[0] == "step,timestamp,loss,val/loss"
    assert lines(run)[1:51] == [line + "," for line in before[1:]]
    assert [line.split(",", 2)[2] for line in lines(run)[51:]] == ["1.0,", ",0.25", "2.0,"]


@pytest.mark.usefixtures("impatient")
def test_rows_from_the_first_new_column_on_wait_until_a_rewrite_is_due(run: SomeRun) -> None:
    tracker = open_tracker(CsvTracker, run)
    tracker.log_rows([row(0, a=1.0)])
    tracker.log_rows([row(1, a=1.0, b=1.0)])
    state_of(tracker)
    tracker.log_rows([row(2, a=1.0), row(3, c=1.0), row(4, a=1.0)])
    tracker.log_rows([row(5, a=1.0)])
    assert tracker.flush() == (False, None)
    assert [line[0] for line in lines(run)[1:]] == ["0", "1", "2"]
    tracker.on_run_end("killed", {})
    state_of(tracker)
    assert lines(run)[0] == "step,timestamp,a,b,c"
    assert [line[0] for line in lines(run)[1:]] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.usefixtures("impatient")
def test_waiting_rows_that_are_lost_in_a_crash_come_again_once(run: SomeRun) -> None:
    rows = some_rows(40)
    deliver("csv", run.path, rows, batch=2, end=False)
    assert load(run.path)["done"] < len(rows)
    deliver("csv", run.path, rows, batch=2)
    assert stored(run.path / "metrics.csv") == points_of(rows)


@pytest.mark.usefixtures("impatient")
def test_too_many_waiting_rows_are_written_at_once(run: SomeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_WAITING", 10)
    tracker = open_tracker(CsvTracker, run)
    tracker.log_rows([row(0, a=1.0)])
    for step in range(1, 40):
        tracker.log_rows([row(step, **{f"new{step}": 1.0})])
        state_of(tracker) if step == 1 else tracker.flush()
    assert len(lines(run)) > 30
    tracker.on_run_end("finished", {})
    assert [line.split(",")[0] for line in lines(run)[1:]] == [str(step) for step in range(40)]


def test_a_rewrite_that_the_cursor_has_not_heard_of_is_recognised(run: SomeRun) -> None:
    rows = [row(step, **{'first,"odd"\n': float(step)}) for step in range(10)]
    deliver("csv", run.path, rows, end=False)
    cursor = load(run.path)
    more = [row(10, **{"second\n": 1.0}), row(11, third=1.0), row(12, **{'first,"odd"\n': 1.0})]
    deliver("csv", run.path, rows + more, end=False)
    inode = (run.path / "metrics.csv").stat().st_ino
    store(run.path, cursor)
    deliver("csv", run.path, rows + more)
    assert (run.path / "metrics.csv").stat().st_ino == inode, "it was built again instead of taken over"
    assert stored(run.path / "metrics.csv") == points_of(rows + more)


def test_a_full_disk_during_a_rewrite_leaves_the_old_file(run: SomeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = open_tracker(CsvTracker, run)
    tracker.log_rows([row(0, a=1.0)])
    before = lines(run)
    tracker.log_rows([row(1, b=1.0)])

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            tracker.flush()
    assert lines(run) == before
    assert [path.name for path in run.path.iterdir()] == ["metrics.csv"]
    state_of(tracker)
    assert [line[0] for line in lines(run)[1:]] == ["0", "1"]


def test_many_columns_are_told_once(run: SomeRun, caplog: pytest.LogCaptureFixture) -> None:
    tracker = open_tracker(CsvTracker, run)
    with caplog.at_level(logging.WARNING, "trackhub.csv"):
        tracker.log_rows([row(0, **{f"m{number}": 1.0 for number in range(999)})])
        assert not caplog.records
        tracker.log_rows([row(1, one=1.0, two=2.0)])
        state_of(tracker)
        tracker.log_rows([row(2, three=1.0)])
        tracker.on_run_end("finished", {})
    assert [record.getMessage().count("over 1000 columns") for record in caplog.records] == [1]


def test_a_run_without_metrics_has_a_header(run: SomeRun) -> None:
    tracker = open_tracker(CsvTracker, run)
    state_of(tracker)
    tracker.on_run_end("finished", {})
    state_of(tracker)
    assert lines(run) == ["step,timestamp"]
    assert not (run.path / "config.json").exists()


def test_config_json_holds_the_parameters_and_later_additions(run: SomeRun) -> None:
    tracker = open_tracker(CsvTracker, run)
    tracker.log_params({"lr": math.inf, "lora": {"r": 16, "drop": [0.1, math.nan]}, "名": "値"})
    state = state_of(tracker)
    again = open_tracker(CsvTracker, run, state)
    again.log_params({"seed": 2**70, "lora": {"r": 8}})
    state_of(again)
    text = (run.path / "config.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"lr": "Infinity", "lora": {"r": 8}, "名": "値", "seed": 2**70}
    assert text.startswith('{\n  "lr": "Infinity",\n')
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "metrics.csv"]


def test_a_config_json_of_the_user_is_kept(run: SomeRun) -> None:
    (run.path / "config.json").write_text("mine")
    tracker = open_tracker(CsvTracker, run)
    tracker.log_params({"lr": 1})
    state_of(tracker)
    (run.path / "config.json").write_text("mine too")
    tracker.log_params({"seed": 2})
    state_of(tracker)
    assert json.loads((run.path / "config.json").read_text()) == {"lr": 1, "seed": 2}
    assert [(run.path / f"config.json.kept-{number}").read_text() for number in (1, 2)] == ["mine", "mine too"]


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_config_json_that_is_not_what_was_stored_is_written_again(run: SomeRun, damage: str) -> None:
    deliver("csv", run.path, some_rows(3))
    config = run.path / "config.json"
    config.unlink() if damage == "gone" else config.write_text("{}")
    deliver("csv", run.path, some_rows(6))
    assert json.loads(config.read_text()) == {"lr": 0.1}
    assert (run.path / "config.json.kept-1").exists() is (damage == "changed")
    assert stored(run.path / "metrics.csv") == points_of(some_rows(6))


def test_a_changed_config_json_discards_the_table_first(run: SomeRun) -> None:
    tracker = open_tracker(CsvTracker, run)
    tracker.log_params({"lr": 1})
    state = state_of(tracker)
    (run.path / "config.json").unlink()
    with pytest.raises(Rebuild, match=r"config\.json is gone"):
        open_tracker(CsvTracker, run, state)
    assert not (run.path / "metrics.csv").exists()
