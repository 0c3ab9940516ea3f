"""Trainings that go on after SIGKILL, in another place, after their end: the same to the last bit, in the same run."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from trackhub_trainer import belonging, model
from trackhub_trainer import request as requests
from trackhub_trainer.config import FIELDS, Config
from trackhub_trainer.preparing import prepare
from trackhub_trainer.resuming import FREE
from trainer_help import command, only_run

from trackhub import ConfigError
from trackhub.events import Batch, Metrics, Rewind
from trackhub.journal import read
from trackhub.journal.params import params
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
import os, signal, sys, threading
from trackhub_trainer import cli
from trackhub_trainer.keeping import Keeper
at, later = int(sys.argv[1]), float(sys.argv[2])
saved = Keeper.after_step
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def after_step(self, trainer, step, *rest):
    saved(self, trainer, step, *rest)
    if step == at:
        threading.Timer(later, die).start() if later else die()
Keeper.after_step = after_step
cli.run(sys.argv[3:])
"""
"""Dies so many seconds after a step."""

QUESTIONS = 30
STEPS = ("--batch-size", "4", "--accumulate", "2", "--workers", "1", "--save", "every:4", "--eval-limit", "3")
"""8 questions a step, so that an epoch ends within a step; with dropout, which is on by default."""
LOOKS = "--resume-from-checkpoint"


class Place:
    """A folder with data and runs, and the trainer in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        assets = Path(sys.modules["trackhub_trainer"].__file__ or "").parent / "assets" / "sample"
        lines = (assets / "sample_train_formatted.jsonl").read_text().splitlines(keepends=True)
        (path / "own.jsonl").write_text("".join(lines[:QUESTIONS]))

    @property
    def new(self) -> list[str]:
        """A training without its length."""
        return ["--train-file", "own.jsonl", "--test-file", "own.jsonl", "--trackers", "csv", *STEPS]

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


Done = dict[str, tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With a training of 20 steps in `runs` that was killed in its 13th, and copies of it elsewhere."""
    place = Place(tmp_path_factory.mktemp("place"))
    killed = place.python(KILLED, "13", "0", *place.new, "--max-steps", "20", "--runs-dir", "runs")
    assert killed.returncode == -9, killed.stderr
    run = only_run(place.path / "runs")
    shutil.copytree(run, place.path / "elsewhere" / "renamed")
    shutil.copytree(run, place.path / "as-killed")
    return place


@pytest.fixture(scope="module")
def done(place: Place) -> Done:
    """Commands that came after, by what they are for."""
    newest = place.path / "elsewhere" / "renamed" / "checkpoints" / "checkpoint-step-012.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1000])
    newest.with_name(".checkpoint-step-016.ckpt.12345").write_bytes(b"killed while it was written")
    commands = {
        "straight": [*place.new, "--max-steps", "24", "--stage1-steps", "12", "--runs-dir", "straight"],
        "killed": [*place.new, "--runs-dir", "runs", LOOKS, "auto"],
        "copied": ["--max-steps", "16", "--runs-dir", "nowhere", LOOKS, "elsewhere/renamed"],
        "nothing left": ["--runs-dir", "runs", LOOKS, "auto"],
        "longer": ["--max-steps", "24", "--runs-dir", "runs", LOOKS, "auto"],
    }
    return dict(zip(commands, place.trainer(*commands.values()), strict=True))


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


def test_after_sigkill_and_after_its_end_it_goes_on_to_the_last_bit_in_the_same_run(place: Place, done: Done) -> None:
    """With dropout, shuffling, a worker and accumulation, in the middle of an epoch.

    It was killed in step 13, went on from step 12 to its end at 20, and then to 24: as if it had run straight.
    """
    straight, run = only_run(place.path / "straight"), only_run(place.path / "runs")
    for name in ("straight", "killed", "longer"):
        assert done[name][0] == 0, done[name][2]
    assert "checkpoint-step-012.ckpt" in done["killed"][1]
    assert "checkpoint-step-020.ckpt" in done["longer"][1]
    assert list(losses(run)) == list(range(1, 25))
    assert losses(run) == losses(straight)
    for step in (12, 16, 20, 24):
        assert same(run, straight, step)
    assert [event.step for event in read(run) if isinstance(event, Rewind)] == [12]
    now = state(RunFolder(run))
    assert (now.status, now.attempt) == ("finished", 2)
    rates = [row.split(",")[3] for row in (run / "metrics.csv").read_text().splitlines()]
    assert len([rate for rate in rates if rate]) == 1 + 24, "the tracker has each row once"


