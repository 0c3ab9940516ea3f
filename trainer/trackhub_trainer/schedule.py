"""The steps of a training: how many, how large, at which learning rate, and which of them leave a checkpoint.

What the user did not give is chosen to fit what they gave; only what they gave twice over can contradict itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trackhub_trainer import patience, rates, saving
from trackhub_trainer.config import Config
from trackhub_trainer.watch import unmeasured

MAX_STEPS = 125
LAST = 50
"""The last steps that leave a checkpoint each."""
STAGE1 = 0.6
"""The share of the steps in stage 1."""
LR, TINY_LR = 1e-4, 5e-4
SIZES = ((1200, 8), (2500, 16))
"""Lines of data up to which a batch size holds; beyond the last it is 32."""


@dataclass(frozen=True)
class Schedule:
    """The steps of a training, all settled. Steps are counted from 1.

    Attributes:
        max_steps: how many.
        batch_size: questions of one forward pass.
        accumulate: forward passes of one step, on each rank.
        devices, num_nodes: one rank for each device of each machine.
        schedule: how the learning rate goes from `lr` to `lr2`.
        warmup_steps: the first steps, in which it rises.
        stage1_steps, stage2_steps: of the schedule "two-stage"; with the others, all steps are stage 1.
    """

    max_steps: int
    batch_size: int
    accumulate: int
    devices: int
    num_nodes: int
    schedule: str
    warmup_steps: int
    stage1_steps: int
    stage2_steps: int
    lr: float
    lr2: float
    save_steps: int

    def lr_at(self, step: int) -> float:
        """The learning rate of a step."""
        return rates.at(self, step)

    @property
    def ranks(self) -> int:
        """How many processes share a step."""
        return self.devices * self.num_nodes

    @property
    def passes(self) -> int:
        """The forward passes of one step, of all ranks together."""
        return self.accumulate * self.ranks

    @property
    def per_step(self) -> int:
        """The questions of one step."""
        return self.batch_size * self.passes

    def epochs(self, questions: int) -> float:
        """How often each question is seen."""
        return self.max_steps * self.per_step / questions


def settle(config: Config, questions: int) -> Schedule:
    """The schedule for so many training questions."""
    steps = _steps(config)
    stage1 = _stage1(config, steps)
    lr = config.lr if config.lr is not None else TINY_LR if config.base_model == "tiny" else LR
    return Schedule(
        max_steps=steps,
        batch_size=config.batch_size or next((size for limit, size in SIZES if questions <= limit), 32),
        accumulate=config.accumulate,
        devices=config.devices,
        num_nodes=config.num_nodes,
        schedule=config.schedule,
        warmup_steps=config.warmup_steps,
        stage1_steps=stage1,
        stage2_steps=steps - stage1,
        lr=lr,
        lr2=_lr2(config, lr),
        save_steps=_save_steps(config, steps),
    )


def _lr2(config: Config, lr: float) -> float:
    if config.lr2 is not None:
        return config.lr2
    # Rounded, so that 1e-4 / 10 reads 1e-05 and not 1.0000000000000001e-05.
    return {"two-stage": float(f"{lr / 10:.12g}"), "constant": lr}.get(config.schedule, 0.0)


def _save_steps(config: Config, steps: int) -> int:
    if config.save_steps is not None:
        return config.save_steps
    return 0 if config.save else min(LAST, steps)


def _steps(config: Config) -> int:
    if config.max_steps is None and config.stage1_steps is not None and config.stage2_steps is not None:
        return config.stage1_steps + config.stage2_steps
    return config.max_steps or MAX_STEPS


def _stage1(config: Config, steps: int) -> int:
    if config.stage1_steps is not None:
        return config.stage1_steps
    if config.schedule != "two-stage":
        return steps
    return steps - config.stage2_steps if config.stage2_steps is not None else max(1, round(steps * STAGE1))


def contradictions(config: Config) -> list[str]:
    """What the user gave that cannot hold together."""
    problems = []
    steps, one, two = _steps(config), config.stage1_steps, config.stage2_steps
    if steps < 1:
        problems.append("--stage1-steps and --stage2-steps are both 0: nothing would be trained")
    if config.save_steps is not None and config.save_steps > steps:
        problems.append(f"--save-steps {config.save_steps} is more than --max-steps {steps}")
    if one is not None and two is not None and one + two != steps:
        problems.append(f"--stage1-steps {one} and --stage2-steps {two} make {one + two}, not --max-steps {steps}")
    for name, value in (("--stage1-steps", one), ("--stage2-steps", two)):
        if value is not None and (one is None or two is None) and value > steps:
            problems.append(f"{name} {value} is more than --max-steps {steps}")
    problems += [*_of_rates(config, steps), *_of_stop(config)]
    return problems + saving.problems(config, steps)


def _of_rates(config: Config, steps: int) -> Iterator[str]:
    """What cannot be of the learning rate."""
    stages = (config.stage1_steps, steps), (config.stage2_steps, 0)
    if config.schedule != "two-stage" and any(given not in (None, whole) for given, whole in stages):
        yield f"--stage1-steps and --stage2-steps belong to --schedule two-stage, not to {config.schedule}"
    if config.warmup_steps >= max(steps, 1):
        yield f"--warmup-steps {config.warmup_steps} leaves none of the steps: --max-steps is {steps}"


def _of_stop(config: Config) -> Iterator[str]:
    try:
        if config.early_stop and (wrong := unmeasured(patience.rule(config.early_stop).metric)):
            yield f"--early-stop {config.early_stop}: {wrong}"
    except ValueError as error:
        yield f"--early-stop {config.early_stop}: {error}"
