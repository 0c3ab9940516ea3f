"""The lines of a data file, and one line as a row."""

from __future__ import annotations

import ast
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from trackhub_trainer.rows import Row

Entry = tuple[int, bytes | Row]
"""A line's 0-based number, and what it holds: its bytes, or the row already."""


def entries(path: Path) -> Iterator[Entry]:
    """The lines of a file; blank ones are passed over, but count.

    Raises:
        OSError: it cannot be read.
    """
    content = path.read_bytes().removeprefix(BOM_UTF8)
    return ((number, line) for number, line in enumerate(content.split(b"\n")) if line.strip())


def parsed(content: bytes | Row) -> Row:
    """A JSON object; or, from older scripts, the repr of a Python dict, read without running it.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(content, bytes):
        return content
    text = content.decode()
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            row = ast.literal_eval(text.strip())
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise ValueError(f"no valid JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    return row
