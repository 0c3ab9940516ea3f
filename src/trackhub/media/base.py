"""What all media share: a value with a caption, and how it becomes a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from trackhub.intake import Refusal


class Encoded(msgspec.Struct, frozen=True):
    """A medium as a file: its content, or the path of a file that is kept as it is."""

    kind: str
    """One of `trackhub.events.MEDIA_KINDS`."""
    extension: str
    content: bytes | Path
    details: dict[str, Any] = {}


class Medium:
    """A value that becomes a file when it is logged.

    Args:
        data: the value.
        caption: a line for people that goes with it.
    """

    def __init__(self, data: Any, caption: str = "") -> None:
        self.data = data
        self.caption = caption

    def encoded(self) -> Encoded:
        """The value as a file.

        Raises:
            Refusal: it is nothing of this kind, with what to do instead.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"trackhub.{type(self).__name__}(<{type(self.data).__name__}>)"


def is_path(data: Any) -> bool:
    """Whether `data` names a file."""
    return isinstance(data, str | os.PathLike)


def existing(data: Any) -> Path:
    """The file that `data` names.

    Raises:
        Refusal: there is none.
    """
    path = Path(data).expanduser()
    if not path.is_file():
        raise Refusal(f"there is no file {path}")
    return path


def content_of(data: Any) -> bytes:
    """The bytes that `data` is, or that the file holds which it names.

    Raises:
        Refusal: there is no such file.
    """
    return existing(data).read_bytes() if is_path(data) else bytes(data)
