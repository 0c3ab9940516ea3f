"""The `trackhub` command: what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trackhub
from trackhub import Run
from trackhub.cli import COMMANDS, main


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of one command, in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def some_run(**options: Any) -> Run:
    with trackhub.start(**{"trackers": "csv", **options}) as run:
        for step in range(5):
            run.log_metrics({"a": step}, step=step)
    return run


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=str)
def test_help_and_version_exit_with_0(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, out, _ = call(capsys, *arguments)
    assert code == 0
    assert "trackhub" in out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["trackers", "nope"],
        ["status"],
        ["status", "nope"],
        ["sync", "nope"],
        ["sync", "--to", "nope"],
        ["sync", "--to", "csv", "--tracker-opt", "csv"],
        ["sync", "--to", "csv", "--tracker-opt", "csv.nope=1"],
    ],
    ids=" ".join,
)
def test_the_user_s_mistakes_exit_with_2_and_no_traceback(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert out + err
    assert "Traceback" not in err


def test_trackers_are_listed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "trackers")
    assert code == 0
    assert "ready" in out
    _, out, _ = call(capsys, "trackers", "--json")
    names = {one["name"]: one for one in json.loads(out)}
    assert {"csv", "jsonl", "swanlab"} <= set(names)
    assert names["csv"]["ready"]
    assert "log_metrics_batch" in names["csv"]["hooks"]


@pytest.mark.parametrize("name", ["csv", "jsonl", "swanlab"])
def test_the_card_of_a_tracker_tells_its_options_and_rules(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = call(capsys, "trackers", name)
    assert code == 0
    assert "exactly once" in out
    _, as_json, _ = call(capsys, "trackers", name, "--json")
    card = json.loads(as_json)
    assert card["card"]
    assert card["facts"]["after a crash"].startswith("each point exactly once")
    for option in card["options"]:
        assert option["name"] in out
        assert option["description"], option


def test_a_run_is_shown_by_name_and_by_path(capsys: pytest.CaptureFixture[str]) -> None:
    run = some_run()
    for which in (run.name, run.path):
        code, out, _ = call(capsys, "status", which)
        assert code == 0
        assert run.name in out
        assert "finished" in out
    _, out, _ = call(capsys, "status", run.name, "--json")
    shown = json.loads(out)
    assert (shown["run"]["status"], shown["run"]["last_step"]) == ("finished", 4)
    assert [(one["tracker"], one["delivered"], one["lag"]) for one in shown["trackers"]] == [("csv", 5, 0)]


def test_runs_are_listed_the_latest_last_and_an_unreadable_one_is_named(
    capsys: pytest.CaptureFixture[str], runs: Path
) -> None:
    code, out, _ = call(capsys, "runs")
    assert (code, "no runs" in out) == (0, True)
    first, second = some_run(name="b"), some_run(name="a")
    (runs / "broken" / "journal").mkdir(parents=True)
    (runs / "broken" / "journal" / "rank-0.jsonl").write_bytes(b"junk")
    _, out, _ = call(capsys, "runs", "--json")
    listed = [(one["name"], one["status"]) for one in json.loads(out)]
    assert listed == [("broken", "unreadable"), (first.name, "finished"), (second.name, "finished")]
    code, out, _ = call(capsys, "runs")
    assert (code, first.name in out, "unreadable" in out) == (0, True, True)


def test_a_status_that_this_version_does_not_know_is_listed(capsys: pytest.CaptureFixture[str], runs: Path) -> None:
    run = some_run(trackers="none")
    file = run.path / "journal" / "rank-0.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"finished"', b'"paused"'))
    code, out, _ = call(capsys, "runs")
    assert (code, "paused" in out) == (0, True)


def test_runs_dir_is_heard_by_every_command_that_reads_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = some_run(runs_dir=tmp_path / "elsewhere")
    for command in (["runs"], ["status", run.name], ["sync", run.name]):
        code, out, _ = call(capsys, *command, "--runs-dir", tmp_path / "elsewhere")
        assert code == 0
        assert run.name in out
    assert call(capsys, "status", run.name)[0] == 2


def test_sync_with_nothing_to_do_says_so_and_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "sync")[:2] == (0, "nothing is left to deliver\n")
    some_run()
    assert call(capsys, "sync")[:2] == (0, "nothing is left to deliver\n")
    assert json.loads(call(capsys, "sync", "--json")[1]) == []


def test_sync_delivers_what_was_left_for_later_and_fills_another_tracker(capsys: pytest.CaptureFixture[str]) -> None:
    run = some_run(delivery="later")
    assert not (run.path / "metrics.csv").exists()
    code, out, _ = call(capsys, "sync", "--json")
    assert code == 0
    assert [one["result"] for one in json.loads(out)] == ["delivered"]
    assert len((run.path / "metrics.csv").read_text().splitlines()) == 6
    assert call(capsys, "sync", run.path, "--to", "jsonl")[0] == 0
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 5


def test_sync_of_all_leaves_out_a_broken_run_and_delivers_the_others(
    capsys: pytest.CaptureFixture[str], runs: Path
) -> None:
    (runs / "0-broken" / "journal").mkdir(parents=True)
    run = some_run(delivery="later")
    code, _, err = call(capsys, "sync")
    assert code == 0
    assert "0-broken" in err
    assert (run.path / "metrics.csv").exists()
    assert call(capsys, "sync", "0-broken")[0] == 1


@pytest.mark.usefixtures("test_trackers")
def test_sync_exits_with_1_when_something_was_set_aside_or_parked(capsys: pytest.CaptureFixture[str]) -> None:
    run = some_run(trackers={"sick": {"hook": "log_metrics", "fault": "reject"}})
    code, out, _ = call(capsys, "sync", run.path)
    assert code == 1
    assert "refuses this" in out
    other = some_run(trackers={"rec": {}}, delivery="later")
    assert call(capsys, "sync", other.path, "--tracker-opt", "rec.nope=1")[0] == 1


def test_sync_exits_with_3_while_the_run_goes_on_and_everything_so_far_has_arrived(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with trackhub.start(trackers="csv") as run:
        run.log_metrics({"a": 1.0})
        code, _, _ = call(capsys, "sync", run.path)
        assert code == 3
        assert len((run.path / "metrics.csv").read_text().splitlines()) == 2


def test_a_plugin_that_prints_does_not_spoil_the_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trackhub.testing import install, on_path

    folder = install(tmp_path / "p", loud="loud:T")
    (folder / "loud.py").write_text("print('hello')\nclass T: ...\n")
    monkeypatch.setenv("PYTHONPATH", on_path(folder))
    done = subprocess.run([sys.executable, "-m", "trackhub", "trackers", "--json"], capture_output=True, check=True)
    assert "loud" in {one["name"] for one in json.loads(done.stdout)}


def test_a_pipe_that_closes_early_is_no_error() -> None:
    some_run()
    command = f"{sys.executable} -m trackhub trackers --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stderr == ""


def test_the_status_of_several_runs_is_shown_and_is_a_list_for_programs() -> None:
    for _ in range(2):
        trackhub.start(trackers="none", name="one").finish()
    folders = [str(path) for path in Path(os.environ["TRACKHUB_RUNS_DIR"]).glob("one_*")]
    shown = subprocess.run([sys.executable, "-m", "trackhub", "status", *folders], capture_output=True, text=True)
    assert shown.stdout.count("finished, last step") == 2
    listed = subprocess.run([sys.executable, "-m", "trackhub", "status", *folders, "--json"], capture_output=True)
    assert [one["run"]["status"] for one in json.loads(listed.stdout)] == ["finished"] * 2
