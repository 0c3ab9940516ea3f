"""The training questions, batch by batch, in the order that `order` states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader, Sampler

from trackhub.lineage import order
from trackhub_trainer.batches import COLLATE
from trackhub_trainer.encoding import Encoded
from trackhub_trainer.schedule import Schedule


class Steps(Sampler):  # type: ignore[misc]
    """The questions of each step from the first that is still to do.

    Where to begin follows from the number of steps done, not from a counter in here: workers read ahead.

    Args:
        schedule: how many steps, of which size.
        questions: how many there are.
        seed: of the order.
        done: tells how many steps are done when the iteration starts.
    """

    def __init__(self, schedule: Schedule, questions: int, seed: int, done: Callable[[], int]) -> None:
        self._schedule = schedule
        self._questions = questions
        self._seed = seed
        self._done = done

    def __len__(self) -> int:
        return self._schedule.max_steps

    def __iter__(self) -> Iterator[list[int]]:
        steps = self._schedule
        return order.batches(self._done(), steps.max_steps, steps.batch_size, self._questions, self._seed)


def loader(
    examples: Sequence[Encoded], schedule: Schedule, seed: int, batching: str, done: Callable[[], int] = lambda: 0
) -> Any:
    """Batches for the trainer: one epoch of Lightning's is the whole training."""
    steps = Steps(schedule, len(examples), seed, done)
    return DataLoader(list(examples), batch_sampler=steps, collate_fn=COLLATE[batching])
