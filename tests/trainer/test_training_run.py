"""One real training by the command line, and everything that it leaves behind."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from trackhub_trainer import evaluating, sources
from trackhub_trainer.batches import flat
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.eval_options import read
from trackhub_trainer.evaluate import accuracy
from trackhub_trainer.tasks import TASKS
from trainer_help import command, only_run

STEPS = 60
KEY = "a1B2c3D4e5F6g7H8i9J0"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """`trainer --max-steps 60 --save-steps 3`, ended; its working folder is `args[-1]`."""
    folder = tmp_path_factory.mktemp("run")
    (folder / ".env").write_text(f"EXPERIMENT_NAME=named-in-env\nSWANLAB_API_KEY={KEY}\n")
    arguments = ["--max-steps", str(STEPS), "--save_steps", "3", "--trackers", "csv,jsonl", "--runs-dir", f"{folder}"]
    return run(*arguments, folder=folder)


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command line, run to its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRACKHUB_")}
    settings = {"OMP_NUM_THREADS": "1", "TRACKHUB_LINGER": "0", "TRACKHUB_SYSTEM_EVERY": "0", "TRACKHUB_STRICT": "1"}
    return subprocess.run(
        command(*arguments), cwd=folder, env={**clean, **settings}, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def folder(done: subprocess.CompletedProcess[str]) -> Path:
    """The run's folder."""
    assert done.returncode == 0, done.stderr
    return only_run(Path(done.args[-1]))


def rows(folder: Path, metric: str) -> dict[int, float]:
    """metrics.csv: the values of one metric by step."""
    with (folder / "metrics.csv").open() as file:
        return {int(row["step"]): float(row[metric]) for row in csv.DictReader(file) if row[metric]}


def test_loss_and_rate_are_logged_at_every_step_from_1(folder: Path) -> None:
    """The same count as in the checkpoints' names."""
    assert list(rows(folder, "train/loss")) == list(range(1, STEPS + 1))
    rates = rows(folder, "train/lr")
    assert [rates[step] for step in (1, 36, 37, STEPS)] == [5e-4, 5e-4, 5e-5, 5e-5]


