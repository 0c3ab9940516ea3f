"""A table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trackhub.intake import Refusal
from trackhub.journal.format import jsonable, spell
from trackhub.media.base import Encoded, Medium
from trackhub.media.rows import named_rows
from trackhub.secrets import redact

MOST_CELLS = 1_000_000
_MISSING = ("NAType", "NaTType")


class Table(Medium):
    """A table of at most 1,000,000 cells, stored as JSON: {"columns": [...], "data": [[...], ...]}.

    Numbers, strings, bools and None are kept; NaN and the infinities become the words of the journal, missing values
    null, everything else its text. Credentials are redacted.

    Args:
        data: a pandas or polars DataFrame (an index with a name becomes columns); a list of dicts; a dict of columns;
            or rows, as lists or as an array of shape (rows, columns).
        columns: names for rows, or which columns to keep of data that has names.
        caption: a line for people that goes with it.
    """

    def __init__(self, data: Any, columns: Sequence[str] | None = None, caption: str = "") -> None:
        super().__init__(data, caption)
        self.columns = columns

    def encoded(self) -> Encoded:
        """The table as JSON."""
        columns, rows = named_rows(self.data, None if self.columns is None else list(self.columns), _check_size)
        _check_size(len(rows) * len(columns))
        cells = [[_cell(value, name) for value, name in zip(row, columns, strict=True)] for row in rows]
        table = {"columns": [redact(name) for name in columns], "data": cells}
        return Encoded("table", "json", _json(table), {"rows": len(rows), "columns": len(columns)})


def _check_size(cells: int) -> None:
    if cells > MOST_CELLS:
        raise Refusal(
            f"a table has at most {MOST_CELLS:,} cells, not {cells:,}: log a part of it, or keep it as a file, "
            "run.log_artifact(path)"
        )


def _cell(value: Any, column: str) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return spell(float(value))
    if isinstance(value, str):
        return redact(str(value), column)
    if type(value).__name__ in _MISSING:
        return None
    return _unwrapped(value, column)


def _unwrapped(value: Any, column: str) -> Any:
    """The number in a scalar of numpy, torch and the like, else the value's text."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        inner = item()
        if isinstance(inner, bool | int | float | str):
            return _cell(inner, column)
    return redact(str(redact(value, column)), column)


def _json(table: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(table)
    except UnicodeEncodeError:
        return msgspec.json.encode(jsonable(table))
