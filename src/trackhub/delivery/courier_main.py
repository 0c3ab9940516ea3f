"""The process of one courier: ``python -P -c ... TRACKER``, started by the supervisor and ended with it."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from trackhub import making, registry
from trackhub.delivery.attempts import Parked, words
from trackhub.delivery.courier import Courier
from trackhub.delivery.protocol import BUSY, Orders, Word
from trackhub.errors import TrackhubError
from trackhub.layout import RunFolder
from trackhub.locks import FileLock

STOP_WITHIN = 5.0
"""Seconds that a courier has to stop at its next step before it ends hard."""


def main() -> None:
    """Deliver as ordered on standard input."""
    speak = _own_voice()
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    stop = threading.Event()
    threading.Thread(target=_end_with_parent, args=(stop,), name="trackhub-parent", daemon=True).start()
    _be_modest()
    lock = FileLock(RunFolder(orders.folder).courier_lock(orders.trackers[0]))
    if not lock.acquire():
        sys.exit(BUSY)
    try:
        speak(_deliver(orders, speak, stop))
    finally:
        # A thread or exit hook that an SDK left behind must not keep a courier that is done.
        logging.shutdown()
        os._exit(0)


def _deliver(orders: Orders, speak: Callable[[Word], None], stop: threading.Event) -> Word:
    name = orders.trackers[0]
    try:
        courier = Courier(RunFolder(orders.folder), name, _maker(name, orders), speak, stop)
        return Word(done=courier.deliver())
    except (Parked, TrackhubError) as error:
        return Word(parked=True, reason=words(error))
    except BaseException:
        logging.getLogger("trackhub").exception("courier %s", name)
        logging.shutdown()
        os._exit(1)


def _maker(name: str, orders: Orders) -> Callable[[], object]:
    plugin_class = registry.load(name, orders.sources.get(name, ""))
    if missing := registry.missing_sdk(name, plugin_class):
        raise TrackhubError(missing)
    return lambda: making.make(name, plugin_class, orders.options.get(name, {}))


def _own_voice() -> Callable[[Word], None]:
    """Words go to the pipe that was standard output; what an SDK prints goes to the log."""
    voice = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")

    def speak(word: Word) -> None:
        try:
            os.write(voice, msgspec.json.encode(word) + b"\n")
        except BrokenPipeError:
            return

    return speak


def _end_with_parent(stop: threading.Event) -> None:
    """Standard input closes when the supervisor is gone, or wants this courier to end."""
    while os.read(0, 1024):
        pass
    stop.set()
    threading.Event().wait(STOP_WITHIN)
    os._exit(1)


def _be_modest() -> None:
    """Short of memory, the system should take a courier before the training."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return