def test_batches_are_those_of_a_straight_training(place: Place, done: Done) -> None:
    """By the lineage in the journal: no line twice, none left out."""
    straight, run = only_run(place.path / "straight"), only_run(place.path / "runs")
    assert done["longer"][0] == 0
    assert batches(run) == batches(straight)
    assert len(batches(run)) == 24


def batches(run: Path) -> dict[int, list[tuple[int, tuple[int, ...]]]]:
    """(epoch, lines) by step, in whatever order the ranks logged them."""
    found: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for event in read(run):
        if isinstance(event, Batch):
            found.setdefault(event.step, []).append((event.epoch, tuple(event.lines)))
    return {step: sorted(parts) for step, parts in found.items()}


def test_the_final_model_of_the_shorter_training_is_kept(place: Place, done: Done) -> None:
    assert done["longer"][0] == 0
    run = only_run(place.path / "runs")
    assert sorted(path.name for path in run.glob("final_model*")) == ["final_model", "final_model-before-1"]


def test_the_settings_in_force_are_recorded(place: Place, done: Done) -> None:
    """In the journal: config.yaml stays as the run began. What was chosen to fit is what it was."""
    assert done["longer"][0] == 0
    recorded = params(RunFolder(only_run(place.path / "runs")))
    assert [recorded[name] for name in ("max_steps", "stage1_steps", "stage2_steps", "lr")] == [24, 12, 12, 5e-4]


def test_a_moved_folder_goes_on_past_a_truncated_checkpoint(place: Place, done: Done) -> None:
    """Where it lies counts, not where it lay; the truncated one is told, and moved, not lost."""
    code, out, error = done["copied"]
    assert code == 0, error
    copied = place.path / "elsewhere" / "renamed"
    assert f"{copied}/checkpoints/checkpoint-step-012.ckpt is cut off, or is no checkpoint: passed over" in out
    assert f"going on from {copied}/checkpoints/checkpoint-step-008.ckpt" in out
    straight = losses(only_run(place.path / "straight"))
    assert losses(copied) == {step: loss for step, loss in straight.items() if step <= 16}
    assert (copied / "checkpoints" / "before-rewind-1" / "checkpoint-step-012.ckpt").is_file()
    assert not (place.path / "nowhere").exists()
    assert not list(copied.glob("checkpoints/.*")), "what was half written is gone"


def test_a_run_without_steps_left_says_so(done: Done) -> None:
    code, _, error = done["nothing left"]
    assert code == 2
    assert error.splitlines()[1:] == [
        "trainer: the run has done all its 20 steps: a larger --max-steps goes on with it"
    ]


def problems(*arguments: str) -> str:
    """What is said of a command line before anything is trained."""
    with pytest.raises(ConfigError) as caught:
        prepare(requests.read([*arguments, "--trackers", "none"]))
    return "\n".join(caught.value.problems)


