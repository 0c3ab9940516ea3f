"""What each of the six trackers holds of a run, read from its files with another reader than the plugin's own."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import swanlab_reader
import wandb_reader
from test_three_trackers import of_csv, of_journal, of_jsonl
from trackhub_mlflow import MlflowTracker

from trackhub.checking.points import narrowed, same_number
from trackhub.delivery.mapping import Mapper

Point = tuple[str, int, float, float]
"""Key, step, value, Unix seconds."""
NAMES = "csv,jsonl,swanlab,tensorboard,mlflow,wandb"


def of_swanlab(path: Path) -> list[Point]:
    return swanlab_reader.points(path)


def of_tensorboard(path: Path) -> list[Point]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path / "tensorboard_logs"), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    return [
        (key, one.step, one.value, one.wall_time) for key in events.Tags()["scalars"] for one in events.Scalars(key)
    ]


def in_mlflow(path: Path, question: str) -> list[tuple]:
    """The answer of MLflow's store to `question` about this run."""
    run_id = json.loads((path / "delivery" / "mlflow.json").read_text())["remembered"]["run_id"]
    with closing(sqlite3.connect(path.parent / "mlflow.db")) as store:
        return store.execute(question, (run_id,)).fetchall()


def of_mlflow(path: Path) -> list[Point]:
    question = "select key, step, case when is_nan then 'nan' else value end, timestamp from metrics where run_uuid = ?"
    return [(key, step, float(value), moment / 1000) for key, step, value, moment in in_mlflow(path, question)]


def of_wandb(path: Path) -> list[Point]:
    return wandb_reader.points(path)


READERS: dict[str, Callable[[Path], list[Point]]] = {
    "csv": of_csv,
    "jsonl": of_jsonl,
    "swanlab": of_swanlab,
    "tensorboard": of_tensorboard,
    "mlflow": of_mlflow,
    "wandb": of_wandb,
}
TIME_STEPS = {"swanlab": 1e-6, "mlflow": 1e-3}


def status_of(path: Path, tracker: str) -> str | None:
    """How the run ended, as the tracker holds it; None for a table of numbers."""
    if tracker == "swanlab":
        return {1: "finished", 2: "failed", 3: "killed"}[swanlab_reader.of_kind(path, "finish")[-1].state]
    if tracker == "tensorboard":
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(path / "tensorboard_logs"), size_guidance={"tensors": 0}).Reload()
        return events.Tensors("trackhub/status")[-1].tensor_proto.string_val[0].decode()
    if tracker == "mlflow":
        return in_mlflow(path, "select status from runs where run_uuid = ?")[0][0].lower()
    if tracker == "wandb":
        return {0: "finished", 1: "failed", 255: "killed"}[wandb_reader.of_kind(path, "exit")[-1].exit_code]
    return None


def logged(path: Path, tracker: str) -> list[Point]:
    """What the tracker should hold: the journal's points, under its names and as wide as its numbers are."""
    points = of_journal(path)
    if tracker == "mlflow":
        key_of = Mapper(MlflowTracker.limits).key
        return [(key_of(key), step, abs(v) if v == 0 else v, t) for key, step, v, t in points if not math.isinf(v)]
    return [(key, step, narrowed(v, 32), t) for key, step, v, t in points] if tracker == "tensorboard" else points


def difference(path: Path, tracker: str) -> str:
    """How what a tracker holds differs from what was logged, in words; "" if it does not."""
    wanted, found = sorted(logged(path, tracker), key=_order), sorted(READERS[tracker](path), key=_order)
    if len(wanted) != len(found):
        return f"{tracker} holds {len(found)} points, and {len(wanted)} were logged"
    within = TIME_STEPS.get(tracker, 0.0)
    pairs = zip(wanted, found, strict=True)
    wrong = [f"{tracker} holds {b}, and {a} was logged" for a, b in pairs if not _same(a, b, within)]
    return "; ".join(wrong[:3])


def _order(point: Point) -> tuple[str, int, float, bool, float]:
    key, step, value, moment = point
    return key, step, round(moment, 3), value != value, value if value == value else 0.0


def _same(one: Point, other: Point, within: float) -> bool:
    return one[:2] == other[:2] and same_number(one[2], other[2]) and abs(one[3] - other[3]) <= within


def assert_each_point_once(path: Path, trackers: str = NAMES, status: str = "") -> None:
    """Every tracker holds each point that was logged exactly once, and the true status."""
    assert of_journal(path)
    for tracker in trackers.split(","):
        assert difference(path, tracker) == ""
        assert not status or status_of(path, tracker) in (None, status), tracker
