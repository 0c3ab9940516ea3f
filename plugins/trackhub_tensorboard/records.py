"""Records of an event file: to bytes and back, in TensorBoard's own protobufs and framing. This imports the SDK."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from trackhub.plugin import Row
from trackhub_tensorboard.tags import SCALAR, Tags

HEAD, TAIL = 12, 4
"""Bytes around the content of a record: its length as a uint64 and a checksum of that, a checksum of the content."""


def head(started: float) -> bytes:
    """What a file begins with: its version."""
    source = SourceMetadata(writer="trackhub_tensorboard")
    return framed([Event(wall_time=started, file_version="brain.Event:2", source_metadata=source)])


def scalars(rows: Iterable[Row], tags: Tags) -> bytes:
    """One record per row, with all its values."""
    return framed(_row(row, tags) for row in rows)


def text(tag: str, content: str, number: int, timestamp: float) -> bytes:
    """A record for the Text tab, which shows Markdown."""
    tensor = TensorProto(dtype=DT_STRING, string_val=[content.encode("utf-8", "backslashreplace")])
    value = Summary.Value(tag=tag, tensor=tensor, metadata=create_summary_metadata("", ""))
    return framed([Event(wall_time=timestamp, step=number, summary=Summary(value=[value]))])


def points(path: Path, key: str) -> list[tuple[int, float, float]]:
    """(step, value, timestamp) of every value of `key`, in stored order."""
    return [
        (event.step, value.simple_value, event.wall_time)
        for event in _events(path)
        for value in event.summary.value
        if value.tag == key and value.HasField("simple_value")
    ]


def _row(row: Row, tags: Tags) -> Event:
    values = [Summary.Value(tag=tags.of(key, SCALAR), simple_value=value) for key, value in row.metrics.items()]
    return Event(wall_time=row.timestamp, step=row.step, summary=Summary(value=values))


def framed(events: Iterable[Event]) -> bytes:
    """Events as the bytes of records."""
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event.SerializeToString())
    return buffer.getvalue()


def _events(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        while start := file.read(HEAD):
            (length,) = struct.unpack_from("<Q", start)
            yield Event.FromString(file.read(length))
            file.read(TAIL)
