"""Values on their way from a device: in order, without waiting, with the time of the call. The device is a fake."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trackhub import Run, tensors
from trackhub.events import Message, Metrics, Rejected, RunEnded
from trackhub.journal import JournalWriter, read
from trackhub.journal.writing import new_header
from trackhub.layout import RunFolder
from trackhub.tensors import Deferred


class FakeCopy:
    """A value that arrives when the test says so, or when somebody waits for it."""

    def __init__(self, value: float, error: Exception | None = None) -> None:
        self._value = value
        self._there = threading.Event()
        self.error = error
        self.waited_for = False

    def arrive(self) -> None:
        self._there.set()

    def arrived(self) -> bool:
        if self.error:
            raise RuntimeError("device lost")
        return self._there.is_set()

    def value(self) -> float:
        if self.error:
            raise self.error
        self.waited_for |= not self._there.is_set()
        self._there.set()
        return self._value


class Tensor:
    """One number on a fake GPU; whoever reads it directly would have to wait."""

    is_cuda = True

    def __init__(self, value: float, error: Exception | None = None) -> None:
        self.copy = FakeCopy(value, error)

    def numel(self) -> int:
        return 1

    def item(self) -> float:
        raise AssertionError("somebody waits for the device")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run whose device is a fake, with the journal alone."""
    if "torch" not in sys.modules:
        monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    folder = RunFolder(tmp_path / "run")
    folder.journal.mkdir(parents=True)
    with Run(folder, JournalWriter(folder.rank_journal(0), new_header("0123456789abcdef", "run"))) as run:
        run._deferred = Deferred(begin=lambda tensor: tensor.copy)
        yield run


def rows(run: Run) -> list[tuple[int, dict[str, Any]]]:
    return [(event.step, event.metrics) for event in read(run.path) if isinstance(event, Metrics)]


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_the_call_does_not_wait_and_the_event_is_written_when_the_value_is_there(run: Run) -> None:
    loss = Tensor(0.5)
    run.log_metrics({"loss": loss, "lr": 0.1}, step=0)
    time.sleep(0.05)
    assert rows(run) == []
    loss.copy.arrive()
    eventually(lambda: rows(run) == [(0, {"loss": 0.5, "lr": 0.1})])
    assert not loss.copy.waited_for


def test_values_that_arrive_out_of_order_are_written_in_order(run: Run) -> None:
    losses = [Tensor(step) for step in range(20)]
    for step, loss in enumerate(losses):
        run.log_metrics({"loss": loss}, step=step)
    for loss in reversed(losses[1:]):
        loss.copy.arrive()
    time.sleep(0.05)
    assert rows(run) == []
    losses[0].copy.arrive()
    eventually(lambda: rows(run) == [(step, {"loss": step}) for step in range(20)])


def test_whatever_is_logged_later_is_written_later(run: Run) -> None:
    loss = Tensor(1.0)
    run.log_metrics({"a": 0.0}, step=0)
    run.log_metrics({"loss": loss}, step=1)
    run.log_metrics({"a": 2.0}, step=2)
    run.log_message("after")
    time.sleep(0.05)
    assert [step for step, _ in rows(run)] == [0]
    loss.copy.arrive()
    eventually(lambda: len(rows(run)) == 3)
    run.log_metrics({"a": 3.0}, step=3)
    eventually(lambda: len(rows(run)) == 4)
    kinds = [(event.n, type(event)) for event in read(run.path) if isinstance(event, Metrics | Message)]
    assert [kind for _, kind in sorted(kinds, key=lambda one: one[0])] == [Metrics] * 3 + [Message, Metrics]
    assert [step for step, _ in rows(run)] == [0, 1, 2, 3]


def test_the_time_of_an_event_is_that_of_its_call(run: Run) -> None:
    loss = Tensor(1.0)
    before = time.time()
    run.log_metrics({"loss": loss}, step=0)
    run.log_message("at once")
    after = time.time()
    time.sleep(0.2)
    loss.copy.arrive()
    eventually(lambda: len(rows(run)) == 1)
    eventually(lambda: any(isinstance(event, Message) for event in read(run.path)))
    assert all(before <= event.t <= after for event in read(run.path) if isinstance(event, Metrics | Message))


