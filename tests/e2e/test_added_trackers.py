"""A tracker that a run was given later is its own from then on: interrupted, resumed or gone back, it is not lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from agreement import assert_each_point_once

import trackhub
from trackhub.delivery.receipt import receipts
from trackhub.journal.state import state
from trackhub.layout import RunFolder, find_run


def started(rows: int = 30, trackers: str = "csv") -> Path:
    with trackhub.start(trackers=trackers, name="own") as run:
        for step in range(rows):
            run.log_metrics({"a": step * 0.5}, step=step)
    return run.path


def sync(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trackhub", "sync", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_interrupted_sync_to_a_new_tracker_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    path = started()
    monkeypatch.setenv("TRACKHUB_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert sync(path, "--to", "mlflow", "--timeout", "4").returncode == 1
    assert state(RunFolder(path)).trackers == ("csv", "mlflow")
    monkeypatch.delenv("TRACKHUB_MLFLOW_TRACKING_URI")
    left = sync("--tracker-opt", "mlflow.tracking_uri=")
    assert left.returncode == 0, left.stdout + left.stderr
    assert "mlflow" in left.stdout
    assert_each_point_once(path, "csv", "mlflow", status="finished")


def test_a_resumed_run_has_it_and_what_it_took_back_is_gone() -> None:
    path = started()
    assert sync(path, "--to", "tensorboard,jsonl").returncode == 0
    with trackhub.resume(path, step=9) as run:
        run.log_metrics({"a": -1.0}, step=10)
    assert run.trackers == ("csv", "tensorboard", "jsonl")
    assert_each_point_once(path, "csv", "tensorboard", "jsonl", status="finished")


def test_a_rewind_without_a_row_after_it_reaches_it_too() -> None:
    path = started()
    assert sync(path, "--to", "tensorboard").returncode == 0
    trackhub.resume(path, step=5, trackers="csv").finish()
    (receipt,) = receipts(RunFolder(path), ("tensorboard",))
    assert not receipt.complete
    assert sync(path, "--to", "tensorboard").returncode == 0
    assert_each_point_once(path, "csv", "tensorboard")


def test_an_option_that_was_wrong_is_taken_back() -> None:
    run = trackhub.start(trackers={"jsonl": {"nope": "x"}}, finish_timeout=30)
    run.log_metrics({"a": 1.0})
    run.finish()
    assert "no option 'nope'" in receipts(RunFolder(run.path))[0].reason
    assert sync(run.path).returncode == 1
    assert sync(run.path, "--tracker-opt", "jsonl.nope=").returncode == 0
    assert_each_point_once(run.path, "jsonl")


def test_a_wrong_option_is_told_while_the_training_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run = trackhub.start(trackers={"jsonl": {"nope": "x"}}, finish_timeout=30)
    run.log_metrics({"a": 1.0})
    run.finish()
    told = capsys.readouterr().err
    assert told.count("jsonl is parked: tracker 'jsonl' has no option 'nope'") == 1


def test_a_run_is_found_by_the_name_that_it_was_started_with() -> None:
    path = started(3)
    assert find_run("own").path == path
    started(3)
    with pytest.raises(trackhub.ConfigError, match="2 runs under"):
        find_run("own")


def test_of_two_checkpoints_of_one_name_the_newer_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.ckpt").write_bytes(b"old")
    os.utime(tmp_path / "model.ckpt", (1, 1))
    with trackhub.start(trackers="none") as run:
        (run.path / "model.ckpt").write_bytes(b"new weights")
        run.save_checkpoint("model.ckpt", step=1)
    assert b'"path":"model.ckpt"' in (run.path / "journal" / "rank-0.jsonl").read_bytes()
