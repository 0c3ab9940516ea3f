"""A lock on a file that dies with its holder: the sign of life of writers, couriers and supervisors."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

_UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

if sys.platform == "win32":  # pragma: no cover - kept open by construction, tested on Linux
    import msvcrt

    def _try_lock(descriptor: int, shared: bool) -> None:
        os.lseek(descriptor, 1 << 60, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBRLCK if shared else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def lock(descriptor: int, shared: bool = False) -> bool | None:
    """Lock an open file: True when held now, False when another holds it, None where files have no locks."""
    try:
        _try_lock(descriptor, shared)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def lock_patiently(descriptor: int) -> bool | None:
    """As `lock`, but with a few tries: who asks `is_locked` holds the file for a moment."""
    for _ in range(10):
        if (held := lock(descriptor)) is not False:
            return held
        time.sleep(0.01)
    return lock(descriptor)


class FileLock:
    """An exclusive lock on a file of its own.

    Args:
        path: made if it is not there, with its folder; never removed, so that nobody locks a file that is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free. A file system without locks always says yes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        if lock_patiently(descriptor) is False:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(path: Path) -> bool | None:
    """Whether a living process holds the lock on `path`; None where files have no locks."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        held = lock(descriptor, shared=True)
        return None if held is None else not held
    finally:
        os.close(descriptor)
