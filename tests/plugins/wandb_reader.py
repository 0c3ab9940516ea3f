"""What a run's `.wandb` files hold, read with another reader than the plugin's: SwanLab's, for its W&B converter."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILES = ("audio-file", "html-file", "image-file", "video-file")


def folders(run: Path, kind: str = "offline-run") -> list[Path]:
    return sorted((run / "wandb_logs" / "wandb").glob(f"{kind}-*"))


def records(folder: Path) -> Iterator[Any]:
    from swanlab.converter.wb.wbdatastore import DataStoreTruncatedError, WBDataStoreReader
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("run-*.wandb")
    with WBDataStoreReader() as reader:
        reader.open(path)
        try:
            while (data := reader.scan()) is not None:
                yield Record.FromString(data)
        except DataStoreTruncatedError:
            return


def of_kind(run: Path, kind: str) -> list[Any]:
    """Every record of one kind, over all folders."""
    found = (record for folder in folders(run) for record in records(folder))
    return [getattr(record, kind) for record in found if record.WhichOneof("record_type") == kind]


def history(run: Path) -> list[dict[str, Any]]:
    """The history rows; media are nested dictionaries. Numbers are kept as their JSON text."""
    rows: list[dict[str, Any]] = []
    for record in of_kind(run, "history"):
        row: dict[str, Any] = {"_step": str(record.step.num)}
        for item in record.item:
            *path, last = list(item.nested_key) or [item.key]
            place = row
            for part in path:
                place = place.setdefault(part, {})
            place[last] = json.loads(item.value_json) if path else item.value_json
        rows.append(row)
    return rows


def points(run: Path) -> list[tuple[str, int, float, float]]:
    """(key, step, value, Unix seconds) of every stored number, in the order of the file, keys sorted within a row."""
    return [
        (key, int(row["trackhub/step"]), float(value), float(row["_timestamp"]))
        for row in history(run)
        for key, value in sorted(row.items())
        if isinstance(value, str) and not key.startswith("_") and key != "trackhub/step"
    ]


def config(run: Path) -> dict[str, Any]:
    """The configuration of the last folder."""
    found: dict[str, Any] = {}
    for record in records(folders(run)[-1]):
        if record.WhichOneof("record_type") in ("run", "config"):
            updates = record.run.config.update if record.HasField("run") else record.config.update
            found |= {item.key: json.loads(item.value_json) for item in updates}
    return {key: value for key, value in found.items() if key != "_wandb"}


def summary(run: Path) -> dict[str, Any]:
    """The summary of the last folder: the last value of each key; nested keys below their first."""
    found: dict[str, Any] = {}
    for record in records(folders(run)[-1]):
        for item in record.summary.update if record.HasField("summary") else ():
            *path, last = list(item.nested_key) or [item.key]
            place = found
            for part in path:
                place = place.setdefault(part, {})
            place[last] = json.loads(item.value_json)
    return found


def media(run: Path) -> list[tuple[str, int, dict[str, Any]]]:
    """(key, step, what the record says) of every medium."""
    return [
        (key, int(row["trackhub/step"]), value)
        for row in history(run)
        for key, value in row.items()
        if isinstance(value, dict)
    ]


def content(run: Path, said: dict[str, Any]) -> bytes:
    """The file that a medium's record names."""
    (path,) = (path for folder in folders(run) if (path := folder / "files" / said["path"]).is_file())
    return path.read_bytes()


def text_of(page: bytes) -> bytes:
    """The text that was stored as a page."""
    return html.unescape(page.decode().removeprefix("<pre>").removesuffix("</pre>")).encode()
