"""Sound samples as 16-bit integers, channel by channel within each frame."""

from __future__ import annotations

from array import array
from math import isfinite
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.arrays import TOLERANCE, as_numpy, without_nonfinite

MOST_CHANNELS = 64
FULL = 32767
"""What a float of 1.0 becomes."""


def from_array(value: Any) -> tuple[array[int], int, dict[str, int]]:
    """(samples, channels, what was odd about them) of an array (n,) or (n, channels)."""
    samples = as_numpy(value)
    if samples.ndim not in (1, 2):
        raise Refusal(f"samples have the shape (n,) or (n, channels), not {samples.shape}")
    channels = _checked_channels(samples.shape[1] if samples.ndim == 2 else 1)
    odd: dict[str, int] = {}
    if samples.dtype.kind == "f":
        samples, odd = without_nonfinite(samples, -1.0)
        _check_floats(float(abs(samples).max()))
        samples = (samples.clip(-1, 1) * FULL).round()
    elif samples.dtype.kind != "i" or samples.min() < -FULL - 1 or samples.max() > FULL:
        raise Refusal(f"samples are floats from -1 to 1, or int16, not {samples.dtype}")
    return array("h", samples.astype("int16").tobytes()), channels, odd


def from_list(value: Any) -> tuple[array[int], int, dict[str, int]]:
    """As `from_array`, for numbers in a list, or lists of one length in a list."""
    rows = [item if isinstance(item, list | tuple) else (item,) for item in value]
    channels = _checked_channels(len(rows[0]) if rows else 0)
    if any(len(row) != channels for row in rows):
        raise Refusal("each sample has the same number of channels")
    flat = [number for row in rows for number in row]
    if all(isinstance(number, int) for number in flat):
        return array("h", flat), channels, {}
    finite = [float(number) if isfinite(number) else 0.0 for number in flat]
    _check_floats(max(map(abs, finite)))
    nonfinite = len(flat) - sum(map(isfinite, flat))
    samples = array("h", (round(max(-1.0, min(1.0, number)) * FULL) for number in finite))
    return samples, channels, {"nonfinite": nonfinite} if nonfinite else {}


def _checked_channels(channels: int) -> int:
    if channels > MOST_CHANNELS:
        raise Refusal(f"samples have the shape (n, channels), and not {channels} channels: perhaps samples.T")
    if channels < 1:
        raise Refusal("there are no samples")
    return channels


def _check_floats(peak: float) -> None:
    if peak > 1 + TOLERANCE:
        raise Refusal(
            f"float samples are from -1 to 1, and their peak is {peak:.4g}: perhaps samples / abs(samples).max()"
        )
