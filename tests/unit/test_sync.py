"""`trackhub sync` for many runs, and what it would do: previews, outcomes, tables."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import trackhub
from tests.unit.test_cli import call
from trackhub import Run
from trackhub.checking.preview import FIRST, Preview, preview, previews
from trackhub.cli.tables import receipt_table
from trackhub.cli.tables_preview import preview_table
from trackhub.delivery import cursor as cursors
from trackhub.delivery.glance import Glance, glance, unread
from trackhub.delivery.progress import progress_lines
from trackhub.delivery.receipt import Receipt, receipts, supervisor_status
from trackhub.delivery.sync import sync
from trackhub.delivery.sync_all import sync_all
from trackhub.layout import RunFolder, all_runs
from trackhub.plugin import Limits, Uploads, hookimpl
from trackhub.showing.words import size
from trackhub.testing import SomeJournal

SIX = ("csv", "jsonl", "tensorboard", "swanlab", "mlflow", "wandb")


def content(folder: Path) -> dict[str, str]:
    """Every file and folder below, by its content."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def later(name: str = "later", **options: Any) -> Run:
    """A run whose deliveries wait for a sync, with something in it that backends do not take."""
    with trackhub.start(**{"trackers": "csv", "delivery": "later", "name": name, **options}) as run:
        for step in range(40):
            row = {"train/loss": math.inf if step == 7 else 1 / (step + 1), "odd\x01key": step, "big": 2**60 + step}
            run.log_metrics(row, step=step)
        run.log_message("half way")
        run.log_params({"note": "n" * 9000})
        (run.path / "model.ckpt").write_bytes(b"w" * 2000)
        run.save_checkpoint("model.ckpt", step=39)
    until = time.monotonic() + 20
    while not ((status := supervisor_status(RunFolder(run.path))) and status.stopped) and time.monotonic() < until:
        time.sleep(0.05)
    return run


class Picky:
    """Takes little, and never gets anything: it must not be opened."""

    class Options(Uploads):
        pass

    limits = Limits(
        key_forbidden="[^a-z/]", key_length=12, flat_params=True, param_length=10, infinite=False, steps=(0, 30)
    )

    def __init__(self, options: Uploads) -> None:
        self.upload = options.upload

    @hookimpl
    def on_run_start(self, run: Any, state: Any) -> None:
        raise AssertionError("a preview opens no tracker")

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        raise AssertionError

    @hookimpl
    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        raise AssertionError

    @hookimpl
    def save_checkpoint(self, checkpoint: Any) -> None:
        raise AssertionError


def test_a_preview_tells_what_is_sent_mapped_cut_left_out_and_set_aside() -> None:
    run = later()
    found = preview(RunFolder(run.path), "picky", Picky(Uploads(upload="all")))
    assert found.events == {"metrics": 31, "params": 1, "checkpoints": 1}
    assert (found.files.count, found.file_bytes) == (1, 2000)
    assert "model.ckpt (2000 bytes)" in found.files.first[0]
    assert found.mapped.first == ["odd\x01key -> odd%01key"]
    assert found.mapped.count == 31
    assert found.cut.first == ["parameter note: cut to 10 of 9000 characters"]
    assert found.left_out.first == ["train/loss = inf"]
    assert found.set_aside.count == 9
    assert found.set_aside.first[0].startswith("metrics at step 31: ")
    assert found.end == "finished"
    kept = preview(RunFolder(run.path), "picky", Picky(Uploads(upload="none")))
    assert kept.stays == {"checkpoint": 1}
    assert kept.files.count == 0
    last = preview(RunFolder(run.path), "picky", Picky(Uploads(upload="last")))
    assert (last.files.count, last.stays) == (1, {})


def test_the_first_20_are_named_and_all_are_counted(tmp_path: Path) -> None:
    journal = SomeJournal(tmp_path / "run")
    for step in range(100, 150):
        journal.row({"a": 1}, step)
    journal.end("failed")
    found = preview(journal.folder, "picky", Picky(Uploads()))
    assert (found.set_aside.count, len(found.set_aside.first), found.set_aside.more) == (50, FIRST, True)
    assert found.end == "failed"


