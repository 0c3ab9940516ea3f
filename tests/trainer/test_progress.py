"""What people see of a training that goes on."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from trackhub_trainer.config import Config
from trackhub_trainer.progress import LINES, ShowProgress
from trackhub_trainer.schedule import Schedule, settle

STEPS = 300


def shown(terminal: bool, width: int = 80, first: int = 0) -> str:
    """All that a training of 300 steps puts on the console."""
    schedule: Schedule = replace(settle(Config(), 1000), max_steps=STEPS)
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, legacy_windows=False)
    progress, trainer = ShowProgress(console, schedule), SimpleNamespace(global_step=first)
    progress.on_train_start(trainer, None)
    for step in range(first + 1, STEPS + 1):
        progress.after_step(trainer, step, torch.tensor(1.5))
    progress.on_train_end()
    return out.getvalue()


def test_a_pipe_gets_a_few_plain_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The same as the log: no control characters, no bar."""
    with caplog.at_level(logging.INFO):
        lines = shown(terminal=False).splitlines()
    assert len(lines) == LINES
    assert [record.message for record in caplog.records] == lines
    assert not any(character in "".join(lines) for character in "\x1b\r━")
    for words in ("step 300/300", "loss 1.5000", "lr 5e-05", "steps/s", "B  ", "ETA 0:00:00"):
        assert words in lines[-1]


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_one_bar_with_everything(width: int) -> None:
    """Nothing is cut off, not even on 80 columns."""
    text = shown(terminal=True, width=width)
    for words in ("300/300", "━", "loss 1.5000", "lr 5e-05", "steps/s", "ETA 0:00:00"):
        assert words in text
    assert "…" not in text
    assert text.count("\n") < 5, "one line that is drawn again"


def test_a_training_that_goes_on_counts_its_speed_from_where_it_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, *(float(second) for second in range(1, STEPS))])
    monkeypatch.setattr("trackhub_trainer.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert "  1 steps/s" in shown(terminal=False, first=200)


def test_the_loss_is_looked_at_as_seldom_as_it_is_shown() -> None:
    """Each look waits for the device."""
    looks = []

    class Loss(float):
        def __float__(self) -> float:
            looks.append(1)
            return 1.5

    progress = ShowProgress(Console(file=io.StringIO()), replace(settle(Config(), 1000), max_steps=STEPS))
    progress.on_train_start(SimpleNamespace(global_step=0), None)
    loss: Any = Loss()
    for step in range(1, STEPS + 1):
        progress.after_step(SimpleNamespace(), step, loss)
    assert len(looks) == LINES
