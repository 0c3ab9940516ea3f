"""Early stopping: on any metric that is logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.early_stop import EarlyStop
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.patience import rule
from trackhub_trainer.watch import Watch
from trainer_fit import LIGHTNING, fit

pytestmark = [pytest.mark.filterwarnings(warning) for warning in LIGHTNING]


class Logged:
    """A trainer with one rank, and the metric `m` as it would be logged."""

    world_size, max_steps, should_stop = 1, 100, False

    def __init__(self, text: str, *values: float | None) -> None:
        self.said: list[str] = []
        self.saved: list[Any] = []
        watch = Watch(lambda metrics, step: None)
        self.early = EarlyStop(rule(text), watch, self.saved.append, self.said.append)
        self.ended = 0
        for step, value in enumerate(values, 1):
            if value is not None:
                watch.log({"m": value}, step)
            self.early.after_step(self, step)
            if self.should_stop:
                self.ended = step
                break


@pytest.mark.parametrize(
    ("text", "values", "ended"),
    [
        ("m:2", [5, 4, 4, 4, 1], 4),
        ("m:2", [5, 6, 4, 6, 3, 6], 0),
        ("m:2@max", [5, 6, 4, 6, 3, 6], 4),
        ("m:2", [5, None, 5, None, None, 5, None], 6),
        ("m:1", [5, float("nan")], 2),
        ("m:1", [float("nan"), 5, 4, 5], 1),
    ],
)
def test_so_many_values_that_are_no_better(text: str, values: list[float | None], ended: int) -> None:
    """Steps that do not log the metric do not count; what is no number is no better."""
    logged = Logged(text, *values)
    assert logged.ended == ended
    assert len(logged.saved) == len(logged.said) == (ended > 0)


@pytest.mark.parametrize(("metric", "sign"), [("val/loss:3", 1), ("val/accuracy:3", -1), ("a:b:3@max", -1)])
def test_which_way_is_better(metric: str, sign: int) -> None:
    """A loss is better when it is lower, an accuracy when it is higher."""
    assert rule(metric).sign == sign


def test_a_training_that_goes_on_remembers_how_long_it_has_waited() -> None:
    """What a checkpoint keeps of it is plain."""
    waiting = Logged("m:3", 4.0, 5.0, 5.0)
    assert waiting.early.state_dict() == {"of": ["m", 1], "best": 4.0, "waited": 2}
    later = Logged("m:5")
    later.early.load_state_dict(waiting.early.state_dict())
    assert later.early.state_dict() == waiting.early.state_dict()


@pytest.mark.parametrize("other", ["k:3", "m:3@max"])
def test_a_training_that_goes_on_by_another_metric_waits_from_the_beginning(other: str) -> None:
    """The best accuracy says nothing about a loss."""
    waiting = Logged("m:3", -4.0, 5.0, 5.0)
    later = Logged(other)
    before = later.early.state_dict()
    later.early.load_state_dict(waiting.early.state_dict())
    assert later.early.state_dict() == before


def test_lightning_ends_the_training_after_that_step(
    tmp_path: Path, encoder: Encoder, questions: tuple[Question, ...]
) -> None:
    """In the middle of what is one epoch to it, with several forward passes a step."""
    watch, saved = Watch(lambda metrics, step: None), []
    early = EarlyStop(rule("train/lr:3"), watch, lambda trainer: saved.append(trainer.global_step), print)
    config = Config(max_steps=20, batch_size=2, accumulate=2, save_steps=0, schedule="constant")
    trained = fit(tmp_path, encoder.examples(questions[:8]), config, watch, callbacks=[early])
    assert list(trained.rows) == [1, 2, 3, 4], "the first is the best, and three are no better"
    assert saved == [4]
