"""The steps of a training: what is chosen, and what contradicts itself."""

from __future__ import annotations

from math import cos, pi

import pytest
from trackhub_trainer.config import Config
from trackhub_trainer.schedule import contradictions, settle


def test_the_defaults_for_a_real_model() -> None:
    """125 steps, 60/40, a tenth of the rate in stage 2, the last 50 saved."""
    steps = settle(Config(base_model="x"), 1119)
    assert (steps.max_steps, steps.stage1_steps, steps.stage2_steps, steps.batch_size) == (125, 75, 50, 8)
    assert (steps.lr, steps.lr2, steps.save_steps) == (1e-4, 1e-5, 50)


@pytest.mark.parametrize(("questions", "size"), [(1, 8), (1200, 8), (1201, 16), (2500, 16), (2501, 32)])
def test_the_batch_size_follows_the_data(questions: int, size: int) -> None:
    """Unless it is given."""
    assert settle(Config(), questions).batch_size == size
    assert settle(Config(batch_size=3), questions).batch_size == 3


@pytest.mark.parametrize("max_steps", [1, 2, 3, 10, 49, 50, 51])
def test_few_steps_are_no_contradiction(max_steps: int) -> None:
    """Defaults adapt: they never exceed the steps, and the stages always add up."""
    config = Config(max_steps=max_steps)
    steps = settle(config, 10)
    assert contradictions(config) == []
    assert steps.save_steps == min(50, max_steps)
    assert steps.stage1_steps + steps.stage2_steps == max_steps
    assert steps.stage1_steps >= 1


def test_one_stage_gives_the_other_and_both_give_the_steps() -> None:
    """What is given is kept."""
    assert settle(Config(max_steps=10, stage1_steps=3), 10).stage2_steps == 7
    assert settle(Config(max_steps=10, stage2_steps=3), 10).stage1_steps == 7
    assert settle(Config(stage1_steps=3, stage2_steps=4), 10).max_steps == 7


def test_the_rate_changes_after_stage_1() -> None:
    """Steps count from 1."""
    steps = settle(Config(max_steps=5, stage1_steps=3, lr=1.0, lr2=0.5), 10)
    assert [steps.lr_at(step) for step in range(1, 6)] == [1.0, 1.0, 1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("two-stage", [1.0, 1.0, 1.0, 0.1, 0.1]),
        ("constant", [1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [1.0, 0.8, 0.6, 0.4, 0.2]),
        ("cosine", [(1 + cos(pi * done / 5)) / 2 for done in range(5)]),
    ],
)
def test_the_shapes(schedule: str, rates: list[float]) -> None:
    """No step is spent on a rate of 0; the end of the shape is where the step after the last would be."""
    steps = settle(Config(max_steps=5, lr=1.0, schedule=schedule), 10)
    assert [steps.lr_at(step) for step in range(1, 6)] == pytest.approx(rates)


@pytest.mark.parametrize("schedule", ["two-stage", "constant", "linear", "cosine"])
def test_a_warmup_rises_to_the_whole_rate_and_the_shape_begins_after_it(schedule: str) -> None:
    """Its first step learns something, too."""
    steps = settle(Config(max_steps=9, warmup_steps=3, lr=1.0, schedule=schedule), 10)
    assert [steps.lr_at(step) for step in range(1, 5)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    bare = settle(Config(max_steps=6, stage1_steps=None, lr=1.0, schedule=schedule), 10)
    if schedule in ("linear", "cosine"):
        assert [steps.lr_at(step) for step in range(4, 10)] == pytest.approx([bare.lr_at(s) for s in range(1, 7)])


def test_the_second_rate_is_where_a_line_or_a_cosine_ends() -> None:
    """It is 0 unless it is given."""
    for schedule in ("linear", "cosine"):
        assert settle(Config(max_steps=4, lr=1.0, schedule=schedule), 10).lr2 == 0
        high = settle(Config(max_steps=1000, lr=1.0, lr2=0.5, schedule=schedule), 10)
        assert high.lr_at(1000) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Config(schedule="cosine", stage1_steps=3), "belong to --schedule two-stage, not to cosine"),
        (Config(max_steps=5, save_steps=0, warmup_steps=5), "--warmup-steps 5 leaves none of the steps"),
        (Config(early_stop="val/loss"), "--early-stop val/loss: wants METRIC:TIMES"),
        (Config(early_stop="val/loss:0"), "wants METRIC:TIMES"),
        (Config(early_stop="val/loss:3@up"), "@min or @max"),
        (Config(early_stop="val/los:3"), "--early-stop val/los:3: nothing logs val/los"),
        (Config(max_steps=5, save_steps=6), "--save-steps 6 is more than --max-steps 5"),
        (Config(max_steps=5, stage1_steps=2, stage2_steps=2), "make 4, not --max-steps 5"),
        (Config(max_steps=5, stage1_steps=6), "--stage1-steps 6 is more than --max-steps 5"),
        (Config(stage1_steps=0, stage2_steps=0), "nothing would be trained"),
        (Config(save_steps=126), "--save-steps 126 is more than --max-steps 125"),
    ],
)
def test_contradictions(config: Config, said: str) -> None:
    """Only what the user gave can contradict itself."""
    [problem] = contradictions(config)
    assert said in problem
