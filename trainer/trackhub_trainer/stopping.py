"""Ctrl-C and SIGTERM: the step ends, a checkpoint is saved, the run is finished as killed, and a line says so."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: whoever sent it does not wait long."""


def _terminate(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Inside, SIGTERM raises `Terminated` in the main thread."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def how_to_go_on(stop: BaseException, run: Path) -> None:
    """Note where the run lies, and the command that goes on with it, if it has a checkpoint."""
    stop.add_note(f"The run is marked as killed: {run}")
    if any((run / "checkpoints").glob("checkpoint-step-*.ckpt")):
        stop.add_note(f"Go on with it: trainer --resume-from-checkpoint {shlex.quote(str(run))}")


class Stopping:
    """What the signals do while a run is open, as a context.

    A signal raises in the main thread, wherever that is; in `gently` the first one only leaves word, and the second
    raises. An exception that is raised inside a destructor is lost, so `look` raises it again.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._gentle = False
        self._owner = os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in NUMBERS}
        self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is not None and issubclass(kind, Terminated):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the run is being finished: no time for another one

    @property
    def asked(self) -> bool:
        """Whether somebody wants the training to stop."""
        return self._came is not None

    def ask(self, number: int = signal.SIGTERM) -> None:
        """Leave word, as a signal does; on a rank that another rank has told."""
        self._came = self._came or number

    def look(self) -> None:
        """Raise, if a signal has come: KeyboardInterrupt, or `Terminated`."""
        if self._came is not None:
            raise Terminated if self._came == signal.SIGTERM else KeyboardInterrupt

    def listen(self) -> None:
        """Be the one who hears the signals; Lightning puts itself before us when it starts.

        One that was ignored, as Ctrl-C is for a process in the background, stays ignored.
        """
        for number, before in self._before.items():
            if before != signal.SIG_IGN:
                signal.signal(number, self._hear)

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Inside, the first signal lets the step end; whoever runs the steps asks `asked`. It is raised at the end.

        Lightning turns an interrupt into `sys.exit(1)`: the interrupt itself comes out.
        """
        self._gentle = True
        try:
            yield
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            raise
        finally:
            self._gentle = False
            self.listen()
        self.look()

    def noticing(self, then: Callable[[int], None]) -> Callable[[int], None]:
        """`then`, which is called now and again, with a `look` before it."""

        def seen(count: int) -> None:
            self.look()
            then(count)

        return seen

    def _hear(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._owner:
            self._in_worker(number)
            return
        first = self._came is None
        self._came = number if number == signal.SIGTERM else self._came or number
        if not (first and self._gentle):
            self.look()

    def _in_worker(self, number: int) -> None:
        """A forked worker goes on at Ctrl-C, since the step wants its batches, and ends when it is told to."""
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
