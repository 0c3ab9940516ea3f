"""Tables of whatever make as names and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trackhub.intake import Refusal
from trackhub.media.arrays import is_a, is_array, is_tensor

Rows = tuple[list[str], list[Any]]
"""Names of the columns, and rows of so many values."""


def named_rows(data: Any, columns: list[str] | None, check_size: Callable[[int], None]) -> Rows:
    """The columns' names and the rows of `data`.

    Args:
        data: what a `Table` takes.
        columns: names, or a choice of names.
        check_size: refuses a number of cells, before they are looked at.
    """
    if is_a(data, "pandas.DataFrame"):
        return _of_pandas(data if columns is None else data[columns], check_size)
    if is_a(data, "polars.DataFrame"):
        return _of_polars(data if columns is None else data[columns], check_size)
    if isinstance(data, Mapping):
        return _of_columns(data if columns is None else {name: data[name] for name in columns})
    if isinstance(data, list | tuple) and data and all(isinstance(row, Mapping) for row in data):
        return _of_dicts(data, columns)
    if is_array(data) and len(getattr(data, "shape", ())) == 2:
        check_size(data.shape[0] * data.shape[1])
        return _of_rows(data.tolist(), columns)
    if isinstance(data, list | tuple):
        return _of_rows(data, columns)
    raise Refusal(f"a table is a DataFrame, a list of dicts or rows, or a dict of columns, not {type(data).__name__}")


def _of_pandas(frame: Any, check_size: Callable[[int], None]) -> Rows:
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index(allow_duplicates=True)
    check_size(frame.shape[0] * frame.shape[1])
    columns = [_pandas_column(values) for _, values in frame.items()]
    return [_name(name) for name in frame.columns], list(zip(*columns, strict=True))


def _pandas_column(values: Any) -> list[Any]:
    """The values of a column; a NaN among anything but floats is how pandas says that a value is missing."""
    cells: list[Any] = values.tolist()
    return (
        cells if values.dtype.kind == "f" else [cell if cell is not None and cell == cell else None for cell in cells]
    )


def _of_polars(frame: Any, check_size: Callable[[int], None]) -> Rows:
    check_size(frame.shape[0] * frame.shape[1])
    return [_name(name) for name in frame.columns], frame.rows()


def _of_columns(data: Mapping[Any, Any]) -> Rows:
    columns = {_name(name): _column(name, values) for name, values in data.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise Refusal(f"the columns of a table are equally long, not {str(lengths)[:200]}")
    return list(columns), list(zip(*columns.values(), strict=True))


def _column(name: Any, values: Any) -> list[Any]:
    if is_tensor(values) or hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise Refusal(f"column {str(name)[:80]!r} of a table is a list of values, not {type(values).__name__}")
    return list(values)


def _of_dicts(data: Any, columns: list[str] | None) -> Rows:
    """The columns in the order in which they first come; what a row does not have is None."""
    names = list(dict.fromkeys(name for row in data for name in row)) if columns is None else columns
    return [_name(name) for name in names], [[row.get(name) for name in names] for row in data]


def _of_rows(data: Any, columns: list[str] | None) -> Rows:
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in data]
    if not all(isinstance(row, list | tuple) for row in rows):
        raise Refusal("the rows of a table are lists: [[1, 2], [3, 4]], with columns=['a', 'b']")
    names = list(map(str, range(len(rows[0]) if rows else 0))) if columns is None else columns
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise Refusal(f"row {number} of the table has {len(row)} values for {len(names)} columns")
    return [_name(name) for name in names], rows


def _name(name: Any) -> str:
    """A column's name; that of several levels is joined with "/"."""
    return "/".join(map(str, name)) if isinstance(name, tuple) else str(name)
