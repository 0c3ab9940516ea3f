"""metrics.csv: rows are appended; a new column takes a rewrite, and the rows that need it wait until that is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from trackhub.plugin import UNSEALED, AppendFile, Row
from trackhub_csv.lines import (
    BEGINS,
    FIRST,
    decode_header,
    decode_point,
    encode_header,
    encode_rows,
    read_header,
)

PATIENCE = 20
"""A rewrite waits so many times the duration of the last one: rewriting stays below 5 % of the time."""
MOST_WAITING = 50_000
"""Rows that wait for a rewrite in memory; with more it is done at once."""
TOLD_AT = 1_000
"""Columns from which on the user is told."""
_SLICE = 1_000


class Table:
    """The file, open for rows.

    Args:
        path: the file.
        state: what `flush` returned last, or None.

    Raises:
        Rebuild: the file is not what was stored.
    """

    def __init__(self, path: Path, state: dict[str, int] | None) -> None:
        if state is not None:
            state = _after_rewrite(path, state) or state
        self._file = AppendFile(path, state, checked=state["checked"] if state else 0, begins=BEGINS)
        self._rows = state["rows"] if state else 0
        self._waiting: list[Row] = []
        self._due = 0.0
        with path.open("rb") as file:
            self._places = _places(decode_header(read_header(file)))

    def add(self, rows: list[Row]) -> None:
        """Append rows, up to the first one with a new column; that and what follows wait for `flush`."""
        if len(self._waiting) >= MOST_WAITING:
            self.settle()
        if not self._file.size:
            self._begin(rows)
        known = 0 if self._waiting else self._known(rows)
        if known:
            self._file.append(encode_rows(rows[:known], self._places))
            self._rows += known
        self._waiting += rows[known:]

    def flush(self) -> Any:
        """The state; or UNSEALED while rows wait, because the last rewrite was too recent for its length."""
        if time.monotonic() >= self._due:
            self.settle()
        return UNSEALED if self._waiting else {**self._file.flush(), "rows": self._rows}

    def end(self) -> None:
        """Let no row wait, and no file be without a header."""
        self.settle()
        if not self._file.size:
            self._begin([])

    def settle(self) -> None:
        """Rewrite the file with the columns that rows wait for; the rows come below."""
        if not self._waiting:
            return
        started = time.monotonic()
        places = _places(self._keys(self._waiting))
        header = encode_header(places)
        self._file.rewrite(self._rewritten(header, places), checked=len(header))
        self._rows += len(self._waiting)
        self._waiting = []
        self._take(places)
        self._due = time.monotonic() + PATIENCE * (time.monotonic() - started)

    def read_back(self, key: str) -> Iterator[tuple[int, float, float]]:
        """Every point of `key`."""
        self.settle()
        place = self._places.get(key)
        if place is not None:
            points = (decode_point(line, place) for line in self._file.lines(self._file.checked))
            yield from (point for point in points if point)

    def discard(self) -> None:
        """Remove the file."""
        self._file.discard()

    def _begin(self, rows: list[Row]) -> None:
        places = _places(self._keys(rows))
        header = encode_header(places)
        self._file.append(header)
        self._file.checked = len(header)
        self._take(places)

    def _keys(self, rows: list[Row]) -> dict[str, None]:
        """All metrics, in order of first appearance."""
        return dict.fromkeys([*self._places, *(key for row in rows for key in row.metrics)])

    def _known(self, rows: list[Row]) -> int:
        """How many rows come before the first one with a new column."""
        known = self._places.keys()
        return next((number for number, row in enumerate(rows) if not row.metrics.keys() <= known), len(rows))

    def _rewritten(self, header: bytes, places: dict[str, int]) -> Iterator[bytes]:
        yield header
        end = b"," * (len(places) - len(self._places)) + b"\n"
        for chunk in self._file.read(self._file.checked):
            yield chunk.replace(b"\n", end)
        for start in range(0, len(self._waiting), _SLICE):
            yield encode_rows(self._waiting[start : start + _SLICE], places)

    def _take(self, places: dict[str, int]) -> None:
        if len(self._places) < TOLD_AT <= len(places):
            logging.getLogger("trackhub.csv").warning(
                "%s has over %d columns, and each new one rewrites it: the jsonl tracker takes any number",
                self._file.path,
                TOLD_AT,
            )
        self._places = places


def _places(keys: Any) -> dict[str, int]:
    """Each metric's place in a line."""
    return {key: place for place, key in enumerate(keys, len(FIRST))}


def _after_rewrite(path: Path, state: dict[str, int]) -> dict[str, int] | None:
    """The state of a file that was rewritten after `state` was stored, with the same rows; None if it was not.

    The courier can be killed between the rename and its cursor. Such a file begins with the old header, and more
    columns; its first rows are those that the old one had.
    """
    size = state["checked"]
    if not size or not path.is_file():
        return None
    with path.open("rb") as file:
        begins = file.read(size)
        if not begins.endswith(b",") or crc32(begins[:-1] + b"\n") != state["head"]:
            return None
        file.seek(0)
        header = read_header(file)
        if not all(file.readline().endswith(b"\n") for _ in range(state["rows"])):
            return None
        return {**state, "size": file.tell(), "head": crc32(header), "checked": len(header)}
