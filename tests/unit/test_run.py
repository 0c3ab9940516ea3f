"""What a training loop holds: bad input, several processes and threads, and every way to end."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections import OrderedDict, UserDict
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import trackhub
from trackhub import ConfigError, InvalidValue, Run
from trackhub.events import Artifact, Checkpoint, Event, Message, Metrics, Params, Rejected, RunEnded, RunStarted
from trackhub.journal import JournalWriter, read
from trackhub.journal.state import state
from trackhub.journal.writing import new_header
from trackhub.layout import RunFolder, all_runs


def open_run(**options: Any) -> Run:
    """A run with the journal alone, and no supervisor to wait for at the end."""
    return trackhub.start(trackers="none", finish_timeout=0, **options)


def bare_run() -> Run:
    """A run without any supervisor, where only the journal matters."""
    folder = RunFolder(Path(os.environ["TRACKHUB_RUNS_DIR"]) / "bare")
    folder.journal.mkdir(parents=True)
    return Run(folder, JournalWriter(folder.rank_journal(0), new_header("0123456789abcdef", "bare")))


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_STRICT")


def rows(run: Run) -> list[tuple[int, dict[str, Any]]]:
    return [(event.step, event.metrics) for event in read(run.path) if isinstance(event, Metrics)]


def events(run: Run, kind: type[Event]) -> list[Any]:
    return [event for event in read(run.path) if isinstance(event, kind)]


def script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A training in a process of its own."""
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


BAD: list[Any] = [
    {"good": 1.0, "bad": "text"},
    {"good": 1.0, 7: 1.0},
    {"good": 1.0, "bad": None},
    {"good": 1.0, "bad": 1j},
    {"good": 1.0, "bad": np.zeros(1000)},
    {"good": 1.0, "bad": [1.0, 2.0]},
    {"good": 1.0, "bad": Decimal("sNaN")},
    {"good": 1.0, "nested": {"bad": object()}},
    {"good": 1.0, ("a", "b"): 1.0},
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(list(bad.items())[1])[:40])
@pytest.mark.usefixtures("lenient")
def test_a_bad_value_is_kept_out_told_once_and_journaled_and_the_rest_is_kept(
    bad: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with bare_run() as run:
        run.log_metrics({"good": 0.0}, step=0)
        for step in (1, 2):
            run.log_metrics(bad, step=step)
    assert rows(run) == [(0, {"good": 0.0}), (1, {"good": 1.0}), (2, {"good": 1.0})]
    rejected = events(run, Rejected)
    assert [event.step for event in rejected] == [1, 2]
    assert rejected[0].reason
    assert len(rejected[0].value) <= 200
    said = capsys.readouterr().err
    assert said.count("is kept out") == 1
    assert "TRACKHUB_STRICT=1" in said


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(list(bad.items())[1])[:40])
def test_strict_raises_for_a_bad_value(bad: dict[Any, Any]) -> None:
    with bare_run() as run, pytest.raises(InvalidValue):
        run.log_metrics(bad, step=1)


@pytest.mark.parametrize("bad", [[1.0], None, "loss", 0.5, object()], ids=lambda bad: type(bad).__name__)
@pytest.mark.usefixtures("lenient")
def test_what_is_no_dict_at_all_is_journaled_as_rejected(bad: Any) -> None:
    with bare_run() as run:
        run.log_metrics(bad, step=3)
        run.log_params(bad)
        run.log_metrics({"a": 1.0})
    assert rows(run) == [(0, {"a": 1.0})]
    assert [event.step for event in events(run, Rejected)] == [3, None]


@pytest.mark.usefixtures("lenient")
def test_an_empty_dict_logs_nothing_and_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_run() as run:
        run.log_metrics({})
        run.log_metrics({})
    assert rows(run) == []
    assert capsys.readouterr().err.count("empty dict") == 1


@pytest.mark.parametrize("kind", [OrderedDict, UserDict, MappingProxyType])
def test_every_kind_of_mapping_is_logged_the_first_and_the_second_time(kind: Any) -> None:
    with bare_run() as run:
        for step in range(3):
            run.log_metrics(kind({"a": float(step)}), step=step)
    assert rows(run) == [(step, {"a": float(step)}) for step in range(3)]


def test_keys_of_any_kind_of_string_are_kept() -> None:
    import enum

    class Key(enum.StrEnum):
        LOSS = "loss"

    with bare_run() as run:
        for _ in range(2):
            run.log_metrics({Key.LOSS: 1.0})
            run.log_metrics({np.str_("loss"): 2.0})  # type: ignore[dict-item]
        run.log_metrics({"k" * 10_000: 1.0, "\ud800": 2.0, "surrogate-escaped:x": 3.0, "\0\n": 4.0})
    assert rows(run)[:4] == [(0, {"loss": 1.0}), (1, {"loss": 2.0}), (2, {"loss": 1.0}), (3, {"loss": 2.0})]
    assert list(rows(run)[4][1]) == ["k" * 10_000, "\ud800", "surrogate-escaped:x", "\0\n"]


