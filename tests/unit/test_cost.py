"""What a run costs: the time of its log calls, what it refused, and what its deliveries used."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

import trackhub
from trackhub.cli.tables import cost_line
from trackhub.delivery.cost import Cost, Spending, own_cost
from trackhub.delivery.cost_of_calls import LogCost, RunCost, costs, log_cost, refused
from trackhub.events import Metrics
from trackhub.journal import read
from trackhub.journal.state import latest
from trackhub.layout import RunFolder


def logged(rows: int, **options: str) -> RunFolder:
    with trackhub.start(trackers="none", **options) as run:
        for step in range(rows):
            run.log_metrics({"a": step * 0.1}, step=step)
    return RunFolder(run.path)


def taken(folder: RunFolder) -> list[tuple[int, float]]:
    return [(event.n, event.took) for event in read(folder) if isinstance(event, Metrics) and event.took]


def test_one_row_in_64_carries_how_long_the_call_before_it_took() -> None:
    found = taken(logged(300))
    assert [n for n, _ in found] == [17, 81, 145, 209, 273]
    assert all(0 < seconds < 1 for _, seconds in found)


def test_rows_that_need_a_conversion_are_measured_too_and_so_is_the_conversion() -> None:
    class Slow:
        def __float__(self) -> float:
            return 1.0

        def item(self) -> float:
            time.sleep(0.002)
            return 1.0

    with trackhub.start(trackers="none") as run:
        for step in range(100):
            run.log_metrics({"a": {"nested": 1.0}, "b": Slow()}, step=step)
    found = taken(RunFolder(run.path))
    assert [n for n, _ in found] == [17, 81]
    assert all(seconds > 0.002 for _, seconds in found)


def test_logging_after_the_end_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_STRICT")
    run = trackhub.start(trackers="none")
    run.finish()
    run.log_metrics({"a": {"nested": 1.0}})


def test_a_slow_disk_shows_in_what_a_call_took(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def slow(descriptor: int, data: bytes) -> int:
        time.sleep(0.002)
        return write(descriptor, data)

    with trackhub.start(trackers="none") as run:
        monkeypatch.setattr("trackhub.journal.writing.os.write", slow)
        for step in range(400):
            run.log_metrics({"a": step}, step=step)
        monkeypatch.undo()
    found = log_cost(RunFolder(run.path))
    assert found is not None
    assert found.median_us > 2000
    assert found.seconds > 0.2
    assert found.share > 0.3


def test_rows_with_times_of_another_day_are_not_measured() -> None:
    from trackhub.journal.writing import JournalWriter, new_header

    path = Path(os.environ["TRACKHUB_RUNS_DIR"]) / "old" / "journal" / "rank-0.jsonl"
    path.parent.mkdir(parents=True)
    writer = JournalWriter(path, new_header("0" * 16, "old"))
    for step in range(100):
        writer.append_metrics(1.5 + step, step, {"a": step})
    writer.close()
    assert taken(RunFolder(path.parents[1])) == []
    assert log_cost(RunFolder(path.parents[1])) is None


def test_a_short_run_costs_something_that_is_not_known() -> None:
    assert log_cost(logged(3)) is None


def test_a_long_run_is_measured_by_pieces_of_its_journal() -> None:
    folder = logged(60_000)
    assert latest(folder).stat().st_size > 16 * (1 << 16)
    begin = time.perf_counter()
    found = log_cost(folder)
    assert time.perf_counter() - begin < 0.5
    assert found is not None
    assert found.calls >= 60_000
    assert 50 < found.measured < 500
    assert 0.5 < found.median_us <= found.longest_us
    assert found.seconds == pytest.approx(found.calls * found.median_us / 1e6, rel=9)


def test_refused_values_are_counted_over_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_STRICT")
    with trackhub.start(trackers="none") as run:
        for step in range(7):
            run.log_metrics({"a": "no number", "b": 1.0}, step=step)  # type: ignore[dict-item]
    assert refused(RunFolder(run.path)) == 7
    monkeypatch.setattr("trackhub.delivery.cost_of_calls._CHUNK", 50)
    assert refused(RunFolder(run.path)) == 7


def test_a_process_knows_what_it_used_and_not_what_its_parent_used() -> None:
    waste = bytearray(os.urandom(1)) * 300_000_000
    code = (
        "from trackhub.delivery.cost import own_cost\nimport msgspec, sys\n"
        "sum(range(20_000_000))\nsys.stdout.write(msgspec.json.encode(own_cost()).decode())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    found = msgspec.json.decode(shown, type=Cost)
    assert len(waste) == 300_000_000
    assert 0.05 < found.cpu < 30
    assert 5 < found.peak_mb < 150
    assert own_cost().peak_mb > 300


def test_a_thread_knows_its_own_time_only() -> None:
    sum(range(20_000_000))
    seen: list[Cost] = []
    thread = threading.Thread(target=lambda: seen.append(own_cost()))
    thread.start()
    thread.join()
    assert seen[0].cpu < 0.05 < own_cost().cpu


def test_the_lives_of_a_courier_add_up() -> None:
    spent = Spending(Cost(100.0, 5000.0)).now()
    assert spent.cpu > 100
    assert spent.peak_mb == 5000


def test_each_courier_and_the_supervisor_tell_what_they_used() -> None:
    with trackhub.start(trackers="csv,jsonl") as run:
        for step in range(100):
            run.log_metrics({"a": step}, step=step)
    found = costs(RunFolder(run.path), run.receipts())
    assert set(found.couriers) == {"csv", "jsonl"}
    for one in (found.supervisor, *found.couriers.values()):
        assert 0.01 < one.cpu < 30
        assert 10 < one.peak_mb < 200


def test_the_cost_is_one_line() -> None:
    log = LogCost(calls=1000, measured=15, median_us=3.25, longest_us=80.0, seconds=0.004, share=0.00012)
    found = RunCost(log, 2, Cost(0.5, 30.0), {"csv": Cost(0.25, 40.0)})
    assert cost_line(found) == (
        "cost: a log call takes 3.2 µs (longest 80), all 0.01% of the time; 2 values were refused; "
        "deliveries took 0.8 s of CPU (supervisor 0.5, csv 0.2), at most 40 MB (csv)"
    )
    assert cost_line(RunCost(None, 0, Cost(), {})) == ""


def test_the_supervisor_s_rows_carry_the_cost_as_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_SYSTEM_EVERY", "0.2")
    with trackhub.start(trackers="none") as run:
        for step in range(100):
            run.log_metrics({"a": step}, step=step)
        deadline = time.monotonic() + 20
        rows: list[Metrics] = []
        while not rows and time.monotonic() < deadline:
            time.sleep(0.1)
            events = (event for event in read(run.path) if isinstance(event, Metrics))
            rows = [event for event in events if "trackhub/log_us" in event.metrics]
    assert rows[0].source == "system"
    assert rows[0].step == 99
    assert 0 < float(rows[0].metrics["trackhub/log_us"]) < 100_000
