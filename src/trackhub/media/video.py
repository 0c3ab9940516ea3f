"""Moving pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from trackhub.intake import Refusal
from trackhub.media import magic
from trackhub.media.arrays import as_numpy, is_array, is_tensor
from trackhub.media.base import Encoded, Medium, existing, is_path
from trackhub.media.pixels import as_uint8, pillow


class Video(Medium):
    """A video: a path or bytes (MP4, WebM, GIF) are kept as they are, frames become a GIF of 256 colours a frame.

    Args:
        data: a path; encoded bytes; or frames of shape (T, H, W, 1|3), with values as `Image` takes them; of a torch
            tensor also (T, 1|3, H, W).
        fps: frames per second, for frames: up to 50, since a GIF counts hundredths of a second.
        caption: a line for people that goes with it.
    """

    def __init__(self, data: Any, fps: float = 10, caption: str = "") -> None:
        super().__init__(data, caption)
        self.fps = fps

    def encoded(self) -> Encoded:
        """The video as it came, or as GIF."""
        if is_path(self.data):
            path = existing(self.data)
            with path.open("rb") as file:
                return _as_it_came(path, file.read(magic.LOOKED_AT))
        if isinstance(self.data, bytes | bytearray | memoryview):
            content = bytes(self.data)
            return _as_it_came(content, content[: magic.LOOKED_AT])
        if not is_array(self.data):
            raise Refusal(f"a video is an array of frames, a path or bytes, not {type(self.data).__name__}")
        if not 0.1 <= self.fps <= 50:
            raise Refusal(f"a GIF shows 0.1 to 50 frames per second, not {self.fps}")
        return _from_frames(self.data, 10 * round(100 / self.fps))


def _as_it_came(content: bytes | Path, head: bytes) -> Encoded:
    extension = magic.video(head)
    if not extension:
        raise Refusal("the bytes are no video: give MP4, WebM or GIF, or frames with fps=")
    return Encoded("video", extension, content)


def _from_frames(data: Any, milliseconds: int) -> Encoded:
    array = as_numpy(data)
    if array.ndim == 4 and is_tensor(data) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, 3):
        raise Refusal(f"frames have the shape (T, H, W, 1|3), not {array.shape}")
    frames, odd = as_uint8(array[..., 0] if array.shape[3] == 1 else array)
    details = {"width": array.shape[2], "height": array.shape[1], "frames": len(array), "fps": 1000 / milliseconds}
    return Encoded("video", "gif", _gif(frames, milliseconds), {**details, **odd})


def _gif(frames: Any, milliseconds: int) -> bytes:
    """Frames that equal the one before are merged with it by Pillow, and shown as long as both."""
    first, *others = map(pillow().fromarray, frames)
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    return buffer.getvalue()
