"""The training questions, forward pass by forward pass, in the order that `order` states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from trackhub.lineage import order
from trackhub_trainer.batches import COLLATE, Batch
from trackhub_trainer.encoding import Encoded
from trackhub_trainer.schedule import Schedule


class Part(NamedTuple):
    """What one forward pass takes of a step.

    Attributes:
        batch: its questions.
        targets: how many tokens the whole step predicts, on all ranks.
        last: whether the step ends with it, on its rank.
    """

    batch: Batch
    targets: int
    last: bool


class Parts(Dataset):  # type: ignore[misc]
    """The forward passes of all steps and ranks, by their number, counted on from step to step.

    Those of a step are its questions in contiguous shares: the first rank's first, in order, then the second rank's.
    In buckets, each rank's share of the step is sorted by length before it is cut into forward passes: which questions
    a rank takes in a step, and so its lineage, does not depend on that.

    Args:
        examples: the training questions.
        schedule: the steps and how they are divided.
        seed: of the order.
        batching: the name of the way that sequences become a batch.
    """

    def __init__(self, examples: Sequence[Encoded], schedule: Schedule, seed: int, batching: str) -> None:
        self._examples = list(examples)
        self._schedule = schedule
        self._seed = seed
        self._collate = COLLATE[batching]
        self._sorts = batching == "bucketed"

    def __getitem__(self, number: int) -> Part:
        """The forward pass of this number."""
        steps, size = self._schedule, self._schedule.batch_size
        step, place = divmod(number, steps.passes)
        chosen = order.batch(step, steps.per_step, len(self._examples), self._seed)
        whole = [self._examples[index] for index in chosen]
        rank, index = divmod(place, steps.accumulate)
        mine = whole[rank * size * steps.accumulate :][: size * steps.accumulate]
        if self._sorts:
            mine.sort(key=lambda example: len(example.ids))
        batch = self._collate(mine[index * size :][:size])
        return Part(batch, sum(example.answer for example in whole), index == steps.accumulate - 1)


class Numbers(Sampler):  # type: ignore[misc]
    """The numbers of one rank's forward passes, from the first that is still to do.

    Where to begin follows from the number of steps done, not from a counter in here: workers read ahead.

    Args:
        schedule: the steps and how they are divided.
        done: tells how many steps are done when the iteration starts.
        rank: tells which rank this process is.
    """

    def __init__(self, schedule: Schedule, done: Callable[[], int], rank: Callable[[], int]) -> None:
        self._schedule = schedule
        self._done = done
        self._rank = rank

    def __len__(self) -> int:
        return self._schedule.max_steps * self._schedule.accumulate

    def __iter__(self) -> Iterator[int]:
        steps = self._schedule
        for step in range(self._done(), steps.max_steps):
            first = step * steps.passes + self._rank() * steps.accumulate
            yield from range(first, first + steps.accumulate)


class Resumable(DataLoader):  # type: ignore[misc]
    """Tells Lightning that it can go on anywhere: its place follows from the step, so it has no state of its own."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, _: dict[str, Any]) -> None:
        """Nothing to do."""


def _as_it_is(part: Part) -> Part:
    """Torch would look into each tuple for something to convert."""
    return part


def loader(
    examples: Sequence[Encoded],
    schedule: Schedule,
    seed: int,
    batching: str,
    done: Callable[[], int] = lambda: 0,
    rank: Callable[[], int] = lambda: 0,
    workers: int = 0,
    pin: bool = False,
) -> Any:
    """The forward passes for the trainer, as `Part`: one epoch of Lightning's is the whole training.

    Args:
        examples, schedule, seed, batching: as for `Parts`.
        done, rank: as for `Numbers`.
        workers: processes that prepare batches ahead; they change nothing but the speed.
        pin: batches lie in memory that a GPU copies from by itself.
    """
    return Resumable(
        Parts(examples, schedule, seed, batching),
        sampler=Numbers(schedule, done, rank),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        pin_memory=pin,
        generator=torch.Generator(),  # else it draws its workers' seed from the numbers that dropout goes by
    )