def test_numbers_that_json_cannot_hold_come_back_on_the_fast_and_on_the_slow_road() -> None:
    values = [float("inf"), float("-inf"), 5e-324, -0.0, 10**400, 1.7976931348623157e308, 0.1]
    with bare_run() as run:
        for _ in range(2):
            for value in values:
                run.log_metrics({"a": value, "b": 1.7976931348623157e308})
            run.log_metrics({"a": float("nan"), "b": 0.0})
    found = [row["a"] for _, row in rows(run)]
    assert list(map(repr, found)) == list(map(repr, [*values, float("nan")] * 2))


@pytest.mark.usefixtures("lenient")
def test_steps_that_go_back_or_are_no_integers_are_logged_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_run() as run:
        for step in (10, 5, 4, 3.0, 3.5, np.int64(20), True, "x", None, 2**70):
            run.log_metrics({"a": 1.0}, step=step)  # type: ignore[arg-type]
    assert [step for step, _ in rows(run)] == [10, 5, 4, 3, 3, 20, 1, 2, 3, 2**70]
    said = capsys.readouterr().err
    assert said.count("the step went back") == 1
    assert said.count("3.5") == 1
    assert said.count("'x'") == 1


def test_without_a_step_it_counts_on() -> None:
    with bare_run() as run:
        run.log_metrics({"a": 1.0})
        run.log_metrics({"a": 1.0}, step=7)
        run.log_metrics({"a": 1.0})
        run.log_metrics({"a": np.float32(1.0)})
    assert [step for step, _ in rows(run)] == [0, 7, 8, 9]


def test_messages_and_parameters_of_any_text_are_kept() -> None:
    with open_run(config={"a\ud800": "\ud800", "b": object}) as run:
        run.log_message("torn \udcff text", level="\udcff")
        run.log_params({"c": {1: float("nan")}})
    assert events(run, Message)[0].text == "torn \\udcff text"
    assert events(run, Params)[1].params == {"c": {"1": "NaN"}}


def test_a_command_line_and_a_folder_that_utf_8_cannot_hold_do_not_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / os.fsdecode(b"caf\xe9")
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["train.py", os.fsdecode(b"\xff")])
    with open_run(tags=["\ud800"], notes="\ud800") as run:
        run.log_metrics({"a": 1.0})
    (started,) = events(run, RunStarted)
    assert started.argv == ("train.py", "\\udcff")
    assert started.cwd.endswith("caf\\udce9")


def test_a_working_folder_that_is_gone_does_not_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with open_run() as run:
        run.log_metrics({"a": 1.0})
    monkeypatch.chdir(tmp_path)
    assert len(rows(run)) == 1


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("path", ["missing.bin", None, 7, "nul\0byte"])
def test_files_that_are_not_there_are_told_and_journaled_as_rejected(path: Any) -> None:
    with bare_run() as run:
        run.log_artifact(path)
        run.save_checkpoint(path)
    assert len(events(run, Rejected)) == 2
    assert events(run, Artifact) == events(run, Checkpoint) == []


@pytest.mark.parametrize("name", ["../../out.bin", "/etc/out.bin", "..", "a/../../../out.bin"])
def test_an_artifact_never_leaves_its_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(b"data")
    with bare_run() as run:
        run.log_artifact(source, name=name)
    (artifact,) = events(run, Artifact)
    kept = (run.path / artifact.path).resolve()
    assert kept.is_relative_to(run.path / "artifacts")
    assert kept.read_bytes() == b"data"


def test_an_artifact_outlives_its_original_and_a_second_one_of_the_same_name_too(tmp_path: Path) -> None:
    source = tmp_path / "data.txt"
    with bare_run() as run:
        for text in ("one", "two"):
            source.write_text(text)
            run.log_artifact(source, kind="text")
            source.unlink()
    kept = [(run.path / event.path).read_text() for event in events(run, Artifact)]
    assert kept == ["one", "two"]
    assert events(run, Artifact)[0].metadata == {"kind": "text"}


def test_a_checkpoint_is_found_here_or_in_the_run_folder_with_its_size_and_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.ckpt").write_bytes(b"12345")
    with bare_run() as run:
        (run.path / "checkpoints" / "step-1").mkdir(parents=True)
        (run.path / "checkpoints" / "step-1" / "a.bin").write_bytes(b"123")
        run.log_metrics({"a": 1.0}, step=3)
        run.save_checkpoint("here.ckpt", metrics={"val/loss": np.float32(0.5)})
        run.save_checkpoint("checkpoints/step-1", step=1)
    one, two = events(run, Checkpoint)
    assert (one.path, one.size, one.step, one.metrics) == (str(tmp_path / "here.ckpt"), 5, 3, {"val/loss": 0.5})
    assert (two.path, two.size, two.step) == ("checkpoints/step-1", 3, 1)


