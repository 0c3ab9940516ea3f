"""The order of the data is a law, not a state."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackhub.lineage import order

counts = st.integers(1, 40)


@settings(max_examples=60)
@given(questions=counts, size=counts, seed=st.integers(0, 10), epochs=st.integers(1, 4))
def test_every_epoch_sees_every_question_once(questions: int, size: int, seed: int, epochs: int) -> None:
    """Whatever the batch size."""
    steps = -(-questions * epochs // size)
    stream = [index for batch in order.batches(0, steps, size, questions, seed) for index in batch]
    for epoch in range(epochs):
        assert sorted(stream[epoch * questions : (epoch + 1) * questions]) == list(range(questions))


@settings(max_examples=60)
@given(questions=counts, size=counts, start=counts)
def test_starting_later_goes_on_with_the_same_batches(questions: int, size: int, start: int) -> None:
    """The position follows from the step alone."""
    whole = list(order.batches(0, start + 3, size, questions, 7))
    assert list(order.batches(start, start + 3, size, questions, 7)) == whole[start:]


def test_seeds_and_epochs_differ() -> None:
    """Each has an order of its own."""
    orders = {order.epoch_order(50, seed, epoch) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_the_order_never_changes() -> None:
    """What a run of last year saw can be recomputed: these numbers are part of the format."""
    assert order.batch(0, 5, 10, 42) == FIRST
    assert order.at(23, 10, 42) == (LATER, 2)


FIRST = [9, 5, 2, 7, 0]
LATER = 2


@pytest.mark.parametrize("place", [0, 9, 10, 25])
def test_the_epoch_of_a_place(place: int) -> None:
    """Places count through the epochs."""
    assert order.at(place, 10, 0)[1] == place // 10


@settings(max_examples=60)
@given(first=counts, size=counts, questions=counts)
def test_places_by_epoch_are_the_places_one_by_one(first: int, size: int, questions: int) -> None:
    """However many epochs they touch."""
    found = order.by_epoch(range(first, first + size), questions, 3)
    assert [(index, epoch) for epoch, taken in found for index in taken] == [
        order.at(place, questions, 3) for place in range(first, first + size)
    ]
    assert len({epoch for epoch, _ in found}) == len(found)


@settings(max_examples=60)
@given(share=counts, ranks=st.integers(1, 4), step=counts)
def test_the_ranks_of_a_step_share_its_places_in_order(share: int, ranks: int, step: int) -> None:
    """However many there are, the step is the same."""
    whole = list(order.places(step, share * ranks))
    assert [place for rank in range(ranks) for place in order.places(step, share * ranks, rank, ranks)] == whole
