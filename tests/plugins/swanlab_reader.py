"""What SwanLab's own reader finds in a run's offline folders: the tests' view, apart from the plugin's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def folders(run: Path) -> list[Path]:
    return sorted((run / "swanlab_logs").glob("run-*"))


def records(folder: Path) -> Iterator[Any]:
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    (path,) = folder.glob("run-*.swanlab")
    reader = DataStoreReader()
    reader.open(path)
    try:
        for data in reader:
            yield Record.FromString(data)
    finally:
        reader.close()


def of_kind(run: Path, kind: str) -> list[Any]:
    """Every record of one kind, over all folders."""
    found = (record for folder in folders(run) for record in records(folder))
    return [getattr(record, kind) for record in found if record.WhichOneof("record_type") == kind]


def points(run: Path) -> list[tuple[str, int, float, float]]:
    """(key, step, value, Unix seconds) of every stored number, over all folders."""
    return [
        (scalar.key, scalar.step, scalar.value.number, scalar.timestamp.seconds + scalar.timestamp.nanos / 1e9)
        for scalar in of_kind(run, "scalar")
    ]
