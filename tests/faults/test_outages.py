"""The real MLflow server is stopped, frozen, broken or slow, and comes back: everything arrives once, in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from outages import assert_arrived, log, start, wait_for

from trackhub.delivery.sync import sync
from trackhub.layout import RunFolder

pytestmark = pytest.mark.alone

if TYPE_CHECKING:
    from conftest import Place
    from mlflow_server import Gate

ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "500": (500, {}, b"<html>oops</html>"),
    "429": (429, {"Retry-After": "2"}, b""),
    "garbage": (200, {}, b"\x00\xffnonsense"),
}


@pytest.fixture(autouse=True)
def background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries go on for a while after the end of the training."""
    monkeypatch.setenv("TRACKHUB_LINGER", "170")


@contextmanager
def broken(how: str, place: Place, guarded: Gate) -> Iterator[None]:
    """The outage."""
    if how == "frozen":
        with place.server.frozen():
            yield
        return
    guarded.answer = ANSWERS[how]
    yield
    guarded.answer = None


def through(how: str, place: Place, guarded: Gate, rows: int, status: str = "finished") -> None:
    """A third of the rows before the outage, a third during it, a third after it."""
    run = start(guarded.uri, timeout=2)
    log(run, range(rows // 3))
    wait_for(run, "delivering")
    with broken(how, place, guarded):
        log(run, range(rows // 3, 2 * rows // 3))
        wait_for(run, "backing off")
    log(run, range(2 * rows // 3, rows))
    run.finish(status)
    wait_for(run, "delivered", within=120)
    assert_arrived(run, place.database, place.server.uri, status.upper())


@pytest.mark.parametrize("how", ["frozen", "429"])
def test_an_outage_in_the_middle_of_a_training_costs_no_point(how: str, place: Place, guarded: Gate) -> None:
    through(how, place, guarded, 500)


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["frozen", *ANSWERS])
def test_an_outage_costs_none_of_a_hundred_thousand_points(how: str, place: Place, guarded: Gate) -> None:
    through(how, place, guarded, 10_000, "failed")


def test_a_server_that_is_stopped_and_started_again_gets_everything(tmp_path: Path) -> None:
    """It is away when the training starts, comes, goes while the training runs, and comes back after its end."""
    from mlflow_server import free_port, server

    port = free_port()
    run = start(f"http://127.0.0.1:{port}")
    log(run, range(170))
    assert "Connection refused" in wait_for(run, "backing off")
    with server(tmp_path, port):
        wait_for(run, "delivering")
        log(run, range(170, 340))
    log(run, range(340, 500))
    wait_for(run, "backing off")
    run.finish("failed")
    with server(tmp_path, port) as real:
        assert sync(RunFolder(run.path)).result == "delivered"
        assert_arrived(run, tmp_path / "m.db", real.uri, "FAILED")


def slow(place: Place, guarded: Gate, delay: float, rows: int, **options: Any) -> None:
    """Each answer comes after `delay` seconds, and later than the plugin waits for one at first."""
    guarded.delay = delay
    run = start(guarded.uri, **options)
    log(run, range(rows))
    run.finish()
    wait_for(run, "delivered", within=500)
    assert_arrived(run, place.database, place.server.uri, "FINISHED")


def test_a_slow_server_is_given_more_time_and_gets_everything_once(place: Place, guarded: Gate) -> None:
    slow(place, guarded, 1.2, 150, timeout=1)


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_a_server_that_takes_ten_seconds_an_answer_gets_everything_once(
    place: Place, guarded: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKHUB_LINGER", "600")
    slow(place, guarded, 10.0, 500)


@pytest.mark.parametrize(
    ("answer", "seconds", "most", "least_gap"),
    [
        pytest.param((503, {}, b""), 60, 9, 0.45, marks=pytest.mark.torture),
        ((503, {}, b""), 8, 6, 0.45),
        ((429, {"Retry-After": "3"}, b""), 8, 4, 2.9),
        ((429, {"Retry-After": "0"}, b""), 3, 8, 0.45),
    ],
    ids=[
        "its own pauses grow for a minute",
        "its own pauses grow",
        "Retry-After is kept to",
        "Retry-After 0 is no invitation",
    ],
)
def test_a_server_in_trouble_is_not_hammered(
    answer: tuple[int, dict[str, str], bytes], seconds: float, most: int, least_gap: float, guarded: Gate
) -> None:
    """Counted at the gate. A training that logs on does not make it more."""
    run = start(guarded.uri)
    log(run, range(10))
    wait_for(run, "delivering")
    time.sleep(1.5)
    guarded.answer = answer
    guarded.seen, guarded.times = [], []
    log(run, range(10, 11))
    patience = time.monotonic() + 30
    while not guarded.times and time.monotonic() < patience:
        time.sleep(0.02)
    until, step = time.monotonic() + seconds, 11
    while time.monotonic() < until:
        log(run, range(step, step + 1))
        step += 1
        time.sleep(0.02)
    times = list(guarded.times)
    guarded.answer = None
    gaps = [after - before for before, after in pairwise(times)]
    assert 2 <= len(times) <= most, gaps
    assert min(gaps) >= least_gap
    run.finish()
    assert sync(RunFolder(run.path)).result == "delivered"