@pytest.fixture
def killed(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run that was killed; nothing in its folder may have changed when the test is over."""
    monkeypatch.chdir(place.path)
    run = tmp_path / "runs" / "sample_lora_20250720_143052"
    shutil.copytree(place.path / "as-killed", run)
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    yield run
    for path, content in files.items():
        assert path.suffix == ".ckpt" or path.read_bytes() == content
    assert {path for path in run.rglob("*") if path.is_file()} == files.keys()


def newest(run: Path) -> Path:
    return run / "checkpoints" / "checkpoint-step-012.ckpt"


class Bomb:
    """Runs a command where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


def test_a_pickle_bomb_is_not_run(killed: Path, tmp_path: Path) -> None:
    """Neither as a file of torch's, nor as a bare pickle."""
    for dump in (torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))):
        dump({"state_dict": Bomb(tmp_path / "marker")}, newest(killed))
        said = problems(LOOKS, str(newest(killed)))
        assert "holds more than numbers and text" in said or "is no checkpoint" in said
        assert said.count("\n") == 0
    assert not (tmp_path / "marker").exists()


def test_damaged_and_foreign_files(killed: Path) -> None:
    """One line each."""
    whole = newest(killed).read_bytes()
    middle = len(whole) // 2
    for content, words in (
        (whole[:middle], "is cut off, or is no checkpoint"),
        (whole[:middle] + b"XXXX" + whole[middle + 4 :], "is damaged"),
        (b"", "is cut off, or is no checkpoint"),
    ):
        newest(killed).write_bytes(content)
        assert words in problems(LOOKS, str(newest(killed)))
    torch.save({"state_dict": {}}, newest(killed))
    assert "is no checkpoint of this trainer: it holds no trackhub, optimizer_states" in problems(LOOKS, str(killed))


def test_what_was_trained_cannot_be_changed_and_all_of_it_is_told_at_once(killed: Path) -> None:
    """What is still to come can; a setting that is what it was is no change."""
    said = problems(LOOKS, str(killed), "--lr", "1", "--seed", "3", "--batch-size", "4", "--max-steps", "11")
    assert "--lr 1.0: the run sample_lora_20250720_143052 was trained with 0.0005" in said
    assert "--seed 3" in said
    assert "--batch-size" not in said
    assert "--max-steps 11 is less than the 12 steps that " in said
    assert said.count("\n") == 2