@pytest.mark.parametrize("trackers", [SIX[:3], SIX[3:]], ids=",".join)
def test_a_dry_run_says_what_the_sync_then_does_and_changes_not_a_byte(
    trackers: tuple[str, ...], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = later(trackers=",".join(trackers))
    before = content(runs)
    code, out, _ = call(capsys, "sync", "--dry-run", "--json", run.path)
    assert code == 0
    assert content(runs) == before
    assert call(capsys, "sync", "--dry-run")[0] == 0
    assert content(runs) == before
    said = {one["tracker"]: one for one in json.loads(out)[0]["trackers"]}
    assert set(said) == set(trackers)
    assert call(capsys, "sync", run.path)[0] == 0
    for receipt in receipts(RunFolder(run.path)):
        promised = said[receipt.tracker]
        assert sum(promised["events"].values()) == receipt.delivered, receipt.tracker
        changes = sum(promised[sort]["count"] for sort in ("mapped", "cut", "left_out"))
        assert changes == receipt.mapped, receipt.tracker
        assert promised["set_aside"]["count"] == receipt.rejected
        assert promised["stays"] == receipt.left == {"checkpoint": 1}
        assert promised["end"] == "finished"
    _, out, _ = call(capsys, "sync", "--dry-run", "--json", run.path)
    assert [(one["events"], one["end"]) for one in json.loads(out)[0]["trackers"]] == [({}, "")] * len(trackers)
    assert call(capsys, "sync", "--dry-run")[1] == "nothing is left to deliver\n"


def test_a_dry_run_loads_no_sdk_anywhere() -> None:
    """A module of each SDK's name that ends the process lies first on the path of the asked processes."""
    run = later(trackers="none")
    trap = Path(os.environ["TRACKHUB_RUNS_DIR"]).parent / "trap"
    trap.mkdir()
    for name in ("swanlab", "tensorboard", "mlflow", "wandb", "torch"):
        (trap / f"{name}.py").write_text("import os; os._exit(9)\n")
    environment = {**os.environ, "PYTHONPATH": str(trap)}
    command = [sys.executable, "-m", "trackhub", "sync", "--dry-run", "--json", "--to", ",".join(SIX), str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [one["events"]["metrics"] for one in json.loads(done.stdout)[0]["trackers"]] == [40] * 6


def test_a_preview_begins_again_where_the_courier_would() -> None:
    run = later(delivery="live")
    folder = RunFolder(run.path)
    with trackhub.resume(run.path, step=9, trackers="csv", delivery="later") as again:
        again.log_metrics({"train/loss": 0.5}, step=10)
    (found,) = previews(folder)
    assert found.again == "the run went back to step 9"
    assert found.events["metrics"] == 11
    sync(folder)
    assert len((run.path / "metrics.csv").read_text().splitlines()) == 12
    journal = folder.rank_journal(0)
    journal.write_bytes(journal.read_bytes().replace(b"half way", b"half-way"))
    assert previews(folder)[0].events == {}
    tail = folder.rank_journal(0, 1)
    tail.write_bytes(tail.read_bytes().replace(b'"finished"', b'"failed"'))
    assert "is not what was read before" in previews(folder)[0].again


@pytest.mark.usefixtures("test_trackers")
def test_what_cannot_be_delivered_is_said_by_the_dry_run_and_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    run = later(trackers={"rec": {}})
    code, out, _ = call(capsys, "sync", "--dry-run", run.path, "--tracker-opt", "rec.nope=1")
    assert code == 1
    assert "has no option 'nope'" in " ".join(out.split())


def test_a_plugin_that_crashes_its_process_is_an_answer_too(tmp_path: Path) -> None:
    run = later(trackers="none")
    file = tmp_path / "mine.py"
    file.write_text(
        "import os\nclass Mine:\n    def __init__(self):\n        os._exit(7)\n    def log_metrics(self): ...\n"
    )
    text = file.read_text().replace("    def log_metrics", "    @hookimpl\n    def log_metrics")
    file.write_text("from trackhub.plugin import hookimpl\n" + text)
    (found,) = previews(RunFolder(run.path), f"{file}:Mine")
    assert found.problem == "its process ended with exit code 7, without an answer"


def test_many_runs_are_delivered_a_few_at_once_and_again_without_harm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackhub.showing.console.console.width", 200)
    folders = [later(name=f"r{number}").path for number in range(5)]
    code, out, err = call(capsys, "sync", "--jobs", "3", *folders, folders[0])
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "5 runs: 5 delivered"
    assert all(f"{folder.name}  delivered  csv" in " ".join(out.split(" ")) for folder in folders)
    assert all(len((folder / "metrics.csv").read_text().splitlines()) == 41 for folder in folders)
    before = [content(folder) for folder in folders]
    assert call(capsys, "sync", "--jobs", "3", *folders)[0] == 0
    assert [content(folder) for folder in folders] == before


def test_a_broken_run_and_a_mistake_keep_no_other_run(capsys: pytest.CaptureFixture[str], runs: Path) -> None:
    good, other = later(name="good"), later(name="other", trackers="jsonl")
    (runs / "broken" / "journal").mkdir(parents=True)
    code, _, err = call(capsys, "sync", good.path, "broken", other.path, "--tracker-opt", "csv.file=a.csv")
    assert code == 1
    assert "broken: the journal" in err
    assert "options for tracker 'csv', which is not among jsonl" in err
    assert (good.path / "a.csv").exists()
    assert call(capsys, "sync", good.path, other.path, "--tracker-opt", "csv.file=a.csv")[0] == 2
    outcomes = sync_all([RunFolder(path) for path in (good.path, runs / "broken", other.path)])
    assert [outcome.result for outcome in outcomes] == ["delivered", "broken", "delivered"]


@pytest.mark.parametrize("jobs", ["0", "-1", "x", "1.5"])
def test_jobs_is_a_number_of_runs(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "sync", "--jobs", jobs)
    assert (code, "is no number of runs" in err) == (2, True)


def test_a_glance_reads_no_event_and_knows_how_far_each_tracker_is() -> None:
    run = later()
    folder = RunFolder(run.path)
    assert glance(folder, ("csv",)) == [Glance("csv", "waiting", 0.0, 0, "")]
    assert unread(folder, "csv") == sum(path.stat().st_size for path in folder.journal.glob("*.jsonl"))
    sync(folder)
    assert glance(folder, ("csv",)) == [Glance("csv", "delivered", 1.0, 41, "")]
    assert unread(folder, "csv") < 1000  # a file of the supervisor that holds its header alone


def shown(renderable: Any, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


@pytest.mark.parametrize("width", [80, 200])
def test_the_progress_is_a_line_per_run_and_tracker(width: int) -> None:
    trackers = [Glance("csv", "delivered", 1.0, 1000, ""), Glance("tensorboard", "backing off", 0.5, 20, "away " * 50)]
    text = shown(progress_lines([("a-run_20260101_000000", trackers), ("other", trackers)], "1 of 3 runs done"), width)
    lines = text.splitlines()
    assert len(lines) == 7
    assert lines[0] == "a-run_20260101_000000"
    assert lines[2].startswith("tensorboard  ━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌   50%         20  backing off away")
    assert lines[-1] == "1 of 3 runs done"
    assert shown(progress_lines([("a-run", trackers)], ""), width).startswith("csv")


def test_the_note_says_what_stays_in_the_run_folder_and_how_far_a_tracker_is_behind() -> None:
    receipt = Receipt(
        "csv", 10, 5, 0, 0, 5, "delivering", left={"image": 3, "checkpoint": 50, "text": 1}, behind=7500.0
    )
    text = " ".join(shown(receipt_table([receipt]), 200).split())
    assert "stays in the run folder: 3 images, 50 checkpoints, 1 text" in text
    assert "5, 2 h" in text


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000, "250 kB"), (3.4e9, "3.4 GB")]
)
def test_sizes_are_for_people(count: float, words: str) -> None:
    assert size(count) == words


