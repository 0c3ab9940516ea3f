"""Which questions go into which step: a pure function of seed and step, so that it can be recomputed and proven.

The questions are an endless stream, shuffled anew for each epoch; step k (0-based) takes places
``k * batch_size`` to ``(k + 1) * batch_size`` of it. A batch may span the end of an epoch: every step has the same
size, and every question is seen equally often. Of a step that several ranks share, rank r takes the r-th contiguous
share, so that the questions of a step do not depend on how it is divided.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=4)
def epoch_order(questions: int, seed: int, epoch: int) -> tuple[int, ...]:
    """The order of one epoch: a permutation of ``range(questions)``."""
    order = list(range(questions))
    random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - an order, not a secret
    return tuple(order)


def at(place: int, questions: int, seed: int) -> tuple[int, int]:
    """(question, epoch) at a place of the stream, all 0-based."""
    epoch, position = divmod(place, questions)
    return epoch_order(questions, seed, epoch)[position], epoch


def by_epoch(places: range, questions: int, seed: int) -> list[tuple[int, tuple[int, ...]]]:
    """(epoch, its questions) at some places of the stream, in their order: one entry for each epoch that they touch."""
    found = []
    first, left = places.start, len(places)
    while left:
        epoch, position = divmod(first, questions)
        taken = epoch_order(questions, seed, epoch)[position : position + left]
        found.append((epoch, taken))
        first, left = first + len(taken), left - len(taken)
    return found


def batch(step: int, batch_size: int, questions: int, seed: int) -> list[int]:
    """The questions of one step (0-based), by their index."""
    return [index for _, taken in by_epoch(places(step, batch_size), questions, seed) for index in taken]


def batches(start: int, stop: int, batch_size: int, questions: int, seed: int) -> Iterator[list[int]]:
    """The batches of the steps from `start` up to, not including, `stop`."""
    for step in range(start, stop):
        yield batch(step, batch_size, questions, seed)


def places(step: int, batch_size: int, rank: int = 0, ranks: int = 1) -> range:
    """The places of the stream that one rank takes in a step (0-based).

    Args:
        step: 0-based.
        batch_size: questions of the whole step, a multiple of `ranks`.
        rank: whose share, 0-based.
        ranks: how many there are.
    """
    share = batch_size // ranks
    first = step * batch_size + rank * share
    return range(first, first + share)
