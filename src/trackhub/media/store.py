"""Files named by their content: stored once, never replaced."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from trackhub.layout import RunFolder

_CHUNK = 1 << 20


def store(folder: RunFolder, content: bytes | Path, extension: str) -> tuple[Path, str]:
    """Keep `content` in the run's media folder; returns (its path, its SHA-256 in hexadecimal).

    A file is copied and never linked: a program that writes its samples to one file again and again would change
    what is stored. What is hashed is what was written, also if the file changes meanwhile.

    Raises:
        OSError: the disk is full, the folder cannot be written, the file cannot be read.
    """
    folder.media.mkdir(parents=True, exist_ok=True)
    new = folder.media / f".{os.urandom(8).hex()}.new"
    try:
        digest = _written(new, content)
        target = folder.media_file(digest, extension)
        _name(new, target)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
    return target, digest


def _written(new: Path, content: bytes | Path) -> str:
    digest = sha256()
    with new.open("xb") as file:
        for chunk in _chunks(content):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _name(new: Path, target: Path) -> None:
    """Give a new file its name, unless its content is there already."""
    if target.is_symlink() or (target.exists() and target.stat().st_size != new.stat().st_size):
        # A power cut left a part of it: what has this name and another size is no content of that hash. Nor is a link.
        target.rename(target.with_name(f"{target.name}.torn-{os.urandom(4).hex()}"))
    try:
        os.link(new, target)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not target.exists():
            new.rename(target)
