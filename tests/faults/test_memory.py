"""The journal is the buffer: however much is logged while a tracker is away or lags, no process grows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sizes import go, peak, settled, sizes, training

from trackhub.delivery.receipt import supervisor_status
from trackhub.layout import RunFolder, all_runs

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("test_trackers")]


def assert_meant(folder: RunFolder, rows: int) -> None:
    """It was what it was meant to be: all was logged, one tracker is away, and the other has got some and lags."""
    status = supervisor_status(folder)
    assert status is not None and status.trackers["mlflow"].state == "backing off"
    with folder.rank_journal(0).open("rb") as file:
        assert sum(line.startswith(b'{"kind":"metrics"') for line in file) == rows
    got = (folder.path / "recording.jsonl").read_bytes().count(b'"log_metrics"')
    assert 100 < got < rows / 2, got


def grow(runs: Path, points: int, watch: float) -> None:
    """Log so many points, look on for a while, and compare what was held before with the most that was ever held."""
    with training(points) as process:
        settled(process)
        before = sizes(process.pid)
        begin = time.monotonic()
        go(process)
        took = time.monotonic() - begin
        time.sleep(watch)
        after = sizes(process.pid, peak)
        (folder,) = all_runs(runs)
        assert_meant(folder, 20_000 + points // 10)
    assert all(before) and all(after), (before, after)
    grown = {name: (end - start) / 1e6 for name, start, end in zip(before._fields, before, after, strict=True)}
    print(f"{points} points in {took:.1f} s; grown by, in MB: {grown}; from {before}")
    assert max(grown.values()) < 50, grown


def test_half_a_million_points_with_the_trackers_away_grow_no_process(runs: Path) -> None:
    grow(runs, 500_000, watch=3)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_ten_million_points_with_the_trackers_away_grow_no_process(runs: Path) -> None:
    grow(runs, 10_000_000, watch=90)
