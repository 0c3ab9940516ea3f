"""What the tests of csv, jsonl and tensorboard share: readers of their files, and a courier that dies on request.

As a script it kills a delivery before each line of plugin code in turn, and checks what the next courier makes of it.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from trackhub_csv import CsvTracker
from trackhub_jsonl import JsonlTracker
from trackhub_tensorboard import TensorboardTracker

from trackhub.plugin import Rebuild, Row
from trackhub.testing import SomeRun, open_tracker

Point = tuple[str, int, str, str]
"""Key, step, and the exact texts of value and timestamp."""

TRACKERS: dict[str, type] = {"csv": CsvTracker, "jsonl": JsonlTracker, "tensorboard": TensorboardTracker}
EXACT = ["csv", "jsonl"]
"""Trackers whose files hold every digit of a value."""
FILES = {
    "csv": "metrics.csv",
    "jsonl": "metrics.jsonl",
    "tensorboard": "tensorboard_logs/events.out.tfevents.1767225600.trackhub.0123456789abcdef.000",
}
"""Where `SomeRun` has its points."""
START = 1_767_225_601.123456
NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
csv.field_size_limit(1 << 24)


def points_of(rows: list[Row]) -> list[Point]:
    """Every point of `rows`, as `stored` gives them: sorted within each row."""
    return [point for row in rows for point in _points(row.step, repr(row.timestamp), row.metrics.items())]


def _points(step: int, timestamp: str, cells: Iterable[tuple[str, Any]]) -> list[Point]:
    texts = ((key, value if isinstance(value, str) else repr(value)) for key, value in cells)
    return sorted((key, step, NAMES.get(text, text), timestamp) for key, text in texts)


def stored(path: Path) -> list[Point]:
    """Every point of a file: read with the standard library, an event file with TensorBoard's own reader."""
    if "tfevents" in path.name:
        return _stored_events(path)
    return _stored_csv(path) if path.suffix == ".csv" else _stored_jsonl(path)


def _stored_csv(path: Path) -> list[Point]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert not any(None in row or None in row.values() for row in rows), "a row is longer or shorter than the header"
    return [point for row in rows for point in _points(int(row.pop("step")), row.pop("timestamp"), _cells(row))]


def _stored_jsonl(path: Path) -> list[Point]:
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [point for row in rows for point in _points(row.pop("step"), repr(row.pop("timestamp")), _cells(row))]


def _stored_events(path: Path) -> list[Point]:
    """By time; the rows of `some_rows` have increasing ones."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    points = [(key, point) for key in events.Tags()["scalars"] for point in events.Scalars(key)]
    points.sort(key=lambda pair: (pair[1].wall_time, pair[0]))
    return [(key, point.step, repr(point.value), repr(point.wall_time)) for key, point in points]


def _cells(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(_key(name), value) for name, value in row.items() if value != ""]


def _key(name: str) -> str:
    return name.removeprefix("metric.") if name in ("metric.step", "metric.timestamp", "metric.metric.step") else name


def some_rows(count: int, first: int = 0) -> list[Row]:
    """Rows whose columns keep coming late: a new one every five rows, and a step of system metrics now and then.

    Their values are exact in 32 bits, which is what TensorBoard keeps.
    """
    return [_some_row(number) for number in range(first, first + count)]


def _some_row(number: int) -> Row:
    metrics: dict[str, float] = {"loss": number / 8, f"late,{number // 5}": float(number)}
    source = "system" if number % 6 == 5 else ""
    return Row({"system/cpu": 0.5} if source else metrics, number, START + number / 3, number + 1, source)


class StoredRun(SomeRun):
    """A run whose facts are on disk at once, as a courier's are."""

    def remember(self, **facts: Any) -> None:
        self.remembered.update(facts)
        cursor = load(self.path)
        store(self.path, {**cursor, "remembered": self.remembered})


def load(folder: Path) -> dict[str, Any]:
    """The cursor of the courier in small."""
    path = folder.with_suffix(".cursor")
    content: dict[str, Any] = (
        json.loads(path.read_text()) if path.exists() else {"done": 0, "state": None, "remembered": {}}
    )
    return content


def store(folder: Path, cursor: dict[str, Any]) -> None:
    """Put the cursor on disk in one step."""
    new = folder.with_suffix(".new")
    new.write_text(json.dumps(cursor))
    new.replace(folder.with_suffix(".cursor"))


def deliver(tracker: str, folder: Path, rows: list[Row], batch: int = 4, end: bool = True) -> None:
    """Deliver `rows` from the stored cursor on, as a courier does."""
    cursor = load(folder)
    run = StoredRun(folder, remembered=cursor["remembered"])
    try:
        opened = open_tracker(TRACKERS[tracker], run, cursor["state"])
    except Rebuild:
        store(folder, {**load(folder), "done": 0, "state": None})
        deliver(tracker, folder, rows, batch, end)
        return
    done = cursor["done"]

    def flush() -> None:
        sealed, state = opened.flush()
        if sealed:
            store(folder, {"done": done, "state": state, "remembered": run.remembered})

    flush()
    if not done and opened.has("log_params"):
        opened.log_params({"lr": 0.1})
    while done < len(rows):
        opened.log_rows(rows[done : done + batch])
        done = min(done + batch, len(rows))
        if done % 3:
            flush()
    if end:
        opened.on_run_end("finished", {})
    flush()


def killer(line: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that ends the process before the given line of plugin code is run."""
    left = line

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if event == "call" and not any(name in frame.f_code.co_filename for name in ("trackhub_", "appendfile")):
            return None
        left -= event == "line"
        if left < 0:
            os._exit(9)
        return trace

    return trace


def forked(action: Callable[[], None]) -> int:
    """The exit code of `action` in a forked process."""
    if not (pid := os.fork()):
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_everywhere(tracker: str, base: Path, every: int) -> int:
    """Kill a delivery, and the one after it, before each `every`-th line. Returns how often; fails on a wrong point."""
    rows = some_rows(24)
    expected = points_of(rows)
    files = {FILES[tracker], "config.json"} if tracker == "csv" else {FILES[tracker]}
    for times, line in enumerate(range(0, 1_000_000, every)):
        folder = base / f"{tracker}-{line}"
        folder.mkdir()

        def killed(folder: Path = folder, line: int = line) -> None:
            sys.settrace(killer(line))
            deliver(tracker, folder, rows)

        code = forked(killed)
        if code:
            forked(killed)
        deliver(tracker, folder, rows)
        assert stored(folder / FILES[tracker]) == expected, f"killed before line {line}"
        left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert left == files, f"killed before line {line}: {left}"
        if not code:
            return times
    raise AssertionError("no end")


if __name__ == "__main__":
    os.fsync = lambda _descriptor: None  # a killed process needs none
    print(killed_everywhere(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