def test_finish_waits_for_values_that_nobody_else_waits_for(run: Run) -> None:
    losses = [Tensor(step) for step in range(5)]
    for step, loss in enumerate(losses):
        run.log_metrics({"loss": loss}, step=step)
    run.finish()
    assert rows(run) == [(step, {"loss": step}) for step in range(5)]
    assert [event.status for event in read(run.path) if isinstance(event, RunEnded)] == ["finished"]


def test_at_most_a_thousand_events_are_pending_then_the_oldest_is_waited_for(run: Run) -> None:
    losses = [Tensor(step) for step in range(tensors.LIMIT + 5)]
    for step, loss in enumerate(losses):
        run.log_metrics({"loss": loss}, step=step)
    assert len(run._deferred.queue) == tensors.LIMIT
    assert [loss.copy.waited_for for loss in losses[:6]] == [True] * 5 + [False]
    assert [step for step, _ in rows(run)] == [0, 1, 2, 3, 4]


def test_pending_copies_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "SLOTS", 10)
    copies: list[FakeCopy] = []
    deferred = Deferred(begin=lambda value: copies.append(FakeCopy(value)) or copies[-1])  # type: ignore[func-returns-value]
    written: list[float] = []
    for event in range(6):
        row = [deferred.begin(event * 3 + number) for number in range(3)]
        deferred.add(row, lambda row=row: written.extend(copy.value() for copy in row))  # type: ignore[misc]
        pending = sum(len(queued) for queued, _ in deferred.queue)
        assert pending < 10
    deferred.drain()
    assert written == list(range(18))


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: device-side assert"), ValueError("odd")])
def test_a_device_that_fails_costs_the_value_and_neither_the_rest_nor_the_training(
    run: Run, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    run.log_metrics({"loss": Tensor(0.0, error), "lr": 0.5}, step=0)
    run.log_metrics({"loss": Tensor(0.0, error)}, step=1)
    run.log_metrics({"a": 1.0}, step=2)
    run.finish()
    assert rows(run) == [(0, {"lr": 0.5}), (2, {"a": 1.0})]
    rejected = [event for event in read(run.path) if isinstance(event, Rejected)]
    assert [(event.key, event.step) for event in rejected] == [("loss", 0), ("loss", 1)]
    assert str(error) in rejected[0].reason
    assert capsys.readouterr().err.count("could not be read from the device") == 1


def test_a_copy_that_cannot_begin_costs_the_value_only(run: Run) -> None:
    def begin(_tensor: Any) -> Any:
        raise RuntimeError("out of pinned memory")

    run._deferred = Deferred(begin=begin)
    run.log_metrics({"loss": Tensor(0.0), "lr": 0.5}, step=0)
    run.finish()
    assert rows(run) == [(0, {"lr": 0.5})]


def test_awkward_keys_on_the_device_are_kept_or_refused_as_elsewhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_STRICT")
    run.log_metrics({"\ud800": Tensor(1.0), 7: Tensor(2.0), "k" * 10_000: Tensor(3.0)}, step=0)  # type: ignore[dict-item]
    run.finish()
    assert rows(run) == [(0, {"\ud800": 1.0, "k" * 10_000: 3.0})]


def test_nonfinite_values_of_a_device_stay_what_they_are(run: Run) -> None:
    run.log_metrics({"a": Tensor(float("inf")), "b": Tensor(float("-inf"))}, step=0)
    run.finish()
    assert rows(run) == [(0, {"a": float("inf"), "b": float("-inf")})]


def test_several_threads_with_values_on_the_device_lose_nothing(run: Run) -> None:
    def work(name: int) -> None:
        for step in range(200):
            tensor = Tensor(step)
            run.log_metrics({f"t{name}": tensor})
            if step % 2:
                tensor.copy.arrive()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    for name in range(4):
        assert [row[f"t{name}"] for _, row in rows(run) if f"t{name}" in row] == list(range(200))


def test_the_queue_s_thread_ends_itself_and_begins_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deferred = Deferred(begin=lambda tensor: tensor.copy)
    waited: list[float] = []
    condition = deferred._changed
    wait_for = condition.wait_for
    monkeypatch.setattr(condition, "wait_for", lambda test, timeout: waited.append(timeout) or wait_for(test, 0.01))
    written: list[int] = []
    for number in range(3):
        tensor = Tensor(number)
        tensor.copy.arrive()
        deferred.add([tensor.copy], lambda number=number: written.append(number))  # type: ignore[misc]
        eventually(lambda: deferred._thread is None)
    assert written == [0, 1, 2]
    assert waited
