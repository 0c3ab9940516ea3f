"""Trainings that go on after SIGKILL, in another place, after their end: the same to the last bit, in the same run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_help import only_run

from trackhub.events import Metrics, Rewind
from trackhub.journal import read
from trackhub.journal.state import state
from trackhub.layout import RunFolder

MANY = """
import json, sys
from trackhub_trainer import cli
for argv in json.loads(sys.argv[1]):
    code = cli.run(argv)
    for stream in (sys.stdout, sys.stderr):
        print(f"=== {code}", file=stream, flush=True)
"""
"""Several commands in one process: torch is imported once."""

KILLED = """
import os, signal, sys
from trackhub_trainer import cli
from trackhub_trainer.keeping import Keeper
saved = Keeper.after_step
def after_step(self, trainer, step, *rest):
    saved(self, trainer, step, *rest)
    if step == 13:
        os.kill(os.getpid(), signal.SIGKILL)
Keeper.after_step = after_step
cli.run(sys.argv[1:])
"""
"""Dies in its 13th step."""

QUESTIONS = 30
STEPS = ("--batch-size", "4", "--accumulate", "2", "--workers", "1", "--save", "every:5", "--eval-limit", "3")
"""8 questions a step, so that an epoch ends within a step; with dropout, which is on by default."""


class Place:
    """A folder with data and runs, and the trainer in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        assets = Path(sys.modules["trackhub_trainer"].__file__ or "").parent / "assets" / "sample"
        lines = (assets / "sample_train_formatted.jsonl").read_text().splitlines(keepends=True)
        (path / "own.jsonl").write_text("".join(lines[:QUESTIONS]))

    @property
    def new(self) -> list[str]:
        """A training of 20 steps."""
        return [
            "--train-file",
            "own.jsonl",
            "--test-file",
            "own.jsonl",
            "--max-steps",
            "20",
            "--trackers",
            "csv",
            *STEPS,
        ]

    def python(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {"OMP_NUM_THREADS": "1", "TRACKHUB_LINGER": "0", "TRACKHUB_SYSTEM_EVERY": "0"}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TRACKHUB_")}
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.path,
            env={**clean, **settings},
            capture_output=True,
            text=True,
            timeout=200,
        )

    def trainer(self, *commands: list[str]) -> list[tuple[int, str, str]]:
        """(exit code, stdout, stderr) of each command."""
        done = self.python(MANY, json.dumps(commands))
        outs, errors = (text.split("=== ") for text in (done.stdout, done.stderr))
        assert len(outs) == len(commands) + 1, done.stderr
        codes = [int(part.split("\n")[0]) for part in outs[1:]]
        texts = zip(outs, errors, strict=True)
        return [(code, out, error) for code, (out, error) in zip(codes, texts, strict=False)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With a straight training of 20 steps in `straight`, and one in `runs` that was killed in its 13th."""
    place = Place(tmp_path_factory.mktemp("place"))
    killed = place.python(KILLED, *place.new, "--runs-dir", "runs")
    assert killed.returncode == -9, killed.stderr
    run = only_run(place.path / "runs")
    shutil.copytree(place.path / "runs", place.path / "elsewhere")
    (place.path / "elsewhere" / run.name).rename(place.path / "elsewhere" / "renamed")
    cut_off = place.path / "elsewhere" / "renamed" / "checkpoints" / "checkpoint-step-010.ckpt"
    cut_off.write_bytes(cut_off.read_bytes()[:-1000])
    place.done = place.trainer(  # type: ignore[attr-defined]
        [*place.new, "--runs-dir", "straight"],
        [*place.new, "--runs-dir", "runs", "--resume-from-checkpoint", "auto"],
        ["--runs-dir", "nowhere", "--resume-from-checkpoint", "elsewhere/renamed"],
        ["--runs-dir", "straight", "--resume-from-checkpoint", "auto"],
    )
    return place


def weights(run: Path, step: int) -> dict[str, Any]:
    content = torch.load(run / "checkpoints" / f"checkpoint-step-{step:03d}.ckpt", weights_only=True)
    moments = content["optimizer_states"][0]["state"]
    return content["state_dict"] | {f"{key}.{name}": one[name] for key, one in moments.items() for name in one}


def same(one: Path, other: Path, step: int) -> bool:
    """Weights and the optimizer's moments, to the last bit."""
    here, there = weights(one, step), weights(other, step)
    return here.keys() == there.keys() and all(torch.equal(here[name], there[name]) for name in here)


def losses(run: Path) -> dict[int, float]:
    events = [event for event in read(run) if isinstance(event, Metrics) and "train/loss" in event.metrics]
    assert len({event.step for event in events}) == len(events), "each step once"
    return {event.step: float(event.metrics["train/loss"]) for event in events}


def test_after_sigkill_it_goes_on_to_the_last_bit_in_the_same_run(place: Place) -> None:
    """With dropout, shuffling, a worker and accumulation, in the middle of an epoch; steps 11 to 13 were repeated."""
    straight, run = only_run(place.path / "straight"), only_run(place.path / "runs")
    code, out, error = place.done[1]  # type: ignore[attr-defined]
    assert code == 0, error
    assert "checkpoint-step-010.ckpt" in out
    assert list(losses(run)) == list(range(1, 21))
    assert losses(run) == losses(straight)
    assert same(run, straight, 15)
    assert same(run, straight, 20)
    assert [event.step for event in read(run) if isinstance(event, Rewind)] == [10]
    now = state(RunFolder(run))
    assert (now.status, now.attempt) == ("finished", 1)
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + 20 + 2, "the tracker has each row once"
