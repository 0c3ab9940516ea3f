"""What each of the six trackers holds of a run, read from its files with another reader than the plugin's own."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import swanlab_reader
import wandb_reader

Point = tuple[str, int, float, float]
"""Key, step, value, Unix seconds."""


def _of_csv(path: Path) -> list[Point]:
    with (path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(
        (key, int(row["step"]), float(value), float(row["timestamp"]))
        for row in rows
        for key, value in row.items()
        if value and key not in ("step", "timestamp")
    )


def _of_jsonl(path: Path) -> list[Point]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return sorted(
        (key, row["step"], float(value), row["timestamp"])
        for row in rows
        for key, value in row.items()
        if key not in ("step", "timestamp")
    )


def _of_tensorboard(path: Path) -> list[Point]:
    events = _tensorboard(path)
    return [
        (key, one.step, one.value, one.wall_time) for key in events.Tags()["scalars"] for one in events.Scalars(key)
    ]


def _tensorboard(path: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(path / "tensorboard_logs"), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def _of_mlflow(path: Path) -> list[Point]:
    """In MLflow's own order: by time."""
    question = (
        "select key, step, case when is_nan then 'nan' else value end, timestamp from metrics where run_uuid = ? "
        "order by timestamp, step"
    )
    return [(key, step, float(value), moment / 1000) for key, step, value, moment in in_mlflow(path, question)]


READERS: dict[str, Callable[[Path], list[Point]]] = {
    "csv": _of_csv,
    "jsonl": _of_jsonl,
    "swanlab": swanlab_reader.points,
    "tensorboard": _of_tensorboard,
    "mlflow": _of_mlflow,
    "wandb": wandb_reader.points,
}
SIX = tuple(READERS)


def points(path: Path, tracker: str) -> list[Point]:
    """Every point that a tracker holds of a run."""
    return READERS[tracker](path)


def series(path: Path, tracker: str, key: str) -> list[tuple[int, float]]:
    """(step, value) of one metric, by step; of one step in the order of time."""
    found = sorted((step, at, value) for name, step, value, at in points(path, tracker) if name == key)
    return [(step, value) for step, _, value in found]


def status_of(path: Path, tracker: str) -> str | None:
    """How the run ended, as the tracker holds it; None for a table of numbers."""
    if tracker == "swanlab":
        return {1: "finished", 2: "failed", 3: "killed"}[swanlab_reader.of_kind(path, "finish")[-1].state]
    if tracker == "tensorboard":
        return _tensorboard(path).Tensors("trackhub/status")[-1].tensor_proto.string_val[0].decode()
    if tracker == "mlflow":
        return in_mlflow(path, "select status from runs where run_uuid = ?")[0][0].lower()
    if tracker == "wandb":
        return {0: "finished", 1: "failed", 255: "killed"}[wandb_reader.of_kind(path, "exit")[-1].exit_code]
    return None


def cursor(path: Path, tracker: str) -> dict[str, Any]:
    """What is on disk of a courier; {} before it has opened its tracker."""
    try:
        content: dict[str, Any] = json.loads((path / "delivery" / f"{tracker}.json").read_bytes())
    except FileNotFoundError:
        return {}
    return content


def in_mlflow(path: Path, question: str) -> list[tuple[Any, ...]]:
    """The answer of MLflow's store to `question` about this run."""
    run_id = cursor(path, "mlflow")["remembered"]["run_id"]
    with closing(sqlite3.connect(path.parent / "mlflow.db")) as store:
        return store.execute(question, (run_id,)).fetchall()


def own_ids(path: Path, tracker: str) -> list[str]:
    """The ids of the runs that a tracker holds for this one: there is to be exactly one."""
    if tracker == "mlflow":
        with closing(sqlite3.connect(path.parent / "mlflow.db")) as store:
            return [run_id for (run_id,) in store.execute("select run_uuid from runs")]
    if tracker == "swanlab":
        return sorted({one.id for one in swanlab_reader.of_kind(path, "start")})
    if tracker == "wandb":
        return sorted({one.run_id for one in wandb_reader.of_kind(path, "run")})
    return [str(cursor(path, tracker)["run_id"])]