def test_other_data_and_another_run_are_refused(place: Place, killed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("".join(reversed((place.path / "own.jsonl").read_text().splitlines(keepends=True))))
    assert "was trained on other questions than" in problems(LOOKS, str(killed), "--train-file", str(other))
    content = torch.load(newest(killed), weights_only=True)
    content["trackhub"]["run_id"] = "0" * 16
    torch.save(content, newest(killed))
    assert "is of another run (0000000000000000)" in problems(LOOKS, str(newest(killed)))


def test_the_same_questions_on_other_lines_are_refused(place: Place, killed: Path, tmp_path: Path) -> None:
    """Lineage counts lines: one blank line more, and the journal would mean two files."""
    moved = tmp_path / "moved.jsonl"
    moved.write_text("\n" + (place.path / "own.jsonl").read_text())
    assert "on other lines than the run" in problems(LOOKS, str(killed), "--train-file", str(moved))


def test_a_training_may_end_inside_its_first_stage(killed: Path) -> None:
    """The rates up to there stay what they were."""
    earlier = newest(killed).with_name("checkpoint-step-008.ckpt")
    job = prepare(requests.read([LOOKS, str(earlier), "--max-steps", "10", "--trackers", "none"]))
    steps = job.schedule
    assert (steps.max_steps, steps.stage1_steps, steps.stage2_steps) == (10, 10, 0)
    assert {steps.lr_at(step) for step in range(1, 11)} == {5e-4}


def test_another_model_is_refused_by_its_shapes_and_by_its_weights(killed: Path, tiny: Any) -> None:
    """A base of the same architecture with other weights is another model."""
    told = belonging.told_by(newest(killed))
    base, _ = model.load("tiny")
    assert belonging.of_model(told, tiny, belonging.fingerprint(base), "tiny") == []
    with torch.no_grad():
        next(base.parameters()).mul_(1.001)
    assert "same layers, other weights" in belonging.of_model(told, tiny, belonging.fingerprint(base), "x")[0]
    smaller = model.with_adapter(base, Config(lora_r=4))
    assert "lora_A.default.weight is (16, 128) there and (4, 128) here" in belonging.of_model(told, smaller, "", "x")[0]


def test_what_is_not_there_is_named(killed: Path) -> None:
    """A file, a run, a run without checkpoints, a checkpoint whose run is gone."""
    assert "is neither a run folder nor a name under" in problems(LOOKS, "nowhere")
    alone = killed.parents[1] / "alone" / "checkpoint-step-012.ckpt"
    alone.parent.mkdir()
    shutil.copy(newest(killed), alone)
    content = torch.load(alone, weights_only=True)
    content["trackhub"]["run_path"] = "/gone"
    torch.save(content, alone)
    assert "its run is not at /gone: put it back into the run's folder" in problems(LOOKS, str(alone))
    empty = killed.parents[1] / "empty"
    shutil.copytree(killed, empty)
    shutil.rmtree(empty / "checkpoints")
    assert "the run empty has no checkpoint to go on from" in problems(LOOKS, str(empty))


def test_auto_begins_a_new_run_where_there_is_none_to_go_on_with(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one command line serves the first start and every later one."""
    monkeypatch.chdir(place.path)
    job = prepare(requests.read([*place.new, "--trackers", "none", "--runs-dir", "empty", LOOKS, "auto"]))
    assert job.origin is None
    assert job.notes == ("--resume-from-checkpoint auto: nothing to go on with yet, a new run begins",)


def test_auto_takes_the_newest_run_of_the_data_set(killed: Path) -> None:
    """By its start; other data sets' runs, and folders that are no runs, are none."""
    for name in ("sample_lora_20240101_000000", "piqa_lora_20260101_000000"):
        other = killed.with_name(name)
        shutil.copytree(killed, other)
        journal = other / "journal" / "rank-0.jsonl"
        journal.write_bytes(re.sub(rb'"started":\d+', b'"started":1', journal.read_bytes(), count=1))
    origin = prepare(requests.read(["--runs-dir", str(killed.parent), LOOKS, "auto", "--trackers", "none"])).origin
    assert origin is not None
    assert origin.run == killed


def test_what_may_be_given_anew_are_settings() -> None:
    assert FIELDS.keys() >= FREE


@pytest.mark.torture
def test_random_kills_change_nothing(place: Place, done: Done) -> None:
    """One command line, killed at random moments, also while it saves, until it gets through."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    again = [*place.new, "--max-steps", "24", "--stage1-steps", "12", "--runs-dir", "random", LOOKS, "auto"]
    again[again.index("every:4")] = "every:1"
    for step in (5, 11, 17):
        when = [f"{step + chance.randrange(4)}", f"{chance.random() / 3:.3f}"]
        assert place.python(KILLED, *when, *again).returncode == -9, (seed, when)
    last = place.python(MANY, json.dumps([again]))
    assert "=== 0" in last.stdout, (seed, last.stderr)
    straight, run = only_run(place.path / "straight"), only_run(place.path / "random")
    assert losses(run) == losses(straight), seed
    assert batches(run) == batches(straight), seed
    assert same(run, straight, 24), seed
    assert state(RunFolder(run)).attempt == 3


@pytest.mark.torture
def test_two_ranks_go_on_to_the_last_bit(place: Place) -> None:
    """Each with the dropout that it had."""
    ranks = ["--devices", "2", "--batch-size", "2", "--save", "every:2", "--eval-limit", "3", "--stage1-steps", "3"]
    for arguments in (
        [*ranks, "--max-steps", "6", "--runs-dir", "ranks-straight"],
        [*ranks, "--max-steps", "4", "--runs-dir", "ranks"],
        ["--max-steps", "6", "--runs-dir", "ranks", LOOKS, "auto"],
    ):
        done = subprocess.run(
            command(*arguments, "--trackers", "none"), cwd=place.path, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stderr
    straight, run = only_run(place.path / "ranks-straight"), only_run(place.path / "ranks")
    assert same(run, straight, 6)
    assert losses(run) == losses(straight)
    assert batches(run) == batches(straight)
