"""Media as SwanLab's records and files, as its own SDK writes them for `swanlab.Image`, `echarts.Table` and so on."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from swanlab.proto.swanlab.metric.data.v1.data_pb2 import MediaItem, MediaRecord, MediaValue
from swanlab.sdk.internal.pkg import adapter

from trackhub.plugin import Media, Rejected
from trackhub_swanlab.columns import TYPES
from trackhub_swanlab.fragment import timestamp

_SHOWN = {"audio": (".wav",), "video": (".gif",)}
"""Endings of what SwanLab takes, where that is not everything."""


class _Table(msgspec.Struct):
    columns: list[str]
    data: list[list[Any]]


class _Histogram(msgspec.Struct):
    edges: list[float]
    counts: list[float]


def check(media: Media) -> None:
    """Raise `Rejected` for a file of a format that SwanLab does not take."""
    ending = Path(media.path).suffix
    shown = _SHOWN.get(media.media_kind, (ending,))
    if ending not in shown:
        raise Rejected(f"SwanLab takes {media.media_kind} as {', '.join(shown)}, not as {ending}")


def filed(media: Media, key: str, folder: Path) -> MediaRecord:
    """The record of a medium, whose file is put into a fragment's media folder."""
    chart = _chart(media)
    digest = sha256(chart).hexdigest() if chart is not None else media.sha256 or _digest(Path(media.path))
    target = folder / TYPES[media.media_kind] / f"{media.step:03d}-{digest[:16]}{Path(media.path).suffix}"
    target.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):  # the same content at the same step, under another key
        _place(chart, Path(media.path), target)
    item = MediaItem(filename=target.name, sha256=digest, size=target.stat().st_size, caption=media.caption)
    return _record(media, key, item)


def inline(media: Media, key: str) -> MediaRecord:
    """The record of a medium, with its content in it."""
    chart = _chart(media)
    content = Path(media.path).read_bytes() if chart is None else chart
    digest = sha256(content).hexdigest()
    name = f"{media.step:03d}-{digest[:16]}{Path(media.path).suffix}"
    item = MediaItem(filename=name, sha256=digest, size=len(content), caption=media.caption, payload=content)
    return _record(media, key, item)


def _record(media: Media, key: str, item: MediaItem) -> MediaRecord:
    return MediaRecord(
        key=key,
        step=media.step,
        type=adapter.medium[TYPES[media.media_kind]],
        timestamp=timestamp(media.t),
        value=MediaValue(items=[item]),
    )


def _place(chart: bytes | None, source: Path, target: Path) -> None:
    """Write a chart, or link the run's own file; copy it where links do not reach."""
    if chart is not None:
        _write(target, io.BytesIO(chart))
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        with source.open("rb") as content:
            _write(target, content)


def _write(target: Path, content: BinaryIO) -> None:
    """All of it, or no file: half of one would be taken for whole when the call is repeated."""
    with target.open("xb") as file:
        try:
            shutil.copyfileobj(content, file)
            file.flush()
        except BaseException:
            target.unlink()
            raise


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _chart(media: Media) -> bytes | None:
    """What is drawn from a table or a histogram; None for what is kept as it is."""
    maker = _CHARTS.get(media.media_kind)
    return maker(Path(media.path).read_bytes()) if maker else None


def _table(content: bytes) -> bytes:
    """As `swanlab.echarts.Table` writes it; there a row is a dict, so that columns need different names."""
    table = msgspec.json.decode(content, type=_Table)
    names = _different(table.columns)
    rows = [dict(zip(names, row, strict=True)) for row in table.data]
    return msgspec.json.encode({"_swanLab": "table", "colDefs": [{"field": name} for name in names], "rowData": rows})


def _different(names: list[str]) -> list[str]:
    taken: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} ({number})"
        taken[free] = None
    return list(taken)


def _histogram(content: bytes) -> bytes:
    """Bars without gaps, each named by its edges, as options of ECharts: what `swanlab.echarts.Bar` writes."""
    found = msgspec.json.decode(content, type=_Histogram)
    bins = [f"{left} .. {right}" for left, right in zip(found.edges, found.edges[1:], strict=False)]
    return msgspec.json.encode(
        {
            "tooltip": {"show": True, "trigger": "axis"},
            "xAxis": [{"type": "category", "data": bins}],
            "yAxis": [{"type": "value"}],
            "series": [{"type": "bar", "barCategoryGap": "0%", "data": found.counts}],
        }
    )


_CHARTS: dict[str, Callable[[bytes], bytes]] = {"table": _table, "histogram": _histogram}
