"""How rows are lines of a CSV file, and lines rows: the only place that knows.

Only the header can hold quotes, commas or newlines inside a cell: every line below it is numbers and commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO

from trackhub.plugin import Row

FIRST = ("step", "timestamp")
"""The columns that are always there, in front."""
BEGINS = ",".join(FIRST).encode()
_COLLIDES = re.compile(r"(metric\.)*(step|timestamp)")
_SPECIAL = re.compile(r'[,"\r\n]')
_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^,"\n]*))[,\n]')


def column(key: str) -> str:
    """The column of a metric: its key; ``metric.step`` for a metric that is itself called ``step``."""
    return f"metric.{key}" if _COLLIDES.fullmatch(key) else key


def key_of(name: str) -> str:
    """The inverse of `column`."""
    return name.removeprefix("metric.") if _COLLIDES.fullmatch(name) else name


def encode_header(keys: Iterable[str]) -> bytes:
    """The header line for these metrics, quoted as in RFC 4180."""
    return (",".join(map(_quoted, (*FIRST, *map(column, keys)))) + "\n").encode()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if _SPECIAL.search(name) else name


def decode_header(header: bytes) -> list[str]:
    """The metrics of a header line."""
    cells = [quoted.replace('""', '"') or bare for quoted, bare in _CELL.findall(header.decode())]
    return [key_of(name) for name in cells[len(FIRST) :]]


def read_header(file: IO[bytes]) -> bytes:
    """The header line at the beginning of `file`, which may span several lines inside quotes."""
    header = file.readline()
    while header.count(b'"') % 2 and (line := file.readline()):
        header += line
    return header


def encode_rows(rows: Iterable[Row], places: dict[str, int]) -> bytes:
    """A line per row; `places` maps each metric to the number of its column.

    `repr` is the shortest text that gives the same float again; only NaN and infinities are spelled with an n.
    """
    blank = [""] * (len(FIRST) + len(places))
    text = "".join([_line(row, places, blank.copy()) for row in rows])
    if "n" in text:
        text = text.replace("nan", "NaN").replace("inf", "Infinity")
    return text.encode()


def _line(row: Row, places: dict[str, int], cells: list[str]) -> str:
    cells[0], cells[1] = repr(row.step), repr(row.timestamp)
    for key, value in row.metrics.items():
        cells[places[key]] = repr(value)
    return ",".join(cells) + "\n"


def decode_point(line: bytes, place: int) -> tuple[int, float, float] | None:
    """(step, value, timestamp) of column `place` in a line; None if the cell is empty."""
    cells = line.rstrip(b"\n").split(b",")
    return (int(cells[0]), _number(cells[place]), float(cells[1])) if cells[place] else None


def _number(cell: bytes) -> float:
    return int(cell) if cell.lstrip(b"-").isdigit() else float(cell)
