"""A run that was killed and goes on from an earlier step is still one run in each of the six trackers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from holdings import SIX, cursor, in_mlflow, own_ids, series

import trackhub
from trackhub.delivery.receipt import receipts
from trackhub.journal.params import environment
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs

pytestmark = pytest.mark.alone

TRAINING = """
import json, sys, time, trackhub
run = trackhub.start(project="resumes", name="six", trackers=sys.argv[1], config={"lr": 0.5}, tags=["t"])
for step in range(40):
    run.log_metrics({"loss": step / 8}, step=step)
    if step % 10 == 9:
        path = run.path / "checkpoints" / f"checkpoint-step-{step:03d}.ckpt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"run_id": run.id, "run_path": str(run.path), "step": step, "attempt": 1}))
        run.save_checkpoint(path, step=step)
(run.path / "final_model").mkdir()
(run.path / "final_model" / "adapter.txt").write_text("of the first attempt")
print(run.path, flush=True)
time.sleep(600)
"""


def killed_run(trackers: tuple[str, ...]) -> Path:
    """A run whose training was killed when all its trackers held all of it, supervisor included."""
    training = subprocess.Popen([sys.executable, "-c", TRAINING, ",".join(trackers)], stdout=subprocess.PIPE, text=True)
    assert training.stdout is not None
    try:
        path = Path(training.stdout.readline().strip())
        until = time.monotonic() + 90
        while any(_handed(path, tracker) < 40 for tracker in trackers):
            assert time.monotonic() < until, {tracker: _handed(path, tracker) for tracker in trackers}
            time.sleep(0.05)
    finally:
        training.kill()
        training.communicate()
    return path


def _handed(path: Path, tracker: str) -> int:
    """Events that a tracker was given; whenever it was given any, its own id is on disk already."""
    found = cursor(path, tracker)
    handed: int = found["handed"]["delivered"] if found else 0
    assert not handed or found["remembered"], f"{tracker} was given {handed} events before its id was on disk"
    return handed


def test_a_killed_run_goes_on_from_an_earlier_step_as_one_run_in_all_six_trackers(runs: Path) -> None:
    path = killed_run(SIX)
    before = {tracker: cursor(path, tracker)["remembered"] for tracker in SIX}
    checkpoint = json.loads((path / "checkpoints" / "checkpoint-step-019.ckpt").read_text())
    with trackhub.resume(checkpoint["run_path"], step=checkpoint["step"], finish_timeout=120) as run:
        assert (run.id, run.path) == (checkpoint["run_id"], path)
        for step in range(20, 50):
            run.log_metrics({"loss": 100 + step / 8})
    assert [folder.path for folder in all_runs(runs)] == [path]
    assert all(receipt.complete for receipt in receipts(RunFolder(path))), receipts(RunFolder(path))
    expected = [(step, (0 if step < 20 else 100) + step / 8) for step in range(50)]
    for tracker in SIX:
        found = series(path, tracker, "loss")
        if tracker == "mlflow":  # a row cannot be deleted there: the later value of a step stands last
            assert len(found) == 50 + 20
            found = sorted(dict(found).items())
        assert found == expected, tracker
        assert len(own_ids(path, tracker)) == 1, tracker
        for name in ("run_id", "url"):
            assert cursor(path, tracker)["remembered"].get(name) == before[tracker].get(name), tracker
    assert in_mlflow(path, "select value, step from latest_metrics where run_uuid = ?") == [(100 + 49 / 8, 49)]
    assert in_mlflow(path, "select status from runs where run_uuid = ?") == [("FINISHED",)]
    assert state(RunFolder(path)).attempt == 1


def test_what_is_later_than_the_step_is_moved_aside_and_nothing_is_overwritten() -> None:
    path = killed_run(("jsonl",))
    with trackhub.resume(path, step=19) as run:
        checkpoints = sorted(one.relative_to(path).as_posix() for one in path.glob("checkpoints/**/*") if one.is_file())
        again = path / "checkpoints" / "checkpoint-step-029.ckpt"
        again.write_text("of the second attempt")
        run.log_metrics({"loss": 0.0}, step=29)
        run.save_checkpoint(again, step=29)
    assert checkpoints == [
        "checkpoints/before-rewind-1/checkpoint-step-029.ckpt",
        "checkpoints/before-rewind-1/checkpoint-step-039.ckpt",
        "checkpoints/before-rewind-1/final_model/adapter.txt",
        "checkpoints/checkpoint-step-009.ckpt",
        "checkpoints/checkpoint-step-019.ckpt",
    ]
    assert not (path / "final_model").exists()
    with trackhub.resume(path, step=9):
        pass
    moved = path / "checkpoints" / "before-rewind-2" / "checkpoint-step-029.ckpt"
    assert moved.read_text() == "of the second attempt"
    assert json.loads((path / "checkpoints/before-rewind-1/checkpoint-step-029.ckpt").read_text())["attempt"] == 1


def test_a_checkpoint_that_the_training_was_killed_before_telling_of_is_moved_too() -> None:
    path = killed_run(("jsonl",))
    for name in ("checkpoint-step-030.ckpt", "epoch=3-step=0035.ckpt", "checkpoint-step-005.ckpt", "notes.txt"):
        (path / "checkpoints" / name).write_text("untold")
    with trackhub.resume(path, step=19):
        pass
    assert sorted(one.name for one in (path / "checkpoints").iterdir() if one.is_file()) == [
        "checkpoint-step-005.ckpt",
        "checkpoint-step-009.ckpt",
        "checkpoint-step-019.ckpt",
        "notes.txt",
    ]


def test_what_lies_outside_the_run_is_never_moved(tmp_path: Path) -> None:
    mine = tmp_path / "mine.ckpt"
    mine.write_text("mine")
    with trackhub.start(trackers="none") as run:
        run.log_metrics({"loss": 1.0}, step=30)
        run.save_checkpoint(mine, step=30)
        run.save_checkpoint(run.path / ".." / ".." / "mine.ckpt", step=30)
        run.save_checkpoint(run.path, step=30)
        run.save_checkpoint(run.path / "journal", step=30)
    with trackhub.resume(run.path, step=3) as again:
        again.log_metrics({"loss": 0.0})
    assert mine.read_text() == "mine"
    assert (run.path / "journal").is_dir()


def test_a_final_model_makes_room_also_without_checkpoints() -> None:
    with trackhub.start(trackers="none") as run:
        run.log_metrics({"loss": 1.0}, step=30)
        (run.path / "final_model").mkdir()
        (run.path / "checkpoints" / "final_model").mkdir(parents=True)
        run.save_checkpoint(run.path / "checkpoints" / "final_model", step=30)
    with trackhub.resume(run.path, step=3):
        pass
    room = run.path / "checkpoints" / "before-rewind-1"
    assert sorted(one.name for one in room.iterdir()) == ["final_model", "final_model-2"]
    assert not (run.path / "final_model").exists()


@pytest.mark.parametrize("step", [None, 39])
def test_a_resume_that_does_not_go_back_moves_nothing(step: int | None) -> None:
    path = killed_run(("jsonl",))
    with trackhub.resume(path, step=step):
        pass
    assert len(list((path / "checkpoints").iterdir())) == 4
    assert (path / "final_model" / "adapter.txt").exists()


def test_the_environment_of_a_resumed_run_is_that_of_its_latest_attempt(tmp_path: Path) -> None:
    code = "import sys, trackhub\nwith trackhub.{}: pass"
    commands = (code.format("start(trackers='none')"), code.format("resume(sys.argv[-1])"))
    subprocess.run([sys.executable, "-c", commands[0], "first"], check=True)
    (folder,) = all_runs(tmp_path / "runs")
    assert environment(folder)["argv"] == ["-c", "first"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=elsewhere, check=True)
    commit = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "m"]
    subprocess.run(commit, cwd=elsewhere, check=True)
    subprocess.run([sys.executable, "-c", commands[1], "second", str(folder.path)], check=True, cwd=elsewhere)
    found = environment(folder)
    assert found["argv"] == ["-c", "second", str(folder.path)]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=elsewhere, check=True, capture_output=True, text=True)
    assert found["git"]["commit"] == head.stdout.strip()
