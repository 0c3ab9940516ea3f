"""Files that a tracker keeps in the run folder: cut back to what is recorded, and never in place of another's.

`AppendFile` is the rule "truncate" for a plugin with one growing file: `flush` returns its state, and opening it with
that state takes away whatever was written later. It grows by appending, or as a whole through `AppendFile.rewrite`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import IO
from zlib import crc32

from trackhub.files import first_free, sync
from trackhub.verdicts import Rebuild

CHECKED = 4096
"""Bytes at the beginning of a file by which it is known again."""
CHUNK = 1 << 20


class AppendFile:
    """One growing file of a tracker. It holds no descriptor between calls.

    A file that is there without a state is somebody else's, unless it is empty, and is moved aside: so write nothing
    before the first `flush`, which follows `on_run_start` at once. A link is always somebody else's.

    Args:
        path: the file, in the run folder.
        state: what `flush` returned last, or None to begin a new file.
        checked: how many bytes at its beginning, at most, tell this file from another.
        begins: what every file of this tracker begins with; it tells whose a file is that was recorded as empty.

    Raises:
        Rebuild: the file is gone, is another one (then it is moved aside), or is shorter than recorded (then it is
            removed): a shorter file is built again, never extended.
    """

    def __init__(
        self, path: Path, state: dict[str, int] | None = None, checked: int = CHECKED, begins: bytes = b""
    ) -> None:
        self.path = path
        self.size = 0
        """Bytes written and counted; a file of another size was written to by somebody else."""
        self.checked = checked
        self._begins = begins
        self._unsynced = True
        temporary(path).unlink(missing_ok=True)
        if state is None:
            self._create()
        else:
            self._reopen(state)

    def append(self, data: bytes) -> None:
        """Write all of `data`, or raise an OSError and leave the file as it was."""
        with self._opened("r+b") as file:
            file.seek(0, os.SEEK_END)
            try:
                _write(file, data)
            except BaseException:
                file.truncate(self.size)
                raise
        self.size += len(data)
        self._unsynced = True

    def rewrite(self, chunks: Iterable[bytes], checked: int = CHECKED) -> None:
        """Replace the whole content in one step; `chunks` may be made from `read`."""
        self.size = replace_file(self.path, chunks)
        self.checked = checked

    def flush(self) -> dict[str, int]:
        """Put everything on the disk, and return the state of the file."""
        if self._unsynced:
            with self._opened("r+b") as file:
                os.fsync(file.fileno())
            _sync_folder(self.path.parent)
            self._unsynced = False
        head = self._first(min(self.size, self.checked))
        return {"size": self.size, "head": crc32(head), "checked": len(head)}

    def read(self, start: int = 0) -> Iterator[bytes]:
        """The content from byte `start` on, in pieces."""
        with self._opened("rb") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """The lines from byte `start` on, each with its newline."""
        with self._opened("rb", CHUNK) as file:
            file.seek(start)
            yield from file

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def _create(self) -> None:
        try:
            self.path.open("xb").close()
        except FileExistsError:
            if self.path.is_symlink() or not self.path.is_file() or self.path.stat().st_size:
                keep_aside(self.path)
                self.path.open("xb").close()

    def _reopen(self, state: dict[str, int]) -> None:
        if not self.path.is_file():
            raise Rebuild(f"{self.path.name} is gone")
        if self.path.is_symlink() or not self._is_recorded(state):
            raise Rebuild(f"{self.path.name} is not what was stored: it is kept as {keep_aside(self.path).name}")
        if self.path.stat().st_size < state["size"]:
            self.discard()
            raise Rebuild(f"{self.path.name} is shorter than what was stored")
        os.truncate(self.path, state["size"])
        self.size = state["size"]

    def _is_recorded(self, state: dict[str, int]) -> bool:
        """Whether the file begins as recorded; one that was recorded as empty, as files of this tracker do."""
        if state["checked"]:
            return crc32(self._first(state["checked"])) == state["head"]
        first = self._first(len(self._begins) or 1)
        return not first or first == self._begins[: len(first)]

    def _first(self, size: int) -> bytes:
        with self.path.open("rb") as file:
            return file.read(size)

    @contextlib.contextmanager
    def _opened(self, mode: str, buffering: int = 0) -> Iterator[IO[bytes]]:
        """The file, if it is as long as it was left.

        Raises:
            OSError: it is gone, or has another size.
        """
        with open(self.path, mode, buffering) as file:  # noqa: PTH123 - Path.open knows no computed modes
            size = os.fstat(file.fileno()).st_size
            if size != self.size:
                raise OSError(f"{self.path} has {size} bytes instead of {self.size}: somebody else wrote to it")
            yield file


def keep_aside(path: Path) -> Path:
    """Rename what lies at `path`, and is not the tracker's own, to ``<name>.kept-<number>``; returns the new path."""
    kept = first_free(path.with_name(f"{path.name}.kept-{number}") for number in count(1))
    logging.getLogger("trackhub").warning("%s is not the tracker's own: it is kept as %s", path, kept.name)
    return path.rename(kept)


def replace_file(path: Path, chunks: Iterable[bytes]) -> int:
    """Put `chunks` in the place of `path`: all of it or nothing, whatever is killed. Returns the number of bytes."""
    new = temporary(path)
    try:
        new.unlink(missing_ok=True)
        with new.open("xb") as file:  # never through a link that lies there
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        if path.exists() and not path.is_symlink():
            new.chmod(stat.S_IMODE(path.stat().st_mode))
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return size


def temporary(path: Path) -> Path:
    """Where `replace_file` writes before it renames."""
    return path.with_name(f".{path.name}.new")


def _write(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _sync_folder(folder: Path) -> None:
    """Make names in `folder` durable, where the system knows such a thing."""
    if os.name == "nt":
        return
    sync(folder)
