"""The process of one courier: ``python -P -c ... TRACKER``, started by the supervisor and ended with it."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from trackhub import making, registry
from trackhub.delivery import groups
from trackhub.delivery.attempts import Parked, words
from trackhub.delivery.courier import Courier
from trackhub.delivery.discreet import be_discreet
from trackhub.delivery.protocol import BUSY, Orders, Word
from trackhub.errors import TrackhubError
from trackhub.layout import RunFolder
from trackhub.locks import FileLock
from trackhub.secrets import hide

IMPORT_WITHIN = 150.0
"""Seconds for the import of the plugin's module."""
STOP_WITHIN = 5.0
"""Seconds that a courier has to stop at its next step before it ends hard."""


def main() -> None:
    """Deliver as ordered on standard input."""
    speak, ear = _own_voice(), _own_ear()
    orders = msgspec.json.decode(ear.readline(), type=Orders)
    hide(orders.options)
    stop = threading.Event()
    threading.Thread(target=_end_with_parent, args=(ear, stop), name="trackhub-parent", daemon=True).start()
    _be_modest()
    lock = FileLock(RunFolder(orders.folder).courier_lock(orders.trackers[0]))
    if not lock.acquire():
        sys.exit(BUSY)
    try:
        speak(_deliver(orders, speak, stop))
    finally:
        # A thread or exit hook that an SDK left behind must not keep a courier that is done, nor a child outlive it.
        logging.shutdown()
        groups.end_own()
        os._exit(0)


def _deliver(orders: Orders, speak: Callable[[Word], None], stop: threading.Event) -> Word:
    name = orders.trackers[0]
    try:
        speak(Word(hook="the import of its plugin", deadline=IMPORT_WITHIN))
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
    making.hooks(name, plugin_class)
    if missing := registry.missing_sdk(name, plugin_class):
        raise TrackhubError(missing)
    return lambda: making.make(name, plugin_class, orders.options.get(name, {}))


def _own_voice() -> Callable[[Word], None]:
    """Words go to the pipe that was standard output; what an SDK prints goes to the log."""
    voice, owner = os.dup(1), os.getpid()
    os.dup2(2, 1)
    be_discreet()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")

    def speak(word: Word) -> None:
        if os.getpid() != owner:
            os._exit(1)  # an SDK has forked in a hook, and its child came back: one courier is enough
        try:
            os.write(voice, msgspec.json.encode(word) + b"\n")
        except BrokenPipeError:
            return

    return speak


def _own_ear() -> io.FileIO:
    """Orders come through the pipe that was standard input; an SDK that asks a question reads nothing, at once."""
    ear = io.FileIO(os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return ear


def _end_with_parent(ear: io.FileIO, stop: threading.Event) -> None:
    """The pipe closes when the supervisor is gone, or wants this courier to end, and with it what its SDK started."""
    while ear.read(1024):
        pass
    stop.set()
    threading.Event().wait(STOP_WITHIN)
    groups.end_own()
    os._exit(1)


def _be_modest() -> None:
    """Short of memory, the system should take a courier before the training."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return
