"""A histogram."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

import msgspec

from trackhub.intake import Refusal
from trackhub.media.arrays import is_array
from trackhub.media.base import Encoded, Medium
from trackhub.media.binning import of_array, of_list

MOST_BINS = 10_000


class Histogram(Medium):
    """A histogram, stored as JSON: {"edges": [n + 1 numbers], "counts": [n numbers]}.

    Args:
        data: the values, as an array of any shape, a torch tensor of any device, or a list of numbers. NaN and the
            infinities are left out and counted in the details.
        bins: how many bins of one width, from the least to the largest value.
        np_histogram: (counts, edges) instead of values, as `numpy.histogram` returns them.
        caption: a line for people that goes with it.
    """

    def __init__(
        self, data: Any = None, bins: int = 64, np_histogram: tuple[Any, Any] | None = None, caption: str = ""
    ) -> None:
        super().__init__(data, caption)
        self.bins = bins
        self.np_histogram = np_histogram

    def encoded(self) -> Encoded:
        """The histogram as JSON."""
        if self.np_histogram is not None:
            counts, edges = map(_numbers, self.np_histogram)
            _check(counts, edges)
            return _encoded(counts, edges, {"values": sum(counts)})
        if not 1 <= int(self.bins) <= MOST_BINS:
            raise Refusal(f"a histogram has 1 to {MOST_BINS:,} bins, not {self.bins}")
        if is_array(self.data):
            return _encoded(*of_array(self.data, int(self.bins)))
        if not isinstance(self.data, list | tuple):
            raise Refusal(f"a histogram is of an array or a list of numbers, not of {type(self.data).__name__}")
        return _encoded(*of_list(self.data, int(self.bins)))


def _encoded(counts: Sequence[float], edges: Sequence[float], details: dict[str, Any]) -> Encoded:
    content = msgspec.json.encode({"edges": edges, "counts": counts})
    return Encoded("histogram", "json", content, {"bins": len(counts), **details})


def _numbers(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _check(counts: list[Any], edges: list[Any]) -> None:
    if len(counts) < 1 or len(counts) > MOST_BINS or len(edges) != len(counts) + 1:
        raise Refusal(f"np_histogram is (n counts, n + 1 edges), not ({len(counts)}, {len(edges)})")
    if not all(isfinite(number) for number in (*counts, *edges)) or min(counts) < 0:
        raise Refusal("the counts and edges of a histogram are finite, and no count is negative")
    if any(right < left for left, right in pairwise(edges)):
        raise Refusal("the edges of a histogram go up")