def test_two_runs_in_the_same_second_get_different_folders(runs: Path) -> None:
    opened = [open_run(name="x") for _ in range(5)]
    for run in opened:
        run.finish()
    assert len({run.path for run in opened}) == len({run.id for run in opened}) == 5
    assert len(all_runs(runs)) == 5
    assert all(re.fullmatch(r"x_\d{8}_\d{6}(-\d)?", run.name) for run in opened)


def test_processes_that_start_runs_in_the_same_second_get_different_folders(runs: Path) -> None:
    code = "import trackhub; trackhub.start(trackers='none', name='x').finish()"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert len(all_runs(runs)) == 4


@pytest.mark.parametrize("name", ["模" * 200, "a/b\\c:d*e", "..", "con", "x" * 300, "\ud800", " . "])
def test_every_name_gives_a_folder_directly_under_the_runs_folder(runs: Path, name: str) -> None:
    run = open_run(name=name)
    run.finish()
    assert run.path.parent == runs
    assert state(RunFolder(run.path)).status == "finished"


def test_a_file_in_place_of_the_runs_folder_ends_the_start_at_once_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/runs")):
        with pytest.raises(ConfigError, match="--runs-dir") as caught:
            open_run(runs_dir=folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"trackers": "nope"}, {"delivery": "never"}, {"trackers": 7}, {"trackers": {"csv": 7}}, {"trackers": [7]}]
)
def test_a_mistake_in_the_arguments_leaves_no_run_behind(runs: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        trackhub.start(**wrong)
    assert all_runs(runs) == []


def test_deliveries_that_cannot_start_are_told_and_do_not_stop_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with trackhub.start(trackers="csv") as run:
        run.log_metrics({"a": 1.0})
    assert rows(run) == [(0, {"a": 1.0})]
    assert "trackhub sync" in capsys.readouterr().err


def test_a_forked_child_logs_into_a_file_of_its_own_and_everything_is_read_once() -> None:
    code = """
import os, trackhub, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, of any fork beside any thread
run = trackhub.start(trackers="none", finish_timeout=0)
for step in range(10):
    run.log_metrics({"parent": step}, step=step)
children = []
for child in range(2):
    pid = os.fork()
    if pid == 0:
        for step in range(10):
            run.log_metrics({f"child{child}": step}, step=10 + step)
        run.finish("failed")
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
run.log_metrics({"parent": 10}, step=10)
print(run.path, *children)
run.finish()
"""
    done = script(code)
    path, *children = done.stdout.split()
    assert done.stderr == ""
    names = sorted(file.name for file in (Path(path) / "journal").glob("rank-0*"))
    assert names == sorted(["rank-0.jsonl", *(f"rank-0.pid-{pid}.jsonl" for pid in children)])
    found = [event.metrics for event in read(path) if isinstance(event, Metrics)]
    for key, count in (("parent", 11), ("child0", 10), ("child1", 10)):
        assert [row[key] for row in found if key in row] == list(range(count))
    assert [event.status for event in read(path) if isinstance(event, RunEnded)] == ["finished"]


def test_a_fork_in_the_middle_of_another_thread_s_logging_neither_hangs_nor_loses() -> None:
    code = """
import os, threading, trackhub
run = trackhub.start(trackers="none", finish_timeout=0)
stop = threading.Event()
def work():
    step = 0
    while not stop.is_set():
        run.log_metrics({"t": step}, step=step); step += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for number in range(20):
    pid = os.fork()
    if pid == 0:
        run.log_metrics({"child": number}, step=number)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
print(run.path)
run.finish()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    path = done.stdout.strip()
    found = [event.metrics["child"] for event in read(path) if isinstance(event, Metrics) and "child" in event.metrics]
    assert found == list(range(20))


SPAWNING = """
import multiprocessing, os, trackhub

def work(run, value):
    run.log_metrics({"child": value}, step=value)
    return str(run.path), os.getpid()

if __name__ == "__main__":
    with trackhub.start(trackers="none", finish_timeout=0) as run:
        run.log_metrics({"parent": 0}, step=0)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results = [pool.apply(work, (run, value)) for value in range(3)]
            pool.close()
            pool.join()
    assert {path for path, _ in results} == {str(run.path)}
    print(run.path, *{pid for _, pid in results})
"""


def test_a_spawned_child_gets_the_run_by_pickle_once_or_with_every_task(tmp_path: Path) -> None:
    (tmp_path / "spawning.py").write_text(SPAWNING)
    done = subprocess.run([sys.executable, tmp_path / "spawning.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    path, pid = done.stdout.split()
    assert (Path(path) / "journal" / f"rank-0.pid-{pid}.jsonl").exists()
    found = [event.metrics for event in read(path) if isinstance(event, Metrics)]
    assert sorted(row["child"] for row in found if "child" in row) == [0, 1, 2]
    assert [event.status for event in read(path) if isinstance(event, RunEnded)] == ["finished"]


def test_a_copy_of_a_run_in_its_own_process_is_the_run() -> None:
    with open_run() as run:
        assert copy.deepcopy(run) is run
        assert pickle.loads(pickle.dumps(run)) is run  # noqa: S301 - our own bytes


def test_an_uncaught_exception_without_with_means_failed(runs: Path) -> None:
    done = script("import trackhub\nrun = trackhub.start(trackers='none')\nrun.log_metrics({'a': 1})\n1 / 0")
    assert done.returncode == 1
    (folder,) = all_runs(runs)
    assert (state(folder).status, state(folder).reason) == ("failed", "ZeroDivisionError: division by zero")


def test_a_run_that_nobody_holds_any_more_is_finished_at_exit(runs: Path) -> None:
    code = "import trackhub\ndef main():\n    trackhub.start(trackers='none').log_metrics({'a': 1})\nmain()"
    done = script(code)
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = all_runs(runs)
    assert state(folder).status == "finished"


def test_several_runs_are_all_finished_at_exit(runs: Path) -> None:
    script("import trackhub\nfor _ in range(3): trackhub.start(trackers='none').log_metrics({'a': 1})")
    assert [state(folder).status for folder in all_runs(runs)] == ["finished"] * 3


def test_a_run_that_is_over_says_how_to_go_on() -> None:
    with bare_run() as run:
        pass
    with pytest.raises(trackhub.InvalidValue, match="is finished, and logs no more"):
        run.log_metrics({"a": 1.0})
    run.finish("failed")
    assert run.status == "finished"


@pytest.mark.usefixtures("lenient")
def test_logging_to_a_run_that_is_over_is_told_once_and_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with bare_run() as run:
        run.log_metrics({"a": 1.0})
    for step in range(3):
        run.log_metrics({"a": 1.0, "b": "odd"}, step=step)
        run.log_message("late")
    assert capfd.readouterr().err.count("logs no more. Go on with it: trackhub.resume(") == 1
    assert run.summary["a"]["last"] == 1.0


@pytest.mark.usefixtures("lenient")
def test_a_status_that_does_not_exist_ends_the_run_and_is_kept_as_the_reason() -> None:
    run = bare_run()
    run.finish("success")
    assert (state(RunFolder(run.path)).status, state(RunFolder(run.path)).reason) == ("finished", "success")


def test_strict_raises_for_a_status_that_does_not_exist() -> None:
    run = bare_run()
    with pytest.raises(InvalidValue, match="finished, failed, killed"):
        run.finish("success")
    run.finish()


def test_an_exception_with_a_very_long_text_ends_the_run_all_the_same() -> None:
    begin = time.monotonic()
    with pytest.raises(ValueError, match="x"), trackhub.start(trackers="csv") as run:
        run.log_metrics({"a": 1.0})
        raise ValueError("x" * 100_000)
    assert state(RunFolder(run.path)).status == "failed"
    assert [receipt.state for receipt in run.receipts()] == ["delivered"]
    assert time.monotonic() - begin < 10


def test_threads_that_log_at_once_lose_nothing_and_ordinals_increase() -> None:
    with bare_run() as run:

        def work(name: int) -> None:
            for step in range(300):
                run.log_metrics({f"t{name}": step, "x": np.float32(1) if step % 7 == 0 else 1.0}, step=step)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    mine = [event for event in read(run.path) if isinstance(event, Metrics)]
    assert [event.n for event in mine] == sorted({event.n for event in mine})
    for name in range(6):
        assert [event.metrics[f"t{name}"] for event in mine if f"t{name}" in event.metrics] == list(range(300))


def test_the_environment_names_the_run_for_processes_that_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_RUN", raising=False)
    with open_run() as run:
        assert os.environ["TRACKHUB_RUN"] == str(run.path)
        code = "import trackhub; trackhub.start(trackers='none').log_metrics({'other': 1}, step=0)"
        environment = {**os.environ, "LOCAL_RANK": "1"}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert (run.path / "journal" / "rank-1.jsonl").exists()
    assert [event.metrics for event in read(run.path) if isinstance(event, Metrics)] == [{"other": 1}]
    monkeypatch.delenv("TRACKHUB_RUN")


def test_a_run_looks_like_what_it_is() -> None:
    with open_run(name="x") as run:
        assert re.fullmatch(r"[0-9a-f]{16}", run.id)
        assert repr(run) == f"<trackhub.Run {run.name} running at {run.path}>"
    assert "finished" in repr(run)
