"""One training, six trackers: what each holds is equal to what was logged, key by key, value by value, time by time."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import agreement
import holdings
import pytest
import wandb_reader

import trackhub
from trackhub.journal.state import state
from trackhub.layout import all_runs

TRAINER = [str(Path(sys.executable).with_name("trainer")), "--max-steps", "20", "--eval-limit", "4"]
VALUES = [0.1, -0.0, 1e300, 5e-324, math.nan, math.inf, -math.inf, 2**53, 3, 1 / 3]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the trainer on its sample, with all six trackers."""
    runs = tmp_path_factory.mktemp("six") / "runs"
    command = [*TRAINER, "--trackers", ",".join(holdings.SIX), "--runs-dir", str(runs), "--finish-timeout", "120"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = all_runs(runs)
    return folder.path


@pytest.mark.parametrize("tracker", holdings.SIX)
def test_each_tracker_holds_the_training_as_it_was(tracker: str, trained: Path) -> None:
    assert agreement.difference(trained, tracker) == ""
    assert holdings.status_of(trained, tracker) in (None, "finished")


def test_every_step_of_the_training_is_there(trained: Path) -> None:
    losses = [point for point in holdings.points(trained, "wandb") if point[0] == "train/loss"]
    assert [step for _, step, *_ in losses] == list(range(1, 21))


def test_the_configuration_is_in_each_that_keeps_one(trained: Path) -> None:
    params = dict(holdings.in_mlflow(trained, "select key, value from params where run_uuid = ?"))
    assert params["max_steps"] == "20" or params["training/max_steps"] == "20"
    assert wandb_reader.config(trained)
    assert "max_steps" in (trained / "config.json").read_text()


@pytest.mark.parametrize("status", ["finished", "failed", "killed"])
def test_odd_values_and_the_true_status_are_everywhere(status: str) -> None:
    run = trackhub.start(trackers=",".join(holdings.SIX), config={"lr": 1e-4}, finish_timeout=120)
    for step in range(300):
        run.log_metrics({"train/loss": VALUES[step % len(VALUES)], "lr": step * 1e-3}, step=step)
        if step % 50 == 49:
            run.log_metrics({"val/loss": 1 / (step + 1)}, step=step - 20)
    run.finish(status)
    receipts = {receipt.tracker: receipt for receipt in run.receipts()}
    assert all(receipt.complete for receipt in receipts.values())
    assert {name: receipt.mapped for name, receipt in receipts.items() if receipt.mapped} == {"mlflow": 60}
    assert state(all_runs(run.path.parent)[0]).status == status
    agreement.assert_each_point_once(run.path, status=status)
