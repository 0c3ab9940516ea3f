"""What each of the six trackers stored of a run, read without our plugins: files, sqlite, and the SDKs' readers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from test_three_trackers import of_csv, of_jsonl

from tests.plugins import swanlab_reader, wandb_reader

Point = tuple[str, int, float, float]
"""Key, step, value, and Unix seconds."""
SIX = ("csv", "jsonl", "tensorboard", "swanlab", "mlflow", "wandb")


def _of_tensorboard(run: Path) -> list[Point]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard_logs"), size_guidance={"scalars": 0}).Reload()
    return [
        (key, one.step, one.value, one.wall_time) for key in events.Tags()["scalars"] for one in events.Scalars(key)
    ]


def _of_mlflow(run: Path) -> list[Point]:
    """In MLflow's own order: by time."""
    rows = asked(run, "select key, step, value, timestamp from metrics where run_uuid = ? order by timestamp, step")
    return [(key, step, value, timestamp / 1000) for key, step, value, timestamp in rows]


READERS: dict[str, Callable[[Path], list[Point]]] = {
    "csv": of_csv,
    "jsonl": of_jsonl,
    "tensorboard": _of_tensorboard,
    "swanlab": swanlab_reader.points,
    "mlflow": _of_mlflow,
    "wandb": wandb_reader.points,
}


def stored(run: Path, tracker: str) -> list[Point]:
    """Every point that a tracker holds of a run."""
    return READERS[tracker](run)


def series(run: Path, tracker: str, key: str) -> list[tuple[int, float]]:
    """(step, value) of one metric, by step; of one step in the order of time."""
    points = sorted((step, at, value) for name, step, value, at in stored(run, tracker) if name == key)
    return [(step, value) for step, _, value in points]


def cursor(run: Path, tracker: str) -> dict[str, Any]:
    """What is on disk of a courier; {} before it has opened its tracker."""
    try:
        content: dict[str, Any] = json.loads((run / "delivery" / f"{tracker}.json").read_bytes())
    except FileNotFoundError:
        return {}
    return content


def asked(run: Path, question: str) -> list[tuple[Any, ...]]:
    """The rows of MLflow's database that answer `question` of the run."""
    run_id = cursor(run, "mlflow")["remembered"]["run_id"]
    with closing(sqlite3.connect(run.parent / "mlflow.db")) as store:
        return store.execute(question, (run_id,)).fetchall()


def own_ids(run: Path, tracker: str) -> list[str]:
    """The ids of the runs that a tracker holds for this one: there is to be exactly one."""
    if tracker == "mlflow":
        with closing(sqlite3.connect(run.parent / "mlflow.db")) as store:
            return [run_id for (run_id,) in store.execute("select run_uuid from runs")]
    if tracker == "swanlab":
        return sorted({one.id for one in swanlab_reader.of_kind(run, "start")})
    if tracker == "wandb":
        return sorted({one.run_id for one in wandb_reader.of_kind(run, "run")})
    return [str(cursor(run, tracker)["run_id"])]