def test_how_far_a_tracker_is_behind_counts_from_the_oldest_event_it_lacks(tmp_path: Path) -> None:
    journal = SomeJournal(tmp_path / "run", trackers=("csv",))
    times = [journal.row({"a": 1}, step) for step in range(10)]
    journal.end()
    (receipt,) = receipts(journal.folder)
    assert receipt.lag == 10
    assert receipt.behind == pytest.approx(time.time() - times[0], abs=60)
    sync(journal.folder, "csv")
    (receipt,) = receipts(journal.folder)
    assert (receipt.lag, receipt.behind) == (0, 0.0)


def test_a_run_folder_that_moved_holds_nothing_of_where_it_was(runs: Path) -> None:
    run = later(trackers=",".join(SIX[:4]), delivery="live")
    for cursor in (run.path / "delivery").glob("*.json"):
        assert str(runs.parent) not in cursor.read_text()
        assert cursors.load(cursor, cursor.stem).safe.ended == "finished"
    moved = runs.parent / "elsewhere" / run.name
    shutil.copytree(run.path, moved)
    shutil.rmtree(run.path)
    assert sync(RunFolder(moved)).worked is False
    assert [folder.path for folder in all_runs(moved.parent)] == [moved]
    assert isinstance(previews(RunFolder(moved))[0], Preview)


def test_a_key_cannot_make_the_terminal_do_anything() -> None:
    odd = Preview(tracker="csv", events={"metrics": 1})
    odd.mapped.add("\x1b[31mred\x07 [bold]\n -> x")
    text = shown(preview_table([odd], title="[red]run[/red]"), 200)
    assert "\x1b" not in text
    assert "\\x1b[31mred\\x07 [bold]" in text
    assert "[red]run[/red]" in text


def test_a_dry_run_shortens_long_keys_and_its_json_does_not(tmp_path: Path) -> None:
    journal = SomeJournal(tmp_path / "run")
    journal.row({"a\x01" + "x" * 500: 1, "b\x01": 1}, 0)
    found = preview(journal.folder, "picky", Picky(Uploads()))
    assert len(found.mapped.first[0]) > 500
    text = shown(preview_table([found], "run"), 200)
    assert "x" * 61 not in text
    assert "a\\x01xxx" in text
    assert "b\\x01 -> b%" in text


def test_sync_tells_wrong_runs_trackers_and_options_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "sync", "nowhere", "--to", "cvs,csv", "--tracker-opt", "csv.nope=1")
    assert code == 2
    for words in ("'nowhere'", "'cvs'", "'nope'"):
        assert words in err
