"""When checkpoints are saved, what is taken back, and what is said of a policy that cannot be."""

from __future__ import annotations

from math import inf, nan, sqrt
from typing import Any

import pytest
from trackhub_trainer import saving
from trackhub_trainer.config import Config
from trackhub_trainer.policies import Moment, Policy, optimum, smart
from trackhub_trainer.save_plan import listed, save_plan
from trackhub_trainer.schedule import contradictions, settle


def policies(*texts: str, max_steps: int = 125) -> list[Policy]:
    config = Config(save=texts, max_steps=max_steps)
    assert contradictions(config) == []
    return saving.chosen(config, settle(config, 100))


def moment(step: int = 1, **changes: Any) -> Moment:
    values = {"step": step, "idle": 0.0, "cost": 1.0, "measured": lambda _: None, "earlier": ()}
    return Moment(**{**values, **changes})


def claimed(policy: Policy, values: list[float]) -> list[int]:
    """The steps that a policy claims of a metric's course; beaten claims are dropped, as the keeper does."""
    standing: dict[int, float] = {}
    steps = []
    for step, value in enumerate(values, 1):
        worth = policy.claim(moment(step, measured=lambda _, value=value: value, earlier=list(standing.values())))
        if worth is not None:
            steps.append(step)
            standing[step] = worth
            if policy.limit and len(standing) > policy.limit:
                del standing[max(standing, key=lambda one: standing[one])]
    return steps


def test_without_a_word_the_last_50_steps_are_saved() -> None:
    [policy] = policies()
    assert [step for step in range(1, 126) if policy.claim(moment(step)) is not None] == list(range(76, 126))


def test_save_takes_the_place_of_the_default_and_save_steps_comes_on_top() -> None:
    assert [policy.text for policy in policies("every:25", "smart:10")] == ["every:25", "smart:10"]
    both = Config(save=("every:25",), save_steps=3)
    assert [policy.text for policy in saving.chosen(both, settle(both, 100))] == ["every:25", "last:3"]
    assert saving.chosen(Config(save_steps=0), settle(Config(save_steps=0), 100)) == []


@pytest.mark.parametrize(
    ("most", "max_steps", "warmup", "steps"),
    [
        (10, 125, 0, [1, 15, 29, 42, 56, 70, 84, 97, 111, 125]),
        (3, 101, 20, [21, 61, 101]),
        (2, 50, 10, [11, 50]),
        (1, 50, 10, [50]),
        (50, 4, 0, [1, 2, 3, 4]),
        (3, 1, 0, [1]),
    ],
)
def test_smart_keeps_both_ends_and_spreads_the_rest(most: int, max_steps: int, warmup: int, steps: list[int]) -> None:
    """The interval is (max_steps - 1 - warmup_steps) / (remaining slots + 1), with steps from 0."""
    assert sorted(smart(most, max_steps, warmup)) == steps


def test_best_claims_what_is_among_the_best_so_far() -> None:
    [best] = policies("best:2@val/loss")
    assert claimed(best, [5, 4, 6, 3, 3.5, 9, nan, inf]) == [1, 2, 4, 5]


def test_best_by_an_accuracy_is_the_highest_and_a_direction_can_be_named() -> None:
    [accuracy, named] = policies("best:1@val/accuracy", "best:1@train/lr@max")
    assert claimed(accuracy, [0.1, 0.3, 0.2, 0.4]) == claimed(named, [0.1, 0.3, 0.2, 0.4]) == [1, 2, 4]


def test_improve_claims_each_improvement_by_the_fraction() -> None:
    [improve] = policies("improve:0.1")
    assert claimed(improve, [10, 9.5, 9.0, 8.9, 8.1, 8.0]) == [1, 3, 5]


def test_time_counts_from_the_last_checkpoint() -> None:
    [time] = policies("time:10m")
    assert [time.claim(moment(idle=idle)) is not None for idle in (0, 599, 600)] == [False, False, True]


def test_young_daly_measures_first_and_then_goes_by_the_cost() -> None:
    """Young's interval is sqrt(2 x 8 s x 1 h) = 240 s; Daly's is 5.2 s longer, less the 8 s of saving itself."""
    [young_daly] = policies("young-daly:1h")
    assert optimum(8, 3600) == pytest.approx(sqrt(2 * 8 * 3600) * (1 + sqrt(1 / 900) / 3 + 1 / 8100) - 8)
    assert young_daly.claim(moment(cost=None)) is not None
    assert [young_daly.claim(moment(cost=8, idle=idle)) is not None for idle in (234, 236)] == [False, True]
    assert optimum(100, 10) == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smrt:3", "Did you mean smart?"),
        ("nonsense", "There are last, every, smart, best, improve, time, young-daly"),
        ("last", "1 or more"),
        ("last:0", "1 or more"),
        ("last:21", "is more than --max-steps 20"),
        ("every:21", "is more than --max-steps 20"),
        ("smart:x", "1 or more"),
        ("best:@val/loss", "1 or more"),
        ("best:3@", "a metric behind the @"),
        ("best:3@val/loss@up", "min or max"),
        ("best:3@val/los", "nothing logs val/los while it trains: there are train/loss, train/lr, val/loss"),
        ("improve:0.1@acc", "val/accuracy"),
        ("improve:1", "above 0 and below 1"),
        ("improve:a", "above 0 and below 1"),
        ("time:10", "time:10m"),
        ("time:0m", "time:10m"),
        ("young-daly:often", "young-daly:12h"),
    ],
)
def test_a_policy_that_cannot_be_is_told_with_the_fix(text: str, words: str) -> None:
    [problem] = contradictions(Config(save=(text,), max_steps=20))
    assert problem.startswith(f"--save {text}: ")
    assert words in problem


def test_sizes() -> None:
    assert [saving.size(text) for text in ("10GB", "1.5 MB", "7B")] == [10_000_000_000, 1_500_000, 7]
    [problem] = contradictions(Config(disk_budget="a lot"))
    assert problem == "--disk-budget a lot: wants a size such as 500MB or 10GB"


def test_a_budget_for_less_than_three_checkpoints_is_too_small() -> None:
    assert "3.00 MB" in saving.too_small(Config(disk_budget="2.9MB"), 1_000_000)
    assert saving.too_small(Config(disk_budget="3MB"), 1_000_000) == ""


def test_the_plan_names_steps_that_are_known_and_adds_up_the_room() -> None:
    """Steps that two policies want are one file."""
    plan = save_plan(policies("last:50", "every:25", "best:3@val/loss", "time:10m"), 1_000_000, 60_000_000)
    rows = list(zip(*(column.cells for column in plan.columns), strict=True))
    assert rows[0] == ("last:50", "76-125", "50", "50 MB")
    assert rows[1] == ("every:25", "25, 50, 75, 100, 125", "5", "5 MB")
    assert rows[2] == ("best:3@val/loss", "the best by val/loss, lowest first", "3", "3 MB")
    assert rows[3] == ("time:10m", "when the last checkpoint is 600 s old", "?", "?")
    assert rows[4] == ("together", "and those of time:10m (the oldest go at 60 MB)", "56", "56 MB")


def test_steps_are_listed_briefly() -> None:
    assert listed(frozenset(range(1, 100, 7))) == "1, 8, 15 ... 99"
