"""The same run again: its id, its trackers, its options, and what a step to go back to means."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trackhub
from trackhub import ConfigError, Run
from trackhub.events import Metrics, Rewind, RunEnded, RunStarted
from trackhub.journal import read
from trackhub.journal.state import state
from trackhub.journal.writing import JournalWriter, new_header
from trackhub.layout import RunFolder
from trackhub.testing import recorded


def logged(run: Run, begin: int, end: int, value: float = 0.0) -> None:
    for step in range(begin, end):
        run.log_metrics({"a": value + step}, step=step)


def values(path: Path, view: str = "effective") -> list[float]:
    return [float(event.metrics["a"]) for event in read(path, view=view) if isinstance(event, Metrics)]


def test_a_resumed_run_has_the_same_id_and_writes_a_file_of_its_own() -> None:
    with trackhub.start(trackers="none", project="p", tags=["t"], notes="n", group="g") as first:
        logged(first, 0, 5)
    with trackhub.resume(first.path) as second:
        logged(second, 5, 8)
    with trackhub.resume(first.name) as third:
        third.log_metrics({"a": 8.0})
    assert first.id == second.id == third.id
    assert sorted(path.name for path in (first.path / "journal").glob("rank*")) == [
        "rank-0.1.jsonl",
        "rank-0.2.jsonl",
        "rank-0.jsonl",
    ]
    assert values(first.path) == list(range(9))
    now = state(RunFolder(first.path))
    assert (now.status, now.attempt, now.last_step, now.project) == ("finished", 2, 8, "p")
    assert (now.tags, now.notes, now.group) == (("t",), "n", "g")


def test_going_back_drops_later_rows_from_the_effective_view_and_not_from_the_raw_one() -> None:
    with trackhub.start(trackers="none") as run:
        logged(run, 0, 10)
    with trackhub.resume(run.path, step=4) as run:
        run.log_metrics({"a": 100.0})
    assert values(run.path) == [0, 1, 2, 3, 4, 100]
    assert values(run.path, "raw") == [*range(10), 100]
    assert [event.step for event in read(run.path) if isinstance(event, Rewind)] == [4]
    assert [event.step for event in read(run.path) if isinstance(event, Metrics)][-1] == 5


def test_a_step_that_is_not_earlier_goes_back_over_nothing() -> None:
    with trackhub.start(trackers="none") as run:
        logged(run, 0, 5)
    with trackhub.resume(run.path, step=4) as run:
        logged(run, 5, 6)
    assert values(run.path, "raw") == values(run.path) == list(range(6))
    assert not [event for event in read(run.path) if isinstance(event, Rewind)]


def test_an_attempt_that_died_before_it_logged_does_not_hide_how_far_the_run_had_got() -> None:
    with trackhub.start(trackers="none") as run:
        logged(run, 0, 10)
    with trackhub.resume(run.path):
        pass
    with trackhub.resume(run.path) as again:
        again.log_metrics({"a": 10.0})
    assert [event.step for event in read(run.path) if isinstance(event, Metrics)][-1] == 10
    with trackhub.resume(run.path):
        pass
    with trackhub.resume(run.path, step=3) as again:
        again.log_metrics({"a": -1.0})
    assert values(run.path) == [0, 1, 2, 3, -1]


def test_going_back_twice_without_a_row_between_goes_back_to_the_earlier() -> None:
    with trackhub.start(trackers="none") as run:
        logged(run, 0, 10)
    with trackhub.resume(run.path, step=6):
        pass
    with trackhub.resume(run.path, step=3) as again:
        again.log_metrics({"a": -1.0})
    assert values(run.path) == [0, 1, 2, 3, -1]


def test_a_run_that_is_still_written_cannot_be_resumed_and_its_writer_is_named() -> None:
    with trackhub.start(trackers="none") as run, pytest.raises(ConfigError, match=f"process {os.getpid()}"):
        trackhub.resume(run.path)


def test_a_run_that_does_not_exist_is_named_with_close_matches() -> None:
    with trackhub.start(trackers="none", name="arc") as run:
        pass
    with pytest.raises(ConfigError, match=run.name):
        trackhub.resume(run.name[:-1] + "x")


def test_other_trackers_can_be_named_for_the_rest_of_a_run() -> None:
    with trackhub.start(trackers="csv") as run:
        logged(run, 0, 3)
    with trackhub.resume(run.path, trackers="jsonl") as again:
        logged(again, 3, 5)
    assert again.trackers == ("jsonl",)
    assert (run.path / "metrics.jsonl").read_bytes().count(b"\n") == 5
    assert state(RunFolder(run.path)).trackers == ("jsonl",)
    assert {receipt.tracker for receipt in again.receipts()} == {"csv", "jsonl"}


@pytest.mark.usefixtures("test_trackers")
def test_the_options_of_the_run_hold_on_but_for_those_that_were_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_TRACKERS", "csv")
    with trackhub.start(trackers={"rec": {"file": "mine.jsonl"}}) as run:
        logged(run, 0, 3)
    with trackhub.resume(run.path) as again:
        logged(again, 3, 5)
    assert [row["step"] for row in recorded(run.path / "mine.jsonl", "log_metrics")] == list(range(5))
    with trackhub.resume(run.path, options={"rec": {"file": "other.jsonl"}}) as again:
        logged(again, 5, 6)
    assert [row["step"] for row in recorded(run.path / "other.jsonl", "log_metrics")] == [5]


def test_a_redacted_option_is_never_handed_to_a_tracker() -> None:
    from trackhub.settings import disclosed

    assert disclosed({"api_key": "[redacted]", "url": "http://u:[redacted]@host", "mode": "cloud"}) == {"mode": "cloud"}


def test_a_run_without_trackers_stays_without(monkeypatch: pytest.MonkeyPatch) -> None:
    with trackhub.start(trackers="none") as run:
        pass
    monkeypatch.setenv("TRACKHUB_TRACKERS", "csv")
    with trackhub.resume(run.path) as again:
        assert again.trackers == ()


@pytest.mark.usefixtures("test_trackers")
def test_a_resume_replaces_the_supervisor_that_the_dead_training_left_behind(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker of the first attempt is away for an hour, so its supervisor lives when the resume begins."""
    from trackhub.delivery.receipt import delivering, supervisor_status
    from trackhub.delivery.sync import sync

    monkeypatch.setenv("TRACKHUB_LINGER", "3600")
    code = (
        "import os, trackhub\n"
        "run = trackhub.start(trackers={'sick': {'hook': 'log_metrics', 'fault': 'away', 'times': 3}}, name='x')\n"
        "for step in range(5): run.log_metrics({'a': step}, step=step)\n"
        "import time\n"
        "from trackhub.delivery.receipt import supervisor_status\n"
        "from trackhub.layout import RunFolder\n"
        "while supervisor_status(RunFolder(run.path)) is None: time.sleep(0.05)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    folder = RunFolder(next(runs.glob("x_*")))
    old = supervisor_status(folder)
    assert old is not None
    assert delivering(folder)
    monkeypatch.setenv("TRACKHUB_LINGER", "0")
    with trackhub.resume(folder.path, finish_timeout=30) as run:
        logged(run, 5, 8)
    new = supervisor_status(folder)
    assert new is not None
    assert new.pid != old.pid
    sync(folder)
    steps = [row["step"] for row in recorded(folder.path / "recording.jsonl", "log_metrics")]
    assert sorted(set(steps)) == list(range(8))
    assert [event.attempt for event in read(folder) if isinstance(event, RunStarted)] == [0, 1]
    assert [receipt.state for receipt in run.receipts()] == ["delivered"]


def test_a_run_that_died_with_its_supervisor_is_called_killed_before_it_goes_on(runs: Path) -> None:
    folder = RunFolder(runs / "dead_20260101_000000")
    folder.journal.mkdir(parents=True)
    writer = JournalWriter(folder.rank_journal(0), new_header("0123456789abcdef", folder.path.name))
    writer.append(RunStarted)
    writer.append(Metrics, step=1, metrics={"a": 1})
    writer.close()
    with trackhub.resume(folder.path) as run:
        run.log_metrics({"a": 2})
    ends = [event.status for event in read(folder, view="raw") if isinstance(event, RunEnded)]
    assert ends == ["killed", "finished"]
    assert state(folder).status == "finished"


def test_a_step_that_the_run_never_reached_is_refused_and_nothing_is_written() -> None:
    """A checkpoint counts, too: the loop may log less often than it saves."""
    with trackhub.start(trackers="none") as run:
        logged(run, 0, 10)
        (run.path / "model.ckpt").write_bytes(b"w")
        run.save_checkpoint("model.ckpt", step=12)
    with pytest.raises(ConfigError, match=r"step=13: run .* got no further than step 12"):
        trackhub.resume(run.path, step=13)
    assert state(RunFolder(run.path)).attempt == 0
    trackhub.resume(run.path, step=12).finish()
    with trackhub.start(trackers="none") as empty:
        pass
    with pytest.raises(ConfigError, match="has not logged a step"):
        trackhub.resume(empty.path, step=0)
