"""Any tracker, made to misbehave in one hook: before it does its work, or after it."""

from __future__ import annotations

import builtins
import errno
import functools
import io
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal
from unittest import mock

from trackhub.plugin import Rejected, Retry, hookimpl

Fault = Literal["raise", "hang", "exit", "crash", "kill", "reject", "away", "outage", "cut", "slow"]
"""raise: an unexpected error. hang, slow: it sleeps. exit: `os._exit`. crash: a segmentation fault. kill: SIGKILL.
reject: `Rejected`. away: `Retry`. outage: a connection error, as an SDK raises it. cut: the hook does its work, but no
file opens for writing and nobody is reached: a plugin that swallows such errors loses what it was given."""


def misbehave(fault: str, seconds: float = 3600.0) -> None:
    """Do it."""
    _FAULTS[fault](seconds)


def faulty(
    tracker: type,
    hook: str,
    fault: Fault,
    counter: Path,
    *,
    call: int = 1,
    times: int = 1,
    after: bool = False,
    seconds: float = 3600.0,
) -> type:
    """A subclass of `tracker` that misbehaves in one hook.

    Args:
        tracker: a plugin class that implements `hook`.
        hook: the hook.
        fault: what it does there.
        counter: a file that counts the calls, so that a restart goes on counting.
        call: the first call at which it misbehaves, counted from 1.
        times: at how many calls in a row.
        after: whether the hook does its work first: then the backend has it, and nobody knows.
        seconds: how long it hangs, or is slow.
    """
    real = getattr(tracker, hook)

    @functools.wraps(real)
    def sick(*arguments: Any) -> Any:
        due = call <= _count(counter) < call + times
        if due and fault == "cut":
            with cut():
                return real(*arguments)
        result = real(*arguments) if after or not due else None
        if not due:
            return result
        misbehave(fault, seconds)
        return result if after else real(*arguments)

    return type(tracker.__name__, (tracker,), {hook: hookimpl(sick)})


@contextmanager
def cut() -> Iterator[None]:
    """No file opens for writing, and nobody is reached, as far as Python code does it, while this lasts."""
    names = {socket.socket: ("connect", "send", "sendall", "sendto"), socket: ("create_connection",)}
    with ExitStack() as stack:
        for owner, broken in names.items():
            for name in broken:
                stack.enter_context(mock.patch.object(owner, name, _unreachable))
        for owner in (builtins, io):
            stack.enter_context(mock.patch.object(owner, "open", _reading_only(owner.open)))
        yield


def _unreachable(*_: Any, **__: Any) -> Any:
    raise ConnectionError(errno.EHOSTUNREACH, "the faulty tracker reaches nobody")


def _reading_only(real: Callable[..., Any]) -> Callable[..., Any]:
    def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if set(mode) & set("wax+"):
            raise OSError(errno.EIO, "the faulty tracker's disk takes nothing", str(file))
        return real(file, mode, *arguments, **named)

    return opened


def _count(counter: Path) -> int:
    """Count one call, on disk."""
    with counter.open("ab") as file:
        file.write(b".")
    return counter.stat().st_size


def _raise(_seconds: float) -> None:
    raise RuntimeError("the faulty tracker raises")


def _reject(_seconds: float) -> None:
    raise Rejected("the faulty tracker refuses this")


def _away(_seconds: float) -> None:
    raise Retry("the faulty tracker's backend is away")


def _outage(_seconds: float) -> None:
    raise ConnectionError("the faulty tracker's backend is away")


_FAULTS: dict[str, Callable[[float], object]] = {
    "raise": _raise,
    "reject": _reject,
    "away": _away,
    "outage": _outage,
    "hang": time.sleep,
    "slow": time.sleep,
    "exit": lambda _seconds: os._exit(7),
    "crash": lambda _seconds: os.kill(os.getpid(), signal.SIGSEGV),
    "kill": lambda _seconds: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM)),
}
