"""One training by the command line with everything on at once."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from trackhub_trainer.preparing import prepare
from trackhub_trainer.request import read
from trainer_help import command, only_run

OPTIONS = (
    "--max-steps 20 --batch-size 2 --accumulate 2 --batching bucketed --schedule cosine --warmup-steps 2 --clip 1e-9 "
    "--early-stop train/lr:4@max --gradient-checkpointing --precision bf16-mixed --lora use_dora=true "
    "--lora use_rslora=true --weight-decay 0 --save-steps 2 --eval-limit 4 --trackers csv"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder, when it has ended."""
    runs = tmp_path_factory.mktemp("runs")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRACKHUB_")}
    settings = {"OMP_NUM_THREADS": "1", "TRACKHUB_LINGER": "0", "TRACKHUB_SYSTEM_EVERY": "0"}
    done = subprocess.run(
        command(*OPTIONS.split(), "--runs-dir", str(runs)),
        cwd=runs,
        env={**clean, **settings},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "stopped early at step 7: train/lr was no better in 4 values in a row" in done.stdout
    return only_run(runs)


def rows(folder: Path, metric: str) -> dict[int, float]:
    with (folder / "metrics.csv").open() as file:
        return {int(row["step"]): float(row[metric]) for row in csv.DictReader(file) if row[metric]}


def test_it_stops_early_and_saves_and_measures_there(folder: Path) -> None:
    """The rate rises for three steps, and falls for four."""
    assert list(rows(folder, "train/loss")) == [1, 2, 3, 4, 5, 6, 7]
    assert list(rows(folder, "test/accuracy")) == [0, 7]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["checkpoint-step-007.ckpt"]
    rates = rows(folder, "train/lr")
    assert rates[1] < rates[2] < rates[3] == 5e-4
    assert rates[3] > rates[4] > rates[7] > 0


def test_the_adapter_is_what_was_asked_for(folder: Path) -> None:
    """In `final_model/`, for whoever loads it."""
    settings = json.loads((folder / "final_model" / "adapter_config.json").read_text())
    assert (settings["use_dora"], settings["use_rslora"]) == (True, True)


def test_a_clipped_gradient_is_small(folder: Path) -> None:
    """The first moment of AdamW is a mean of gradients, which cannot be larger than what they were clipped to."""
    content = torch.load(folder / "checkpoints" / "checkpoint-step-007.ckpt", weights_only=True)
    moments = [state["exp_avg"] for state in content["optimizer_states"][0]["state"].values()]
    assert 0 < torch.cat([moment.flatten() for moment in moments]).norm() <= 1e-9


def test_its_config_is_a_configuration(folder: Path) -> None:
    """Everything that was given is in it."""
    path = folder / "config.yaml"
    request = read(["--config", str(path)])
    asked = read(OPTIONS.split())
    assert not request.problems
    for name in asked.given - {"lora", "trackers"}:
        assert getattr(request.config, name) == getattr(asked.config, name), name
    assert list(request.config.lora) == list(asked.config.lora)
    assert not {"accumulate", "schedule", "devices"} & set(yaml.safe_load(path.read_text())["config"]["chosen"])


def test_it_can_go_on_longer_than_it_was_to_take(folder: Path) -> None:
    """Also after it stopped early; the schedule is stretched, from where it is."""
    job = prepare(
        read(["--resume-from-checkpoint", str(folder), "--max-steps", "30", "--runs-dir", str(folder.parent)])
    )
    assert job.told is not None
    assert (job.told.step, job.schedule.max_steps, job.schedule.schedule) == (7, 30, "cosine")
    assert job.config.early_stop == "train/lr:4@max"
    assert job.schedule.lr_at(8) > job.schedule.lr_at(30) > 0
