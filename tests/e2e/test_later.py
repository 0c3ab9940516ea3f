"""Later and elsewhere: many runs synced, what trackers hold compared with the journal, folders that moved."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from holdings import cursor

import trackhub
from tests.unit.test_sync import content
from trackhub import Run
from trackhub.delivery.receipt import receipts
from trackhub.layout import RunFolder, all_runs
from trackhub.testing import SomeJournal
from trackhub.testing.processes import MARK, marked

pytestmark = pytest.mark.alone

FILES = ("csv", "jsonl", "tensorboard", "swanlab")
SIX = (*FILES, "mlflow", "wandb")
VALUES = [0.1, -0.0, 1e308, 5e-324, math.nan, math.inf, -math.inf, 2**53, 3, 1 / 3]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trackhub", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def verified(path: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """(exit code, what was found by tracker)."""
    done = command("status", path, "--verify", "--json", *arguments)
    assert "Traceback" not in done.stderr
    return done.returncode, {one["tracker"]: one for one in json.loads(done.stdout)["verified"]}


def some_run(trackers: str, steps: int = 60) -> Run:
    with trackhub.start(trackers=trackers, config={"lr": 1e-4, "lora": {"r": 16}}, finish_timeout=120) as run:
        for step in range(steps):
            run.log_metrics({"train/loss": VALUES[step % len(VALUES)], "odd key\x01": step * 0.1}, step=step)
            if step % 20 == 19:
                run.log_metrics({"val/loss": 1 / (step + 1)}, step=step)
        run.log_message("all is well")
    return run


def test_six_trackers_hold_what_the_journal_says_and_asking_changes_not_a_byte(runs: Path) -> None:
    run = some_run(",".join(SIX))
    assert all(receipt.complete for receipt in run.receipts()), run.receipts()
    before = content(runs)
    code, found = verified(run.path)
    assert code == 0, found
    assert set(found) == set(SIX)
    points = 60 * 2 + 3
    for tracker, one in found.items():
        lost = 12 if tracker == "mlflow" else 0  # infinities, which it does not store
        assert (one["keys"], one["expected"], one["found"]) == (3, points - lost, points - lost), tracker
        assert (one["missing"], one["extra"], one["different"], one["problem"]) == (0, 0, 0, ""), tracker
    assert content(runs) == before


def spoil_csv(run: Path) -> None:
    text = (run / "metrics.csv").read_text().splitlines(keepends=True)
    (run / "metrics.csv").write_text("".join([*text[:5], text[5].replace("0.4", "7.7"), *text[6:]]))


def spoil_mlflow(run: Path) -> None:
    with sqlite3.connect(run.parent / "mlflow.db") as database:
        database.execute("DELETE FROM metrics WHERE step = 5")
        database.execute("UPDATE metrics SET value = 99 WHERE step = 9 AND key = 'train/loss'")
        database.execute(
            "INSERT INTO metrics SELECT key, 77, timestamp + 1, run_uuid, step, is_nan FROM metrics LIMIT 1"
        )
    database.close()


def spoil_tensorboard(run: Path) -> None:
    (file,) = (run / "tensorboard_logs").iterdir()
    file.write_bytes(file.read_bytes()[:-200])


def spoil_swanlab(run: Path) -> None:
    shutil.rmtree(next((run / "swanlab_logs").glob("run-*")))


def spoil_wandb(run: Path) -> None:
    shutil.rmtree(next((run / "wandb_logs" / "wandb").glob("offline-run-*")))


SPOILS = {
    "csv": spoil_csv,
    "jsonl": lambda run: (run / "metrics.jsonl").unlink(),
    "mlflow": spoil_mlflow,
    "tensorboard": spoil_tensorboard,
    "swanlab": spoil_swanlab,
    "wandb": spoil_wandb,
}


@pytest.mark.parametrize("tracker", SIX)
def test_what_was_changed_or_lost_is_found_left_alone_and_mended_by_the_command(tracker: str, runs: Path) -> None:
    run = some_run(tracker, steps=30)
    SPOILS[tracker](run.path)
    before = content(runs)
    code, found = verified(run.path)
    assert code == 1
    one = found[tracker]
    assert one["problem"] or one["missing"] + one["different"] + one["extra"], one
    assert content(runs) == before
    if tracker == "mlflow":
        assert (one["missing"], one["extra"], one["different"]) == (1, 1, 1)
        return  # what somebody put there cannot be taken away: a row cannot be deleted there
    shell = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(one["mends"], shell=True, check=True, env={**os.environ, "PATH": shell}, capture_output=True)
    assert verified(run.path)[0] == 0


@pytest.mark.usefixtures("test_trackers")
def test_a_tracker_that_cannot_be_asked_is_named_and_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from trackhub.plugin import hookimpl\n"
        "class Mute:\n"
        "    @hookimpl\n"
        "    def log_metrics(self, metrics, step): ...\n"
    )
    with trackhub.start(trackers=["rec", f"{file}:Mute"]) as run:
        run.log_metrics({"a": 1.5}, step=3)
    before = content(run.path)
    code, found = verified(run.path)
    assert code == 0, found
    assert found["mute"]["cannot"] == "it has no read_back"
    assert (found["rec"]["expected"], found["rec"]["found"]) == (1, 1)
    assert content(run.path) == before
    assert "cannot be asked" in command("status", run.path, "--verify").stdout


HANGS = """
import os, time
from trackhub.plugin import hookimpl
class Hangs:
    @hookimpl
    def log_metrics(self, metrics, step): ...
    @hookimpl
    def read_back(self, key):
        {what}
