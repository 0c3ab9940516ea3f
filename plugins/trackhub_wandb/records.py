"""Reads W&B's `.wandb` files: a LevelDB log of protobuf records. The SDK itself has no reader in Python.

A file begins with ":W&B", 0xBEE1 and version 0. Blocks of 32 kB hold chunks: CRC-32 (of the type byte and the data),
length, type (1 whole, 2 first, 3 middle, 4 last), data. A chunk never crosses a block; less than 7 bytes are padding.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import HistoryRecord, Record

AXIS = "trackhub/step"
"""The metric that is the x axis of every other one."""

_MAGIC = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
_BLOCK = 32768
_HEAD = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def read(path: Path) -> Iterator[Record]:
    """The records of a file, up to a torn end.

    Raises:
        ValueError: the file is damaged before its end, or no `.wandb` file of this version.
    """
    data = path.read_bytes()
    if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
        raise ValueError(f"{path} is no .wandb file of version 0")
    parts: list[bytes] = []
    for kind, part in _chunks(path, data):
        parts = [part] if kind in (_WHOLE, _FIRST) else [*parts, part]
        if kind in (_WHOLE, _LAST):
            yield Record.FromString(b"".join(parts))


def _chunks(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(_MAGIC)
    while True:
        room = _BLOCK - at % _BLOCK
        if room < _HEAD.size:
            at += room
        if at + _HEAD.size > len(data):
            return
        checksum, length, kind = _HEAD.unpack_from(data, at)
        part = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(part) < length:
            return
        if not _WHOLE <= kind <= _LAST or zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            raise ValueError(f"{path} is damaged at byte {at}")
        yield kind, part
        at += _HEAD.size + length


def count(path: Path) -> Counter[str]:
    """How many records of each kind a file holds."""
    return Counter(record.WhichOneof("record_type") for record in read(path))


def points(path: Path, key: str) -> Iterator[tuple[int, float, float]]:
    """(step, value, timestamp) of every number under `key`, in stored order."""
    for record in read(path):
        if record.WhichOneof("record_type") == "history":
            items = _numbers(record.history)
            if key in items:
                yield int(items[AXIS]), float(items[key]), float(items["_timestamp"])


def _numbers(history: HistoryRecord) -> dict[str, str]:
    """JSON text of each number of a row; media are nested, and have longer keys."""
    keyed = ((list(item.nested_key) or [item.key], item.value_json) for item in history.item)
    return {key[0]: text for key, text in keyed if len(key) == 1}
