"""``.env`` in the working folder: keys of trackers, ``EXPERIMENT_NAME``, ``TRACKHUB_...``, as if they were exported.

It never overrides what the environment has already. What looks like a credential is redacted wherever it would be
written, as is everything in the environment.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from trackhub.tell import tell

PATH = Path(".env")


def read(path: Path = PATH) -> list[str]:
    """Put what the file sets into the environment; what is wrong with it, in words. Lines that set nothing are told."""
    if find_spec("dotenv") is None or not path.is_file():
        return []
    from dotenv import dotenv_values

    logging.getLogger("dotenv.main").setLevel(logging.ERROR)  # it warns of broken lines in words of its own
    try:
        for line in _broken(path):
            tell(f"{path}, line {line} is left out: it does not read NAME=VALUE")
        for name, value in dotenv_values(path).items():
            if value is not None:
                os.environ.setdefault(name, value)
    except (OSError, ValueError) as error:
        return [f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"]
    return []


def _broken(path: Path) -> Iterator[int]:
    from dotenv.parser import parse_stream

    with path.open(encoding="utf-8") as text:
        yield from (binding.original.line for binding in parse_stream(text) if binding.error)