"""


@pytest.mark.parametrize(
    ("what", "words"),
    [("os._exit(3)", "exit code 3"), ("raise ValueError('no')", "ValueError: no"), ("import os; os.abort()", "-6")],
)
def test_a_plugin_that_breaks_while_it_is_asked_is_told_and_the_others_are_asked(
    what: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    (tmp_path / "bad.py").write_text(HANGS.format(what=what))
    with trackhub.start(trackers=["csv", f"{tmp_path}/bad.py:Hangs"]) as run:
        run.log_metrics({"a": 1.5}, step=3)
    code, found = verified(run.path)
    assert code == 1
    assert words in found["hangs"]["problem"]
    assert list(scratch.iterdir()) == []
    assert found["csv"]["found"] == 1


def test_ctrl_c_while_a_tracker_hangs_leaves_no_process_and_no_copy(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(HANGS.format(what="time.sleep(1000)"))
    with trackhub.start(trackers=[f"{tmp_path}/bad.py:Hangs"]) as run:
        run.log_metrics({"a": 1.5}, step=3)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    asking = subprocess.Popen(
        [sys.executable, "-m", "trackhub", "status", str(run.path), "--verify"],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: any(scratch.glob("trackhub-*/*")))
    asking.send_signal(signal.SIGINT)
    assert "stopped" in asking.communicate(timeout=20)[1]
    assert asking.returncode == 130
    assert list(scratch.iterdir()) == []


def wait_for(happens: Any, within: float = 30.0) -> None:
    until = time.monotonic() + within
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_verify_is_refused_while_a_delivery_is_under_way() -> None:
    with trackhub.start(trackers="csv") as run:
        run.log_metrics({"a": 1.0})
        done = command("status", run.path, "--verify")
        assert done.returncode == 1
        assert "a delivery of" in done.stderr
        assert f"trackhub sync {run.path}" in done.stderr
    assert verified(run.path)[0] == 0


def test_a_tracker_that_was_not_delivered_to_lacks_everything_and_is_not_opened() -> None:
    with trackhub.start(trackers="csv,swanlab", delivery="later") as run:
        for step in range(10):
            run.log_metrics({"a": step}, step=step)
    wait_for(lambda: not any(marked(os.environ[MARK])))
    before = content(run.path)
    code, found = verified(run.path)
    assert code == 1
    assert [(one["expected"], one["found"], one["missing"]) for one in found.values()] == [(10, 0, 10)] * 2
    assert found["csv"]["note"] == "nothing was delivered yet"
    assert content(run.path) == before


def test_rejected_rows_resumes_and_ranks_are_heeded() -> None:
    with trackhub.start(trackers=",".join(SIX), finish_timeout=120) as run:
        for step in range(20):
            run.log_metrics({"a": step}, step=step)
        run.log_metrics({"a": 1.0}, step=-3)  # SwanLab takes none
        run.log_metrics({"a": 2.0}, step=19)  # a step that repeats
        other = Run.join(str(run.path), rank=1)
        other.log_metrics({"gpu": 0.5}, step=4)
        other.finish()
    with trackhub.resume(run.path, step=9, finish_timeout=120) as again:
        for step in range(10, 15):
            again.log_metrics({"a": -step}, step=step)
    code, found = verified(run.path)
    assert code == 0, found
    assert {one["keys"] for one in found.values()} == {2}
    assert found["csv"]["expected"] == 10 + 1 + 1 + 5
    assert found["swanlab"]["expected"] == 10 + 1 + 5
    assert found["mlflow"]["found"] > found["mlflow"]["expected"]  # what the rewind took back stays there


TRAINING = """
import sys, time, trackhub
run = trackhub.start(trackers=sys.argv[1], name=sys.argv[2], config={"lr": 1e-4})
print("started", flush=True)
for step in range(10_000_000):
    run.log_metrics({"a": step * 0.1, "b": float("nan") if step % 7 == 0 else step}, step=step)
    time.sleep(0.001)