def test_the_model_learns(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """The loss falls, and the accuracy rises from chance."""
    losses = list(rows(folder, "train/loss").values())
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    measured = rows(folder, "test/accuracy")
    assert list(measured) == [0, STEPS]
    assert measured[0] < 0.5
    assert measured[STEPS] > 0.8
    assert f"{100 * measured[STEPS]:.1f} %" in done.stdout


def test_the_last_steps_are_checkpoints(folder: Path) -> None:
    """And nothing unfinished lies beside them."""
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == [f"checkpoint-step-{step:03d}.ckpt" for step in (58, 59, 60)]


def test_a_checkpoint_holds_what_was_trained_and_its_place_and_no_pickled_code(folder: Path) -> None:
    """It loads with weights_only; the frozen base is not in it."""
    content = torch.load(folder / "checkpoints" / "checkpoint-step-059.ckpt", weights_only=True)
    assert content["global_step"] == 59
    assert all("lora_" in name for name in content["state_dict"])
    assert len(content["state_dict"]) == 2 * 7 * 3, "two matrices for each of 7 layers in each of 3 blocks"
    assert content["optimizer_states"]
    assert content["lr_schedulers"]
    assert content["rng"][0]["torch"].dtype == torch.uint8
    told = content["trackhub"]
    assert (told["run_path"], told["step"], told["place"], told["seed"]) == (str(folder), 59, 59 * 8, 42)
    assert told["run_id"] == yaml.safe_load((folder / "config.yaml").read_text())["run"]["id"]


def test_the_final_model_loads_with_peft_and_is_the_last_checkpoint(folder: Path) -> None:
    """From its folder alone, without this project."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    final = AutoPeftModelForCausalLM.from_pretrained(folder / "final_model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "final_model")
    last = torch.load(folder / "checkpoints" / "checkpoint-step-060.ckpt", weights_only=True)["state_dict"]
    weights = {f"model.{name}": weight for name, weight in final.state_dict().items() if "lora_" in name}
    assert weights.keys() == last.keys()
    assert all(torch.equal(weights[name], last[name]) for name in last)
    card = (folder / "final_model" / "README.md").read_text()
    assert f"| test/accuracy | {rows(folder, 'test/accuracy')[STEPS]:.4g} |" in card
    assert measured(final, tokenizer) == pytest.approx(rows(folder, "test/accuracy")[STEPS])


def measured(model: Any, tokenizer: Any) -> float:
    """The accuracy on the sample's test questions."""
    found, _ = sources.read(TASKS["sample"], Path("nowhere"))
    questions: tuple[Question, ...] = found.test
    return accuracy(model, Encoder(tokenizer, 512), questions, flat, lambda _: None).value


def test_the_console_shows_the_end_and_nothing_of_other_libraries(done: subprocess.CompletedProcess[str]) -> None:
    """Where everything lies, what the trackers confirmed; no tips, no warnings, no progress bar in a pipe."""
    folder = only_run(Path(done.args[-1]))
    for words in (str(folder), "metrics.csv", "final_model", "logs/training.log", "csv      delivered"):
        assert words in done.stdout
    assert "jsonl    delivered" in done.stdout
    assert done.stderr == ""
    for noise in ("litlogger", "Warning", "it/s", "GPU available", "\r"):
        assert noise not in done.stdout
    assert done.stdout.count("step ") < 15


def test_the_log_has_what_the_console_spares(folder: Path) -> None:
    """Times, levels, and the other libraries' words."""
    log = (folder / "logs" / "training.log").read_text()
    assert "test accuracy before training" in log
    assert f"step {STEPS}/{STEPS}" in log
    assert "lightning" in log


def test_the_environment_file_names_the_run_and_its_keys_stay_out_of_every_file(folder: Path) -> None:
    assert folder.name.startswith("named-in-env_")
    assert not [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_the_config_of_the_run_runs_it_again(folder: Path, tmp_path: Path) -> None:
    """To the last bit: the same losses. And with fewer steps, what was chosen to fit is chosen anew."""
    recorded = yaml.safe_load((folder / "config.yaml").read_text())["config"]
    assert (recorded["max_steps"], recorded["batch_size"], recorded["lr2"]) == (STEPS, 8, 5e-5)
    assert "batch_size" in recorded["chosen"]
    assert "max_steps" not in recorded["chosen"]
    arguments = ["--config", f"{folder / 'config.yaml'}", "--stage1-steps", "36", "--stage2-steps", "24"]
    again = run(*arguments, "--save-steps", "0", "--trackers", "csv", "--runs-dir", f"{tmp_path}", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    repeated = only_run(tmp_path)
    assert rows(repeated, "train/loss") == rows(folder, "train/loss")
    assert not (repeated / "checkpoints").exists()


def test_the_run_and_its_checkpoints_can_be_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the run's own data unless others are named; what is measured is what was logged."""
    for target, step in ((folder, STEPS), (folder / "checkpoints" / "checkpoint-step-060.ckpt", STEPS)):
        evaluating.run(read([str(target), "--json"]), Console())
        found = {row["metric"]: row for row in json.loads(capsys.readouterr().out)}
        assert found["accuracy"]["value"] == pytest.approx(rows(folder, "test/accuracy")[step])
        assert found["accuracy"]["model"].startswith(folder.name)
        assert found.keys() == {"accuracy", "cloze_acc", "cloze_acc_norm"}
    arguments = [folder.name, "--runs-dir", f"{folder.parent}", "--measure", "own", "--limit", "5", "--json"]
    evaluating.run(read(arguments), Console())
    [row] = json.loads(capsys.readouterr().out)
    assert row["questions"] == 5
