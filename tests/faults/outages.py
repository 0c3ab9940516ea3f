"""A training through an outage of its MLflow server, and what the server's database has to hold afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mlflow_server import client, stored

import trackhub
from trackhub import Run
from trackhub.journal import read

KEYS = [f"key{number}" for number in range(10)]


def start(uri: str, **options: object) -> Run:
    """A run with MLflow alone, whose end waits for nothing: the deliveries go on in the background."""
    return trackhub.start(trackers={"mlflow": {"tracking_uri": uri, **options}}, name="outage", finish_timeout=0)


def log(run: Run, steps: range) -> None:
    """A row of ten values for each step."""
    for step in steps:
        run.log_metrics({key: step + number / 7 for number, key in enumerate(KEYS)}, step=step)


def wait_for(run: Run, *states: str, within: float = 60.0) -> str:
    """Wait until the only tracker is in one of these states; returns the reason."""
    until = time.monotonic() + within
    while (receipt := run.receipts()[0]).state not in states and time.monotonic() < until:
        time.sleep(0.2)
    assert receipt.state in states, receipt
    return receipt.reason


def assert_arrived(run: Run, database: Path, uri: str, status: str) -> None:
    """Each point of the journal is there once, in order, with its own time; and the run has its true status."""
    run_id = json.loads((run.path / "delivery" / "mlflow.json").read_text())["remembered"]["run_id"]
    rows = [event for event in read(run.path) if type(event).__name__ == "Metrics"]
    for number, key in enumerate(KEYS):
        wanted = [(key, row.step, row.step + number / 7, round(row.t * 1000)) for row in rows]
        assert stored(database, run_id, key) == wanted
    info = client(uri).get_run(run_id).info
    assert (info.status, info.run_name) == (status, run.name)
    assert abs(info.end_time / 1000 - rows[-1].t) < 5
    (receipt,) = run.receipts()
    assert receipt.complete
    assert receipt.delivered >= len(rows)
