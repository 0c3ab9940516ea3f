"""Pictures, sound, text and histograms as records of an event file. This imports the SDK."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_STRING
from tensorboard.plugins.audio import metadata as audio_metadata
from tensorboard.plugins.histogram import metadata as histogram_metadata

from trackhub.plugin import Media, Rejected
from trackhub_tensorboard import records

_SHOWN = {"audio": (".wav",), "video": (".gif",)}
"""Endings of what the dashboards can show, where that is not everything."""


class _Histogram(msgspec.Struct):
    edges: list[float]
    counts: list[float]


def record(media: Media, tag: str) -> bytes:
    """The record of one medium.

    Raises:
        Rejected: TensorBoard shows no file of this format.
    """
    path = Path(media.path)
    shown = _SHOWN.get(media.media_kind, (path.suffix,))
    if path.suffix not in shown:
        raise Rejected(f"TensorBoard shows {media.media_kind} as {', '.join(shown)}, not as {path.suffix}")
    content = path.read_bytes()
    if media.media_kind == "text":
        return records.text(tag, content.decode("utf-8", "backslashreplace"), media.step, media.t)
    value = _MAKERS.get(media.media_kind, _image)(media, content)
    value.tag = tag
    return records.framed([Event(wall_time=media.t, step=media.step, summary=Summary(value=[value]))])


def _image(media: Media, content: bytes) -> Summary.Value:
    """A picture as it is, but for WebP, which TensorBoard does not know for a picture."""
    if media.path.endswith(".webp"):
        content = _as_png(content)
    width, height = int(media.details.get("width", 0)), int(media.details.get("height", 0))
    return Summary.Value(image=Summary.Image(width=width, height=height, encoded_image_string=content))


def _as_png(content: bytes) -> bytes:
    from PIL import Image  # TensorBoard itself needs Pillow

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _audio(_: Media, content: bytes) -> Summary.Value:
    """A tensor of shape (1, 2): the sound, and an empty label. Only so does the fast loader know that it is WAV."""
    tensor = TensorProto(dtype=DT_STRING, tensor_shape=_shape(1, 2), string_val=[content, b""])
    metadata = audio_metadata.create_summary_metadata("", "", audio_metadata.Encoding.Value("WAV"))
    return Summary.Value(tensor=tensor, metadata=metadata)


def _histogram(_: Media, content: bytes) -> Summary.Value:
    """A tensor of shape (bins, 3): left edge, right edge and count of each bin."""
    found = msgspec.json.decode(content, type=_Histogram)
    bins = zip(found.edges, found.edges[1:], found.counts, strict=False)
    numbers = [number for one in bins for number in one]
    tensor = TensorProto(dtype=DT_DOUBLE, tensor_shape=_shape(len(numbers) // 3, 3), double_val=numbers)
    return Summary.Value(tensor=tensor, metadata=histogram_metadata.create_summary_metadata("", ""))


def _shape(*sizes: int) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


_MAKERS = {"audio": _audio, "histogram": _histogram}
