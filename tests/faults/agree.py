"""Whether trackers that keep files hold what the journal says: every key, step, value and time, once and in order."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from trackhub.events import Metrics
from trackhub.journal import read
from trackhub.layout import RunFolder

Point = tuple[int, float, float]
READ_BACK = """
import json, sys
from trackhub import making, registry
from trackhub.delivery import cursor as cursors
from trackhub.delivery.context import RunContext
from trackhub.delivery.facade import Tracker
from trackhub.layout import RunFolder
folder, name = RunFolder(sys.argv[1]), sys.argv[2]
cursor = cursors.load(folder.cursor(name), name)
tracker = Tracker(name, making.make(name, registry.load(name), {}))
tracker.on_run_start(RunContext(folder, cursor), cursor.state)
print(json.dumps({key: tracker.read_back(key) for key in sys.argv[3:]}))
"""


def rows_of(folder: RunFolder) -> list[Metrics]:
    """The rows that count."""
    return [event for event in read(folder) if isinstance(event, Metrics)]


def points_of(rows: list[Metrics]) -> dict[str, list[Point]]:
    points = [(key, (row.step, value, row.t)) for row in rows for key, value in row.metrics.items()]
    ordered = sorted(points, key=lambda point: point[0])
    return {key: [point for _, point in some] for key, some in groupby(ordered, key=lambda point: point[0])}


def of_csv(path: Path, keys: list[str]) -> dict[str, list[Point]]:
    with (path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: [(int(r["step"]), float(r[key]), float(r["timestamp"])) for r in rows if r[key]] for key in keys}


def of_jsonl(path: Path, keys: list[str]) -> dict[str, list[Point]]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {key: [(row["step"], row[key], row["timestamp"]) for row in rows if key in row] for key in keys}


def read_back(name: str) -> Callable[[Path, list[str]], dict[str, list[Point]]]:
    """What a tracker with an SDK holds, read in a process that may load it."""

    def read_it(path: Path, keys: list[str]) -> dict[str, list[Point]]:
        shown = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", READ_BACK, str(path), name, *keys],
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stderr
        return {key: [tuple(one) for one in some] for key, some in json.loads(shown.stdout.splitlines()[-1]).items()}

    return read_it


READERS = {"csv": of_csv, "jsonl": of_jsonl}


def assert_equal(folder: RunFolder, *names: str) -> None:
    """Each of these trackers holds exactly the points of the journal; TensorBoard's have 32 bits."""
    wanted = points_of(rows_of(folder))
    assert wanted
    for name in names:
        found = READERS.get(name, read_back(name))(folder.path, list(wanted))
        for key, points in wanted.items():
            exact = 1e-6 if name == "tensorboard" else 0.0
            assert [point[0] for point in found[key]] == [point[0] for point in points], (name, key)
            for (_, value, moment), (_, stored, at) in zip(points, found[key], strict=True):
                assert abs(stored - value) <= exact * abs(value)
                assert abs(at - moment) < 1e-5
