"""Sound."""

from __future__ import annotations

import io
import sys
import wave
from array import array
from pathlib import Path
from typing import Any

from trackhub.intake import Refusal
from trackhub.media import magic
from trackhub.media.arrays import is_array
from trackhub.media.base import Encoded, Medium, existing, is_path
from trackhub.media.samples import from_array, from_list


class Audio(Medium):
    """Sound, stored as a WAV file of 16 bits; a path and bytes (WAV, MP3, FLAC, Ogg, M4A, AAC) are kept as they are.

    Args:
        data: samples of shape (n,) or (n, channels), as a numpy array, torch tensor or list: floats from -1 to 1 (up
            to 0.01 beyond is clipped; NaN is stored as 0 and counted in the details as "nonfinite") or int16; a
            path; or encoded bytes.
        sample_rate: samples per second, in Hz; needed for samples.
        caption: a line for people that goes with it.
    """

    def __init__(self, data: Any, sample_rate: int = 0, caption: str = "") -> None:
        super().__init__(data, caption)
        self.sample_rate = sample_rate

    def encoded(self) -> Encoded:
        """The sound as WAV, or as it came."""
        if is_path(self.data):
            path = existing(self.data)
            with path.open("rb") as file:
                return self._as_it_came(path, file.read(magic.LOOKED_AT))
        if isinstance(self.data, bytes | bytearray | memoryview):
            content = bytes(self.data)
            return self._as_it_came(content, content[: magic.LOOKED_AT])
        if not is_array(self.data) and not isinstance(self.data, list | tuple):
            raise Refusal(f"audio is an array of samples, a path or bytes, not {type(self.data).__name__}")
        return self._from_samples()

    def _as_it_came(self, content: bytes | Path, head: bytes) -> Encoded:
        extension = magic.audio(head)
        if not extension:
            raise Refusal("the bytes are no sound: give WAV, MP3, FLAC, Ogg, M4A or AAC, or samples with sample_rate=")
        rate = {"sample_rate": int(self.sample_rate)} if self.sample_rate else {}
        return Encoded("audio", extension, content, (extension == "wav" and _wav_details(content)) or rate)

    def _from_samples(self) -> Encoded:
        if int(self.sample_rate) < 1:
            raise Refusal("samples need their rate in Hz: trackhub.Audio(samples, sample_rate=16000)")
        samples, channels, odd = from_array(self.data) if is_array(self.data) else from_list(self.data)
        content = _wav(samples, channels, int(self.sample_rate))
        return Encoded("audio", "wav", content, {**_wav_details(content), **odd})


def _wav(samples: array[int], channels: int, sample_rate: int) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def _wav_details(content: bytes | Path) -> dict[str, Any]:
    """Of a plain WAV file; nothing of one that the standard library does not read."""
    try:
        with wave.open(str(content) if isinstance(content, Path) else io.BytesIO(content), "rb") as file:
            rate, channels, frames = file.getframerate(), file.getnchannels(), file.getnframes()
    except (wave.Error, EOFError):
        return {}
    return {"sample_rate": rate, "channels": channels, "seconds": round(frames / rate, 6)} if rate else {}
