"""Two ranks on this machine's CPU: one run, and the training of one process."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from trackhub_trainer import machine
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trainer_fit import LIGHTNING, distance, fit
from trainer_help import command, only_run

from trackhub.journal.state import state
from trackhub.layout import RunFolder
from trackhub.lineage import law
from trackhub.lineage.law import of_run
from trackhub.lineage.proof import proven
from trackhub.lineage.reading import read

pytestmark = [pytest.mark.filterwarnings(warning) for warning in LIGHTNING]
STEPS = 4
DIVIDED = "--devices 2 --accumulate 2 --batch-size 2 --lora-dropout 0 --lr 5e-3 --eval-limit 4 --save-steps 1"
ALONE = Config(batch_size=8, lora_dropout=0.0, lr=5e-3, max_steps=STEPS)


def environment() -> dict[str, str]:
    """Without what this test run has set."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRACKHUB_")}
    return {**clean, "OMP_NUM_THREADS": "1", "TRACKHUB_LINGER": "0", "TRACKHUB_SYSTEM_EVERY": "0"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A training on two ranks, ended; its working folder is `args[-1]`."""
    folder = tmp_path_factory.mktemp("ranks")
    arguments = command(*DIVIDED.split(), "--max-steps", f"{STEPS}", "--trackers", "csv", "--runs-dir", f"{folder}")
    settings = {**environment(), "TRACKHUB_STRICT": "1"}
    return subprocess.run(arguments, cwd=folder, env=settings, capture_output=True, text=True, timeout=280)


@pytest.fixture
def folder(done: subprocess.CompletedProcess[str]) -> Path:
    """The one run's folder."""
    assert done.returncode == 0, done.stderr
    return only_run(Path(done.args[-1]))


def test_two_ranks_train_what_one_process_trains(
    folder: Path, tmp_path: Path, encoder: Encoder, questions: tuple[Question, ...]
) -> None:
    """The same losses, as the trackers have them, and the same weights, to the precision of the numbers."""
    alone = fit(tmp_path, encoder.examples(questions), ALONE)
    with (folder / "metrics.csv").open() as file:
        logged = {int(row["step"]): float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]}
    assert logged == pytest.approx(alone.losses, rel=1e-5)
    last = torch.load(folder / "checkpoints" / f"checkpoint-step-{STEPS:03d}.ckpt", weights_only=True)
    assert distance(last["state_dict"], alone.weights) < 1e-4


def test_ranks_are_one_run(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """Each has a journal file and a log of its own in it; the trackers get each step once."""
    assert {"rank-0.jsonl", "rank-1.jsonl"} <= {path.name for path in (folder / "journal").iterdir()}
    assert {"training.log", "training.rank-1.log"} <= {path.name for path in (folder / "logs").iterdir()}
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [f"checkpoint-step-{STEPS:03d}.ckpt"]
    assert "rank-1" not in (folder / "metrics.csv").read_text()


def test_each_rank_keeps_its_share_of_each_step(folder: Path) -> None:
    """The journal is what the order says, rank by rank; the traditional file holds whole steps."""
    known = law.of_run(RunFolder(folder))
    assert known is not None
    lineage = read(RunFolder(folder))
    assert {(one.step, one.rank) for one in lineage.batches} == {
        (step, rank) for step in range(1, 5) for rank in (0, 1)
    }
    assert proven(lineage, known).true
    rows = [json.loads(row) for row in (folder / "logs" / "batch_tracking_sample.jsonl").read_text().splitlines()]
    told = [[(sample["source_line"], sample["epoch"]) for sample in row["samples"]] for row in rows]
    assert told == [known.share(step) for step in range(1, STEPS + 1)]


def test_lineage_tells_the_lines_of_each_rank(folder: Path) -> None:
    """And they are those of the order."""
    told = read(RunFolder(folder))
    shares = {(batch.step, batch.rank): len(batch.lines) for batch in told.batches}
    assert shares == {(step, rank): 4 for step in range(1, STEPS + 1) for rank in (0, 1)}
    law = of_run(RunFolder(folder))
    assert law is not None
    assert proven(told, law).true


def test_only_rank_0_talks_and_measures(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """The console reads like that of one process."""
    assert done.stderr == ""
    for once in ("trainable parameters", f"step {STEPS}/{STEPS}", "test accuracy after", "have confirmed"):
        assert done.stdout.count(once) == 1
    assert f"{STEPS} steps of 8 " in done.stdout
    assert "test accuracy" not in (folder / "logs" / "training.rank-1.log").read_text()


@pytest.mark.torture
def test_torchrun_starts_the_ranks_of_one_run(tmp_path: Path) -> None:
    """All at once: the others wait for rank 0's run."""
    torchrun = Path(sys.executable).with_name("torchrun")
    ours = command(*DIVIDED.split(), "--max-steps", "2", "--trackers", "csv", "--runs-dir", f"{tmp_path}")
    launched = [str(torchrun), "--standalone", "--nproc-per-node", "2", "--no-python", *ours]
    done = subprocess.run(launched, env=environment(), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 2/2") == 1
    assert {"rank-0.jsonl", "rank-1.jsonl"} <= {path.name for path in (only_run(tmp_path) / "journal").iterdir()}


@pytest.mark.torture
@pytest.mark.alone
def test_a_rank_that_is_killed_fails_the_run(tmp_path: Path) -> None:
    """Nobody waits for it for ever: rank 0 fails, or Lightning kills it; either way the run has ended."""
    ours = command(*DIVIDED.split(), "--max-steps", "100000", "--trackers", "csv", "--runs-dir", f"{tmp_path}")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*ours, "--stage1-steps", "5"], env=environment(), text=True, **pipes) as trainer:
        until = time.monotonic() + 200
        while not list(tmp_path.glob("*/journal/rank-1.jsonl")) and time.monotonic() < until:
            time.sleep(0.2)
        [other] = [one for one in psutil.Process(trainer.pid).children() if "trainer" in " ".join(one.cmdline()[:3])]
        time.sleep(8)
        other.kill()
        _, error = trainer.communicate(timeout=60)
    assert trainer.returncode in (1, -signal.SIGKILL), error
    assert trainer.returncode < 0 or "training.rank-*.log" in error
    run, until = RunFolder(only_run(tmp_path)), time.monotonic() + 30
    while state(run).status == "running" and time.monotonic() < until:
        time.sleep(0.2)
    assert state(run).status in ("failed", "killed")


@pytest.mark.parametrize(
    ("config", "variables", "said"),
    [
        (Config(num_nodes=2), {}, "--num-nodes 2 wants torchrun or srun on each machine"),
        (Config(num_nodes=2, devices=4), {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, "starts 2 processes, but"),
        (Config(strategy="fsdp", accelerator="cpu"), {}, "--strategy fsdp needs GPUs"),
        (Config(precision="16-mixed", accelerator="cpu"), {}, "on a CPU: --precision bf16-mixed"),
    ],
)
def test_what_cannot_be(config: Config, variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before anything is loaded."""
    for name in machine.LAUNCHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    [problem] = machine.problems(config)
    assert said in problem


def test_torchrun_and_slurm_may_start_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken at their word."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert machine.problems(Config(num_nodes=2, devices=2)) == []