"""


def test_a_half_delivered_run_is_copied_the_original_deleted_and_the_copy_synced(runs: Path, tmp_path: Path) -> None:
    training = subprocess.Popen([sys.executable, "-c", TRAINING, ",".join(FILES), "half"], stdout=subprocess.PIPE)
    assert training.stdout is not None
    assert training.stdout.readline() == b"started\n"
    wait_for(lambda: delivered(runs) > 500)
    for process in marked(os.environ[MARK]):
        process.kill()
    training.communicate()
    (original,) = all_runs(runs)
    logged = original.rank_journal(0).read_bytes().count(b'"kind":"metrics"')
    assert delivered(runs) < 4 * logged
    moved = RunFolder(tmp_path / "another" / "place" / original.path.name)
    shutil.copytree(original.path, moved.path)
    shutil.rmtree(runs)
    assert command("sync", moved.path).returncode == 0
    code, found = verified(moved.path)
    assert code == 0, found
    assert {one["expected"] for one in found.values()} == {2 * logged}
    assert all(str(runs) not in path.read_text() for path in moved.delivery.glob("*.json"))
    assert not runs.exists()


def delivered(runs: Path) -> int:
    return sum(receipt.delivered for folder in all_runs(runs) for receipt in receipts(folder))


def test_ctrl_c_ends_a_sync_of_many_runs_and_another_one_finishes_it(runs: Path) -> None:
    folders = []
    for number in range(4):
        journal = SomeJournal(runs / f"run-{number}", trackers=("csv", "tensorboard"))
        for step in range(20_000):
            journal.row({f"m/{key}": step * 0.1 + key for key in range(5)}, step)
        journal.end()
        folders.append(journal.folder)
    syncing = subprocess.Popen(
        [sys.executable, "-m", "trackhub", "sync", "--jobs", "2"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # A look at the files, since receipts count the journal: by then a fast machine has delivered all of it.
    wait_for(lambda: any(cursor(folder.path, "csv").get("safe", {}).get("delivered", 0) for folder in folders))
    busy = [process.cmdline()[-1] for process in marked(os.environ[MARK]) if "courier_main" in str(process.cmdline())]
    syncing.send_signal(signal.SIGINT)
    out, err = syncing.communicate(timeout=30)
    assert syncing.returncode == 130
    assert len(busy) <= 4
    assert "stopping" in err
    assert out == ""
    wait_for(lambda: not marked(os.environ[MARK]), within=1)
    assert 0 < delivered(runs) < 4 * 2 * 20_000
    assert command("sync", "--jobs", "2").returncode == 0
    for folder in folders:
        code, found = verified(folder.path)
        assert (code, [one["found"] for one in found.values()]) == (0, [100_000] * 2)


def test_two_ctrl_c_end_a_sync_at_once_although_a_tracker_hangs(tmp_path: Path, runs: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import time\nfrom trackhub.plugin import hookimpl\nclass Hangs:\n    @hookimpl\n"
        "    def log_metrics(self, metrics, step):\n        time.sleep(1000)\n"
    )
    journal = SomeJournal(runs / "run")
    journal.row({"a": 1.0}, 0)
    journal.end()
    syncing = subprocess.Popen(
        [sys.executable, "-m", "trackhub", "sync", "run", "--to", f"{bad}:Hangs"], stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: any(path.stat().st_size for path in (runs / "run" / "delivery").glob("*.json")))
    syncing.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert syncing.poll() is None
    syncing.send_signal(signal.SIGINT)
    begin = time.monotonic()
    syncing.communicate(timeout=20)
    assert syncing.returncode == 130
    assert time.monotonic() - begin < 3


def test_a_million_points_are_compared_in_little_memory(runs: Path) -> None:
    import psutil

    journal = SomeJournal(runs / "run", trackers=("jsonl",))
    for step in range(500_000):
        journal.row({"a": step * 0.1, "b": step}, step)
    journal.end()
    assert command("sync", "run").returncode == 0
    asking = subprocess.Popen(
        [sys.executable, "-m", "trackhub", "status", "run", "--verify", "--json"], stdout=subprocess.PIPE
    )
    peak = 0
    while asking.poll() is None:
        for process in marked(os.environ[MARK]):
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.Error:
                continue
        time.sleep(0.05)
    (found,) = json.loads(asking.communicate()[0])["verified"]
    assert (asking.returncode, found["found"], found["expected"]) == (0, 1_000_000, 1_000_000)
    assert peak < 500_000_000
