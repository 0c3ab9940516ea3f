"""Trackers without a distribution: a class in a file, one beside the script, an object of the process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import trackhub
from trackhub import ConfigError, local
from trackhub.delivery.sync import sync
from trackhub.delivery.verdict import check_trackers
from trackhub.layout import RunFolder, all_runs
from trackhub.plugin import Retry, hookimpl
from trackhub.settings import select

MODULE = """
from helper_beside import ending
from trackhub.plugin import hookimpl
class InHouseTracker:
    @hookimpl
    def on_run_start(self, run, state):
        self.path = run.path / f"in-house{ending}"
    @hookimpl
    def log_metrics(self, metrics, step):
        with self.path.open("a") as file:
            print(step, *metrics.values(), file=file)
class Other:
    pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A module with a tracker, and a module beside it that it needs."""
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "helper_beside.py").write_text("ending = '.txt'\n")
    path = folder / "my_trackers.py"
    path.write_text(MODULE)
    return path


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("InHouseTracker", "in-house"),
        ("CSVTracker", "csv"),
        ("Tracker", "tracker"),
        ("My_Own", "my-own"),
        ("HTTPPost2Tracker", "http-post2"),
        ("_Mine", "mine"),
    ],
)
def test_the_name_of_a_tracker_comes_from_its_class(name: str, of: str) -> None:
    assert local.tracker_name(name) == of


def test_a_class_in_a_file_is_a_tracker(file: Path) -> None:
    with trackhub.start(trackers=f"csv,{file}:InHouseTracker") as run:
        run.log_metrics({"a": 1.5}, step=3)
    assert run.trackers == ("csv", "in-house")
    assert all(receipt.complete for receipt in run.receipts())
    assert (run.path / "in-house.txt").read_text() == "3 1.5\n"


def test_sync_and_resume_find_it_again(file: Path) -> None:
    run = trackhub.start(trackers=f"{file}:InHouseTracker", delivery="later")
    run.log_metrics({"a": 1.5}, step=3)
    run.finish()
    assert not (run.path / "in-house.txt").exists()
    assert sync(RunFolder(run.path)).result == "delivered"
    with trackhub.resume(run.path) as again:
        again.log_metrics({"a": 2.5}, step=4)
    assert (run.path / "in-house.txt").read_text() == "3 1.5\n4 2.5\n"


def test_a_run_that_never_had_it_is_filled_later(file: Path) -> None:
    with trackhub.start(trackers="csv") as run:
        run.log_metrics({"a": 1.5}, step=3)
    command = [sys.executable, "-m", "trackhub", "sync", str(run.path), "--to", f"{file.name}:InHouseTracker"]
    subprocess.run(command, cwd=file.parent, check=True, stdout=subprocess.DEVNULL)
    assert (run.path / "in-house.txt").read_text() == "3 1.5\n"


def test_one_beside_the_script_is_found_by_its_name(file: Path, runs: Path) -> None:
    file.rename(file.with_name("trackhub_plugins.py"))
    script = file.with_name("train.py")
    script.write_text("import trackhub\nwith trackhub.start(trackers='in-house') as run: run.log_metrics({'a': 1})\n")
    subprocess.run([sys.executable, str(script)], cwd=runs.parent, check=True)
    (folder,) = all_runs(runs)
    assert (folder.path / "in-house.txt").read_text() == "0 1\n"


def test_a_listing_and_a_start_without_it_never_run_the_file(file: Path) -> None:
    path = file.with_name("trackhub_plugins.py")
    path.write_text(f"open({str(file.with_name('run'))!r}, 'w')\n{MODULE}")
    for command in (["trackers"], ["runs"], ["sync"]):
        subprocess.run([sys.executable, "-m", "trackhub", *command], cwd=file.parent, check=True, capture_output=True)
    code = "import trackhub\ntrackhub.start(trackers='csv').finish()"
    subprocess.run([sys.executable, "-c", code], cwd=file.parent, check=True)
    assert not file.with_name("run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nowhere.py:A", "there is no file"),
        ("{file}:Nope", "has no class 'Nope'. Classes there: InHouseTracker, Other"),
        ("{file}:Other", "log_metrics"),
        ("in-house2", "path/to/file.py:Class"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(text: str, words: str, file: Path, runs: Path) -> None:
    (problem,) = check_trackers(text.format(file=file))
    assert words in problem
    assert not runs.exists()


def test_options_reach_it_by_its_name(file: Path) -> None:
    assert select(f"{file}:InHouseTracker", {"in-house": {"a": 1}}).options == {"in-house": {"a": 1}}
    assert select({f"{file}:InHouseTracker": {"a": 1}}).options == {"in-house": {"a": 1}}
    assert str(select(f"csv,{file}:InHouseTracker")) == f"csv,{file}:InHouseTracker"


class Notebook:
    """An object of the training process."""

    def __init__(self, away: int = 0) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.threads: set[str] = set()
        self.away = away

    @hookimpl
    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        if self.away:
            self.away -= 1
            raise Retry("away")
        self.threads.add(threading.current_thread().name)
        self.rows.append((step, metrics))


def test_an_object_is_carried_in_a_thread_beside_the_other_trackers() -> None:
    mine = Notebook()
    with trackhub.start(trackers=[mine, "csv"]) as run:
        for step in range(200):
            run.log_metrics({"a": step}, step=step)
    assert run.trackers == ("notebook", "csv")
    assert mine.rows == [(step, {"a": step}) for step in range(200)]
    assert mine.threads == {"trackhub-notebook"}
    assert all(receipt.complete for receipt in run.receipts())


def test_an_object_that_is_away_or_hangs_does_not_hold_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    class Hanging(Notebook):
        @hookimpl
        def log_metrics(self, metrics: dict[str, float], step: int) -> None:
            time.sleep(20)

    for mine in (Notebook(away=1_000), Hanging()):
        begin = time.monotonic()
        with trackhub.start(trackers=[mine], finish_timeout=1) as run:
            run.log_metrics({"a": 1})
        assert time.monotonic() - begin < 4
        assert not run.receipts()[0].complete
    told = capsys.readouterr().err
    assert "was not given everything" in told


def test_an_object_that_raises_stops_no_training() -> None:
    class Raising(Notebook):
        @hookimpl
        def log_metrics(self, metrics: dict[str, float], step: int) -> None:
            raise RuntimeError("not today")

    with trackhub.start(trackers=[Raising(), "csv"]) as run:
        run.log_metrics({"a": 1})
    found = {receipt.tracker: receipt for receipt in run.receipts()}
    assert found["csv"].complete
    assert found["raising"].rejected == 1
    assert "not today" in found["raising"].rejections[0]


def test_sync_leaves_an_object_of_a_process_that_is_gone_alone() -> None:
    with trackhub.start(trackers=[Notebook(away=1_000), "csv"], finish_timeout=0.2) as run:
        run.log_metrics({"a": 1})
    outcome = sync(RunFolder(run.path))
    assert outcome.result == "delivered"
    assert [receipt.tracker for receipt in outcome.receipts] == ["csv"]


def test_a_resumed_run_says_that_an_object_has_to_be_given_again(capsys: pytest.CaptureFixture[str]) -> None:
    with trackhub.start(trackers=[Notebook(), "csv"]) as run:
        run.log_metrics({"a": 1}, step=1)
    mine = Notebook()
    with trackhub.resume(run.path, trackers=[mine, "csv"]) as again:
        again.log_metrics({"a": 2}, step=2)
    assert mine.rows == [(2, {"a": 2})]
    trackhub.resume(run.path).finish()
    assert "notebook: an object of the earlier process; hand it to resume(trackers=[...])" in capsys.readouterr().err


@pytest.mark.parametrize("given", [7, [7], [object()], [Notebook], [["csv"]]], ids=lambda given: repr(given)[:9])
def test_what_is_no_tracker_is_told(given: Any, runs: Path) -> None:
    with pytest.raises(ConfigError, match="tracker"):
        trackhub.start(trackers=given)
    assert not runs.exists()
