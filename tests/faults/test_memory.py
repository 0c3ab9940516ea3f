"""The journal is the buffer: however much is logged while a tracker is away or lags, no process grows."""

from __future__ import annotations

import time

import pytest
from sizes import go, settled, sizes, training

pytestmark = pytest.mark.usefixtures("test_trackers")


def grow(points: int, watch: float) -> None:
    """Log so many points, look on for a while, and compare."""
    with training(points) as process:
        settled(process)
        before = sizes(process.pid)
        begin = time.monotonic()
        go(process)
        took = time.monotonic() - begin
        after = sizes(process.pid)
        until = time.monotonic() + watch
        while time.monotonic() < until:
            now = sizes(process.pid)
            after = type(after)(*map(max, after, now))
            time.sleep(0.5)
    grown = {name: (end - start) / 1e6 for name, start, end in zip(before._fields, before, after, strict=True)}
    print(f"{points} points in {took:.1f} s; grown by, in MB: {grown}; from {before}")
    assert max(grown.values()) < 50, grown


def test_half_a_million_points_with_the_trackers_away_grow_no_process() -> None:
    grow(500_000, watch=3)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_ten_million_points_with_the_trackers_away_grow_no_process() -> None:
    grow(10_000_000, watch=90)
