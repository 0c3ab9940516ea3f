"""From `log_metrics` to a tracker and back: with a recorder, through real supervisors and couriers."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import trackhub
from trackhub.testing import recorded

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("test_trackers")]


def test_everything_logged_arrives_once_in_order_with_its_time() -> None:
    before = time.time()
    with trackhub.start(trackers="rec", name="x", config={"lr": 1e-4}) as run:
        for step in range(50):
            run.log_metrics({"a": step * 0.1, "b": math.inf if step == 7 else step}, step=step)
        (run.path / "model.ckpt").write_bytes(b"weights")
        run.save_checkpoint("model.ckpt", step=49, metrics={"val/loss": 0.3})
        run.log_message("half way", level="warning")
    after = time.time()
    calls = recorded(run.path / "recording.jsonl")
    rows = [call for call in calls if call["hook"] == "log_metrics"]
    assert [row["step"] for row in rows] == list(range(50))
    assert [row["metrics"]["a"] for row in rows] == [step * 0.1 for step in range(50)]
    assert all(before <= row["timestamp"] <= after for row in rows)
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    others = [call["hook"] for call in calls if call["hook"] != "log_metrics"]
    assert others == ["on_run_start", "log_params", "save_checkpoint", "log_message", "on_run_end"]
    assert calls[-1]["status"] == "finished"
    assert calls[-1]["summary"]["a"] == {"last": 4.9, "min": 0.0, "max": 4.9}


def test_the_receipt_counts_what_arrived() -> None:
    with trackhub.start(trackers="rec", config={"lr": 1}) as run:
        for step in range(10):
            run.log_metrics({"a": step}, step=step)
    (receipt,) = run.receipts()
    assert (receipt.logged, receipt.delivered, receipt.rejected, receipt.lag) == (11, 11, 0, 0)
    assert receipt.state == "delivered"
    assert receipt.complete


def test_the_run_folder_looks_as_designed() -> None:
    with trackhub.start(trackers="rec", name="my run/with:odd*name", config={"a": {"b": 1}}) as run:
        run.log_metrics({"a": 1})
    assert run.path.parent == Path(run.path.anchor).joinpath(*run.path.parts[1:-1])
    names = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}
    expected = {
        "config.yaml",
        "journal/rank-0.jsonl",
        "journal/supervisor.jsonl",
        "delivery/rec.json",
        "delivery/delivery.log",
    }
    assert expected <= names
    assert (run.path / "delivery/delivery.log").read_text() == ""


def test_config_yaml_holds_what_is_needed_to_run_again() -> None:
    import yaml

    with trackhub.start(trackers="rec", project="p", config={"lr": 1e-4, "lora": {"r": 16}}, tags=["t"]) as run:
        run.log_metrics({"a": 1})
    content = yaml.safe_load((run.path / "config.yaml").read_text())
    assert content["config"] == {"lr": 1e-4, "lora": {"r": 16}}
    assert content["run"]["project"] == "p"
    assert content["environment"]["packages"]["msgspec"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("boom"), "failed"),
        (KeyboardInterrupt(), "killed"),
        (SystemExit(3), "failed"),
        (SystemExit(0), "finished"),
    ],
)
def test_how_the_block_ends_is_how_the_run_ends(error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), trackhub.start(trackers="rec") as run:
        run.log_metrics({"a": 1})
        raise error
    assert recorded(run.path / "recording.jsonl", "on_run_end")[0]["status"] == status
    assert run.status == status


def test_several_runs_at_once_in_one_process_keep_apart() -> None:
    with trackhub.start(trackers="rec", name="x") as one, trackhub.start(trackers="rec", name="x") as two:
        for step in range(5):
            one.log_metrics({"a": step})
            two.log_metrics({"b": step})
    assert one.path != two.path
    assert [list(row["metrics"]) for row in recorded(one.path / "recording.jsonl", "log_metrics")] == [["a"]] * 5
    assert [list(row["metrics"]) for row in recorded(two.path / "recording.jsonl", "log_metrics")] == [["b"]] * 5


def test_no_trackers_means_the_journal_alone() -> None:
    with trackhub.start(trackers="none") as run:
        run.log_metrics({"a": 1})
    assert run.trackers == ()
    assert run.summary == {"a": {"last": 1, "min": 1, "max": 1}}


def test_system_metrics_are_rows_of_their_own_at_the_latest_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_SYSTEM_EVERY", "0.2")
    with trackhub.start(trackers="rec") as run:
        run.log_metrics({"a": 1}, step=41)
        until = time.monotonic() + 30
        sampled = run.path / "journal" / "supervisor.jsonl"
        while not (sampled.exists() and b'"system"' in sampled.read_bytes()) and time.monotonic() < until:
            time.sleep(0.1)
    rows = [row for row in recorded(run.path / "recording.jsonl", "log_metrics") if "a" not in row["metrics"]]
    assert rows
    assert {row["step"] for row in rows} == {41}
    assert any(key.startswith("system/") for row in rows for key in row["metrics"])


def test_nothing_is_measured_once_the_run_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_SYSTEM_EVERY", "0.2")
    slow = {"file": "slow.jsonl", "hook": "on_run_end", "fault": "slow", "seconds": 2.0}
    with trackhub.start(trackers={"rec": {}, "sick": slow}) as run:
        run.log_metrics({"a": 1})
    assert {receipt.tracker: (receipt.state, receipt.lag) for receipt in run.receipts()} == {
        "rec": ("delivered", 0),
        "sick": ("delivered", 0),
    }


def test_a_run_folder_that_is_deleted_meanwhile_is_told_and_ends_no_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with trackhub.start(trackers="rec") as run:
        run.log_metrics({"a": 1})
        shutil.rmtree(run.path)
        run.log_metrics({"a": 2})
    told = capsys.readouterr().err
    assert "was deleted during the run" in told
    assert "trackhub status" not in told


SLOW_END = """
import trackhub
run = trackhub.start(
    trackers={"rec": {}, "sick": {"hook": "log_metrics", "fault": "slow", "seconds": 6}}, finish_timeout=30
)
run.log_metrics({"a": 1.0}, step=0)
run.finish()
"""


def on_a_terminal(code: str) -> str:
    """What a person sees of a program on a terminal of 100 columns."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=writing, stdout=writing, env=environment)
    os.close(writing)
    seen = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any longer
        while piece := os.read(reading, 65536):
            seen += piece
    os.close(reading)
    assert process.wait() == 0
    return seen.decode()


def test_whoever_waits_at_a_terminal_sees_a_line_for_each_tracker_and_a_pipe_stays_quiet() -> None:
    lines = on_a_terminal(SLOW_END).splitlines()
    assert any("rec " in line and "100%" in line and "delivered" in line for line in lines)
    assert any("sick " in line and "  0%" in line and "delivering" in line for line in lines)
    assert lines[-1].endswith("\x1b[2K")  # and at the end they are gone
    piped = subprocess.run([sys.executable, "-c", SLOW_END], capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == ("", "")
