"""Whether the journal tells the truth: the order is computed again, and compared step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from trackhub.events import Batch
from trackhub.lineage.law import Law
from trackhub.lineage.reading import Lineage

Sample = tuple[int, int]
"""(line, epoch)."""


class Difference(msgspec.Struct, frozen=True):
    """The first step of a journal that is not what the order says.

    Attributes:
        step: counted from 1.
        rank: whose share differs.
        reason: in words.
    """

    step: int
    rank: int
    reason: str


class Proof(msgspec.Struct, frozen=True):
    """What came of comparing a journal with the order.

    Attributes:
        true: every step is what the order says, and the journal is whole.
        steps: how many were compared.
        lines: how often a line was used in them.
        first_difference: where they part.
        losses: what of the journal cannot be read, in words.
        data_changed: the data file is there, but no longer what was trained on.
    """

    true: bool
    steps: int
    lines: int
    first_difference: Difference | None
    losses: list[str]
    data_changed: bool


def proven(lineage: Lineage, law: Law) -> Proof:
    """The journal of a run against the law of its order."""
    difference = first_difference(lineage, law)
    steps = len({batch.step for batch in lineage.batches})
    lines = sum(len(batch.lines) for batch in lineage.batches)
    true = difference is None and not lineage.losses
    return Proof(true, steps, lines, difference, lineage.losses, law.changed())


def first_difference(lineage: Lineage, law: Law) -> Difference | None:
    """The first step, up to the last batch or checkpoint, whose batches are not those of the law; None if all are."""
    steps = dict(lineage.steps())
    ranks = _ranks(steps)
    for step in sorted({*steps, *range(1, max([*steps, *lineage.checkpoints]) + 1)}):
        if found := _of_step(step, steps.get(step, []), law, ranks):
            return found
    return None


def _ranks(steps: Mapping[int, list[Batch]]) -> int:
    """As many as most steps have: of the last one before a kill, some may not have told theirs."""
    found = Counter(1 + max(batch.rank for batch in batches) for batches in steps.values())
    return found.most_common(1)[0][0] if found else 1


def _of_step(step: int, batches: list[Batch], law: Law, ranks: int) -> Difference | None:
    if not batches:
        return Difference(step, 0, "the journal has no batch of it")
    if step < 1:
        return Difference(step, batches[0].rank, "steps are counted from 1")
    for rank in range(ranks):
        found = [(line, batch.epoch) for batch in batches if batch.rank == rank for line in batch.lines]
        if reason := _unlike(found, law.share(step, rank, ranks)):
            return Difference(step, rank, reason)
    strangers = [batch.rank for batch in batches if batch.rank >= ranks]
    return Difference(step, strangers[0], f"the run has {ranks} ranks, counted from 0") if strangers else None


def _unlike(found: list[Sample], wanted: list[Sample]) -> str:
    """How two shares differ, in words; "" if they do not."""
    for place, (one, other) in enumerate(zip(found, wanted, strict=False), 1):
        if one != other:
            return f"question {place} is {_words(one)} in the journal; the order says {_words(other)}"
    return "" if len(found) == len(wanted) else f"{len(found)} lines in the journal; the order says {len(wanted)}"


def _words(sample: Sample) -> str:
    line, epoch = sample
    return f"line {line} of epoch {epoch}"
