"""What the command line says and leaves when things are wrong, or stopped, or only planned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from trainer_help import Trainer, command, line, only_run, write_lines

from trackhub.journal.state import state
from trackhub.layout import RunFolder


def test_every_problem_at_once_exit_2_nothing_written(trainer: Trainer, tmp_path: Path) -> None:
    """Options, data, model and trackers are all checked before anything is loaded."""
    write_lines(tmp_path / "data", "arc-challenge", train=[line(target="F")], test=[line()])
    done = trainer(
        *("--dataset", "arc-challenge", "--data-dir", "data", "--max-steps", "0", "--bacth-size", "3"),
        *("--base-model", "./nowhere", "--trackers", "cvs"),
    )
    assert done.returncode == 2
    assert done.stdout == ""
    for words in ("--bacth-size", "--batch-size", "--max-steps 0", "line 1", "'F'", "./nowhere", "'cvs'", "'csv'"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-steps", "5", "--save-steps", "6"], "--save-steps 6 is more than --max-steps 5"),
        (["--dataset", "arc-chalenge"], "Close matches: arc-challenge"),
        (["--dataset", "openbookqa"], "no folder data_to_lora/cs/openbookqa"),
        (["--lr"], "expected one argument"),
        (["--tracker-opt", "csv.nonsense=1"], "nonsense"),
        (["--runs-dir", "/proc/nowhere"], "cannot be written"),
        (["--runs-dir", "/dev/null/runs", "--lr", "0"], "cannot be written"),
    ],
)
def test_mistakes(trainer: Trainer, tmp_path: Path, arguments: list[str], words: str) -> None:
    """One line each, exit code 2."""
    done = trainer(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_is_a_mistake_with_debug_too(trainer: Trainer) -> None:
    """The traceback comes on top."""
    done = trainer("--debug", "--max-steps", "0", "--trackers", "csv")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "trainer: --max-steps 0" in done.stderr


def test_a_dry_run_shows_the_plan_and_writes_nothing(trainer: Trainer, tmp_path: Path) -> None:
    """With the size that the checkpoints really have."""
    done = trainer("--dry-run", "--max-steps", "20", "--save-steps", "2", "--save", "every:5", "--trackers", "csv")
    assert done.returncode == 0, done.stderr
    for words in ("20 of 8 questions: 0.80 epochs", "steps 1-12", "steps 13-20", "49,152", "640 kB each", "1.28 MB"):
        assert words in done.stdout
    for row in (("every:5", "5, 10, 15, 20", "4"), ("last:2", "19, 20", "2"), ("together", "5", "3.2 MB")):
        assert any(all(word in line for word in row) for line in done.stdout.splitlines()), row
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_checks_the_adapters_layers(trainer: Trainer) -> None:
    """Against the real architecture."""
    done = trainer("--dry-run", "--lora-targets", "q_porj")
    assert done.returncode == 2
    assert "q_proj" in done.stderr


def test_data_of_ones_own_and_trackers_from_the_environment(trainer: Trainer, tmp_path: Path, runs: Path) -> None:
    """Validation serves as test, and the config says so; no tracker needs a change in the code."""
    write_lines(tmp_path / "data", "piqa", train=[piqa(index) for index in range(5)], validation=[piqa(9), piqa(10)])
    done = trainer(
        *("--dataset", "piqa", "--data_dir", "data", "--max-steps", "3", "--batching", "padded", "--precision"),
        *("bf16-mixed", "--batch-size", "2"),
        TRACKHUB_TRACKERS="jsonl",
    )
    assert done.returncode == 0, done.stderr
    folder = only_run(runs)
    assert folder.name.startswith("piqa_lora_")
    assert (folder / "metrics.jsonl").read_text().count("train/loss") == 3
    recorded = yaml.safe_load((folder / "config.yaml").read_text())["config"]
    assert recorded["using_validation_as_test"] is True
    assert recorded["trackers"] == "jsonl"


def piqa(index: int) -> dict[str, object]:
    """A line whose answer is a text of several tokens."""
    options = [f"use a hammer {index} times", "use a pear"]
    return line(dataset="piqa", input=f"How to drive nail {index}?", options=options, target=options[0], target_idx=0)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_a_stopped_training_saves_where_it_is_and_says_how_to_go_on(
    tmp_path: Path, runs: Path, number: signal.Signals, code: int, words: str
) -> None:
    """Its run is killed, in its status and in a line; without a traceback."""
    process = started(tmp_path, "--max-steps", "100000", "--save-steps", "0", "--workers", "1")
    wait_for_steps(runs, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert words in errors
    assert "Traceback" not in errors
    folder = RunFolder(only_run(runs))
    assert f"killed: {folder.path}" in errors
    assert f"Go on with it: trainer --resume-from-checkpoint {folder.path}" in errors
    [saved] = folder.checkpoints.iterdir()
    now = state(folder)
    assert now.status == "killed"
    assert saved.name == f"checkpoint-step-{now.last_step:06d}.ckpt", "the step that was under way is the last"
    assert words in (folder.logs / "training.log").read_text()


@pytest.mark.alone
def test_a_second_signal_ends_at_once(tmp_path: Path, runs: Path) -> None:
    """Also a step that takes for ever."""
    process = started(tmp_path, "--max-steps", "100000", "--save-steps", "0", script=HANGING)
    wait_for_steps(runs, process)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None, "the step is still under way"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    folder = RunFolder(only_run(runs))
    assert f"killed: {folder.path}" in errors
    assert "Go on" not in errors, "there is no checkpoint"
    assert state(folder).status == "killed"


HANGING = """
import sys, time
from trackhub_trainer import cli, module
step = module.LoraModule.training_step
def training_step(self, *rest):
    loss = step(self, *rest)
    time.sleep(3600)
    return loss
module.LoraModule.training_step = training_step
cli.main(sys.argv[1:])
"""


def started(folder: Path, *arguments: str, script: str = "") -> subprocess.Popen[str]:
    """The trainer, under way."""
    argv = [*arguments, "--trackers", "csv", "--eval-limit", "5"]
    return subprocess.Popen(
        [sys.executable, "-c", script, *argv] if script else command(*argv),
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )


def wait_for_steps(runs: Path, process: subprocess.Popen[str]) -> None:
    """Until the training is under way."""
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        if any("train/lr" in path.read_text() for path in runs.glob("*/journal/rank-0.jsonl")):
            return
        time.sleep(0.1)
    pytest.fail("no step was logged")


FAILING = """
import sys
from trackhub_trainer import cli, final_model
def save(*_):
    raise OSError(28, "No space left on device")
final_model.save = save
cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize("debug", [False, True])
def test_a_failure_is_one_line_and_the_log_has_the_rest(tmp_path: Path, runs: Path, debug: bool) -> None:
    """Exit code 1, status failed; the traceback on the terminal only with --debug."""
    arguments = ["--max-steps", "2", "--trackers", "csv", *(["--debug"] if debug else [])]
    done = subprocess.run(
        [sys.executable, "-c", FAILING, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) is debug
    assert "No space left on device" in done.stderr
    assert "training.log" in done.stderr
    folder = RunFolder(only_run(runs))
    assert state(folder).status == "failed"
    assert "Traceback" in (folder.logs / "training.log").read_text()
