"""What the trainer's tests share: the tiny model, loaded once, and the command line run as a user runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from trackhub_trainer import model, sources
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.tasks import TASKS
from trainer_help import Trainer, command

THIRD_PARTIES = (
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",  # transformers, called by peft
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of other libraries, by name, for the tests of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            for warning in THIRD_PARTIES:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def questions() -> tuple[Question, ...]:
    """The training questions of the sample."""
    found, problems = sources.read(TASKS["sample"], Path("nowhere"))
    assert not problems
    return found.train


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    import torch

    torch.set_num_threads(1)
    return model.load("tiny")[1]


@pytest.fixture
def encoder(tokenizer: Any) -> Encoder:
    return Encoder(tokenizer, 512)


@pytest.fixture
def tiny() -> Any:
    """The tiny model with an adapter that does something; dropout is off."""
    import torch

    base, _ = model.load("tiny")
    torch.manual_seed(1)
    adapted = model.with_adapter(base, Config(lora_dropout=0.0))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return adapted.eval()


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    """Runs `trainer` with these arguments in an empty folder."""

    def run(*arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
