"""Values counted into bins of one width."""

from __future__ import annotations

from math import isfinite, ulp
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.arrays import as_numpy

Bins = tuple[list[int], list[float], dict[str, int]]
"""Counts, edges, and how many values there were, of which kinds."""


def of_array(value: Any, bins: int) -> Bins:
    """The bins of an array of any shape."""
    import numpy

    array = as_numpy(value).astype(numpy.float64).ravel()
    finite = array[numpy.isfinite(array)]
    details = _details(array.size, int(numpy.isnan(array).sum()), array.size - finite.size)
    low, high = _range(float(finite.min()), float(finite.max()), bins)
    counts, edges = numpy.histogram(finite, bins, (low, high))
    return counts.tolist(), edges.tolist(), details


def of_list(values: Any, bins: int) -> Bins:
    """The bins of a list of numbers, without numpy."""
    numbers = [float(value) for value in values]
    finite = [number for number in numbers if isfinite(number)]
    details = _details(len(numbers), sum(number != number for number in numbers), len(numbers) - len(finite))
    low, high = _range(min(finite), max(finite), bins)
    counts = [0] * bins
    for number in finite:
        counts[min(int((number - low) / (high - low) * bins), bins - 1)] += 1
    return counts, [low + (high - low) * number / bins for number in range(bins)] + [high], details


def _details(values: int, nan: int, odd: int) -> dict[str, int]:
    """How many finite values there are, and how many were left out.

    Raises:
        Refusal: nothing is left.
    """
    if values == odd:
        raise Refusal(f"there is no finite value among {values}, of which {nan} are NaN")
    return {"values": values - odd} | ({"nan": nan} if nan else {}) | ({"infinite": odd - nan} if odd > nan else {})


def _range(low: float, high: float, bins: int) -> tuple[float, float]:
    """The range to divide; around values that a float can hardly tell apart, one that it can."""
    if not isfinite(high - low):
        raise Refusal("the values span more than a float can hold")
    if high - low > 4 * bins * ulp(max(abs(low), abs(high))):
        return low, high
    margin = max(0.5, 8 * bins * ulp(max(abs(low), abs(high))))
    return low - margin, high + margin
