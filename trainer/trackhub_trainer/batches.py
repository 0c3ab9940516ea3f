"""Sequences as one batch for the model, in one row without padding, or in a row each with padding.

In one row (``flat``) the position ids restart at 0 for each sequence and there is no attention mask: transformers
then keeps the sequences apart. Passing a mask of ones as well would switch that off, and they would see each other.
Only places whose next token is to be predicted get logits: of 70 places of a question that is two. The last token of
a sequence is predicted but never read, so it is not in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trackhub_trainer.encoding import Encoded


class Batch(NamedTuple):
    """One forward pass. R rows, T columns, N tokens to predict, K columns that hold one.

    Attributes:
        input_ids: (R, T).
        position_ids: (R, T).
        attention_mask: (R, T), or None where the rows have no padding.
        keep: (K,) the columns that get logits, ascending.
        rows, slots: (N,) where the logits of each predicted token are, in (R, K).
        targets: (N,) the tokens to predict, sequence after sequence.
    """

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor | None
    keep: Tensor
    rows: Tensor
    slots: Tensor
    targets: Tensor

    def to(self, device: Any) -> Batch:
        """The same on another device; from pinned memory, nobody waits for the copy."""
        return Batch(*(None if part is None else part.to(device, non_blocking=True) for part in self))


Collate = Callable[[Sequence[Encoded]], Batch]


def flat(sequences: Sequence[Encoded]) -> Batch:
    """All sequences in one row, one after another."""
    ids = [token for sequence in sequences for token in sequence.ids[:-1]]
    positions = [place for sequence in sequences for place in range(len(sequence.ids) - 1)]
    starts = accumulate((len(sequence.ids) - 1 for sequence in sequences[:-1]), initial=0)
    places = [(0, start) for start in starts]
    return _batch(torch.tensor([ids]), torch.tensor([positions]), None, sequences, places)


def padded(sequences: Sequence[Encoded]) -> Batch:
    """A row each; the shorter ones are filled up at the end, where the mask hides them."""
    longest = max(len(sequence.ids) - 1 for sequence in sequences)
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask = torch.zeros(len(sequences), longest, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        read = len(sequence.ids) - 1
        ids[row, :read] = torch.tensor(sequence.ids[:-1])
        mask[row, :read] = 1
    positions = torch.arange(longest).expand(len(sequences), -1)
    return _batch(ids, positions, mask, sequences, [(row, 0) for row in range(len(sequences))])


def _batch(
    ids: Tensor, positions: Tensor, mask: Tensor | None, sequences: Sequence[Encoded], places: list[tuple[int, int]]
) -> Batch:
    """Add what is to be predicted; `places` holds the row and first column of each sequence."""
    rows, columns, targets = [], [], []
    for sequence, (row, start) in zip(sequences, places, strict=True):
        for index in range(len(sequence.ids) - sequence.answer, len(sequence.ids)):
            rows.append(row)
            columns.append(start + index - 1)
            targets.append(sequence.ids[index])
    keep, slots = torch.unique(torch.tensor(columns), return_inverse=True)
    return Batch(ids, positions, mask, keep, torch.tensor(rows), slots, torch.tensor(targets))


COLLATE: dict[str, Collate] = {"flat": flat, "padded": padded, "bucketed": padded}
"""By the name of ``--batching``."""


def logits(model: Any, batch: Batch) -> Tensor:
    """The logits of the tokens to predict, of shape (N, vocabulary)."""
    out = model(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        attention_mask=batch.attention_mask,
        logits_to_keep=batch.keep,
        use_cache=False,
    )
    return out.logits[batch.rows, batch.slots]
