"""Ways to train with less memory or faster numbers: the same training, as far as the numbers allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trackhub_trainer import machine
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoded, Encoder
from trackhub_trainer.loading import loader
from trackhub_trainer.schedule import settle
from trainer_fit import LIGHTNING, distance, fit

pytestmark = [pytest.mark.filterwarnings(warning) for warning in LIGHTNING]
CONFIG = Config(max_steps=4, batch_size=4, save_steps=0, lr=5e-3)


@pytest.fixture
def examples(encoder: Encoder, questions: tuple[Question, ...]) -> list[Encoded]:
    return encoder.examples(questions[:20])


def test_activations_that_are_computed_twice_are_the_same(tmp_path: Path, examples: list[Encoded]) -> None:
    """The dropout, too: the second time draws the same numbers."""
    kept = fit(tmp_path, examples, CONFIG)
    again = fit(tmp_path, examples, replace(CONFIG, gradient_checkpointing=True))
    assert again.losses == pytest.approx(kept.losses, rel=1e-6)
    assert distance(again.weights, kept.weights) < 1e-5


def test_bf16_is_the_same_to_its_precision(tmp_path: Path, examples: list[Encoded]) -> None:
    """The weights that are trained stay in 32 bit."""
    exact = fit(tmp_path, examples, CONFIG)
    rough = fit(tmp_path, examples, CONFIG, precision="bf16-mixed")
    assert rough.losses == pytest.approx(exact.losses, rel=0.02)
    assert rough.losses != exact.losses
    assert {weight.dtype for weight in rough.weights.values()} == {torch.float32}


def test_buckets_put_like_lengths_into_one_pass_and_leave_the_step_as_it_is(
    tmp_path: Path, examples: list[Encoded]
) -> None:
    """The same questions a step, the same loss; less padding."""
    padded = replace(CONFIG, batching="padded", batch_size=2, accumulate=4, lora_dropout=0.0)
    bucketed = replace(padded, batching="bucketed")
    places = {}
    for config in (padded, bucketed):
        parts = list(loader(examples, settle(config, len(examples)), config.seed, config.batching))
        places[config.batching] = sum(part.batch.input_ids.numel() for part in parts)
    assert places["bucketed"] < places["padded"]
    one, other = (fit(tmp_path, examples, config) for config in (padded, bucketed))
    assert one.losses == pytest.approx(other.losses, rel=1e-5)
    assert distance(one.weights, other.weights) < 1e-4


@pytest.mark.parametrize("option", ["compile", "load_4bit"])
def test_what_needs_a_gpu_is_refused_without_one(option: str) -> None:
    """With the option's name, and what to do."""
    problems = machine.problems(Config(**{option: True}, accelerator="cpu"))
    assert f"--{option.replace('_', '-')} needs a GPU, and there is none in use here: leave it out" in problems
