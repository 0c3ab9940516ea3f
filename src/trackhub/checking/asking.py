"""Questions about trackers, each put to a process of its own: no plugin module and no SDK is loaded in this one.

The asked process gets its orders, options included, through its standard input, and answers one line of JSON. It ends
with the process that asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

import msgspec

from trackhub import making, registry
from trackhub.delivery.attempts import words
from trackhub.delivery.facade import deadline
from trackhub.delivery.protocol import Orders
from trackhub.delivery.spawn import command, environment, give
from trackhub.errors import TrackhubError

HUNG = 124
"""Exit code of an asked process that gave up because a hook did not return within its deadline."""
END_WITHIN = 5.0
"""Seconds that an asked process has to clean up after itself when the answer is no longer wanted."""


LEAST = 300.0
"""Seconds that each hook has at least: reading a long run back takes longer than handing it over."""


class Answer(msgspec.Struct, kw_only=True):
    """The base of all answers."""

    tracker: str = ""
    problem: str = ""
    """Why there is no answer, in words."""


A = TypeVar("A", bound=Answer)


class Asking:
    """Puts questions, a few at a time.

    Args:
        module: whose `main` answers.
        kind: what it answers.
        jobs: how many processes at once.
        scratch: whether each gets a folder for its own use, as its last argument.
    """

    def __init__(self, module: str, kind: type[Answer], jobs: int = 2, scratch: bool = False) -> None:
        self._module = module
        self._kind = kind
        self._jobs = jobs
        self._scratch = scratch
        self._running: set[subprocess.Popen[bytes]] = set()
        self._over = False

    def ask(self, questions: Iterable[Orders]) -> list[Any]:
        """The answers, in the order of the questions; each is about one run and one tracker."""
        pool = ThreadPoolExecutor(self._jobs, thread_name_prefix="trackhub-ask")
        try:
            return list(pool.map(self._ask, questions))
        finally:
            self._over = True
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(self._running):
                _end(process)

    def _ask(self, orders: Orders) -> Answer:
        """One question. What the process puts into its scratch folder is removed, also when it crashes."""
        scratch = tempfile.mkdtemp(prefix="trackhub-") if self._scratch else ""
        try:
            return self._answer_to(orders, scratch)
        finally:
            if scratch:
                shutil.rmtree(scratch, ignore_errors=True)

    def _answer_to(self, orders: Orders, scratch: str) -> Answer:
        process = subprocess.Popen(
            command(self._module, orders.trackers[0], scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
            start_new_session=True,
        )
        self._running.add(process)
        try:
            give(process, orders)
            text = process.stdout.read() if process.stdout is not None and not self._over else b""
        finally:
            _end(process)
            self._running.discard(process)
        return self._understood(text, orders.trackers[0], process.returncode)

    def _understood(self, text: bytes, tracker: str, code: int) -> Answer:
        try:
            answer = msgspec.json.decode(text, type=self._kind)
        except msgspec.DecodeError:
            why = "a hook did not return in time" if code == HUNG else f"its process ended with exit code {code}"
            return self._kind(tracker=tracker, problem=f"{why}, without an answer")
        answer.tracker = tracker
        return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closing its input asks a process to end."""
    try:
        if process.stdin is not None:
            process.stdin.close()
    except OSError:
        pass
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdout is not None and not process.stdout.closed:
            process.stdout.close()


class Alarm:
    """Ends this process when a hook does not return within its deadline.

    Args:
        plugin: states the deadlines.
        clean_up: called before the end.
    """

    def __init__(self, plugin: object, clean_up: Callable[[], None]) -> None:
        self._plugin = plugin
        self._clean_up = clean_up
        self._timer: threading.Timer | None = None

    def __call__(self, hook: str) -> None:
        """A hook is about to be called; "" when it has returned."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if hook:
            self._timer = threading.Timer(max(deadline(self._plugin, hook), LEAST), self._expired)
            self._timer.daemon = True
            self._timer.start()

    def _expired(self) -> None:
        self._clean_up()
        os._exit(HUNG)


def answer(kind: type[A], find_out: Callable[[Orders, object], A], clean_up: Callable[[], None]) -> NoReturn:
    """The life of an asked process.

    Args:
        kind: what it answers.
        find_out: makes the answer from the orders and an instance of the plugin.
        clean_up: called at the end, also when the answer is no longer wanted.
    """
    voice = os.dup(1)
    os.dup2(2, 1)
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    threading.Thread(target=_end_with_parent, args=(clean_up,), name="trackhub-parent", daemon=True).start()
    try:
        found = find_out(orders, _made(orders))
    except TrackhubError as error:
        found = kind(problem=str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a stranger's plugin raises
        found = kind(problem=words(error))
    clean_up()
    with os.fdopen(voice, "wb") as out:
        out.write(msgspec.json.encode(found))
    # A thread or exit hook that an SDK left behind must not keep the process.
    os._exit(0)


def _made(orders: Orders) -> object:
    name = orders.trackers[0]
    plugin_class = registry.load(name, orders.sources.get(name, ""))
    making.hooks(name, plugin_class)
    return making.make(name, plugin_class, orders.options.get(name, {}))


def _end_with_parent(clean_up: Callable[[], None]) -> None:
    while os.read(0, 1024):
        pass
    clean_up()
    os._exit(1)
