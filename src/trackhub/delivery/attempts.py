"""What happens when a hook raises: wait, try again, open anew, set aside, or give up. The whole policy is here.

Retry, OSError    the backend is away: the same call again, for as long as it takes, with growing pauses, or when the
                  backend asks for it; a plugin that can go back to its cursor is opened anew each time
Rejected          the event is set aside (a batch is halved first, by the handover)
anything else     three tries, then as Rejected; here, too, such a plugin is opened anew each time
opening           five tries, then the tracker is parked
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable

from trackhub.delivery.facade import deadline
from trackhub.delivery.protocol import Word
from trackhub.errors import ConfigError
from trackhub.plugin import Rebuild, Rejected, Retry
from trackhub.secrets import redact_text

TRIES = 3
OPENINGS = 5
OPENING = ("opening", 0)
FIRST_PAUSE = 0.5
"""Seconds: also the shortest, whatever a backend asks for."""
LONGEST_PAUSE = 60.0
LONGEST_ASKED = 3600.0
"""Seconds that a backend may ask for. It may be back earlier: `trackhub sync` tries at once."""


class Reopen(Exception):  # noqa: N818 - steers the courier, is no error
    """Make a new plugin instance at the cursor."""


class Stopped(Exception):  # noqa: N818 - steers the courier, is no error
    """The supervisor wants the courier to end."""


class Parked(Exception):  # noqa: N818 - steers the courier, is no error
    """The tracker does not work, and another try would not help."""


class Attempts:
    """Calls the hooks of one tracker, with patience.

    Args:
        speak: takes the courier's words for its supervisor.
        stop: set when the courier is to end.
    """

    def __init__(self, speak: Callable[[Word], None], stop: threading.Event) -> None:
        self._speak = speak
        self._stop = stop
        self._pause = FIRST_PAUSE
        self._failures: Counter[tuple[str, int]] = Counter()
        self._written_down: set[tuple[str, int | None]] = set()
        self.goes_back = False
        """Whether the open tracker, made anew at the cursor, has forgotten everything behind it."""
        self.plugin: object = None
        """The instance that is being called; its class states the deadlines."""

    def calling(self, hook: str) -> None:
        """Tell the supervisor which hook is being called, so that it can tell a slow one from a hung one."""
        self._speak(Word(hook=hook, deadline=deadline(self.plugin, hook) if hook else 0.0))

    def call(self, call: Callable[[], None], key: tuple[str, int], tries: int = TRIES) -> None:
        """Call until it works.

        Args:
            call: the hook call.
            key: names it in the count of failures: (file, ordinal) of its first event, or a word and 0.
            tries: how often something else than `Retry` or an OSError may come of it.

        Raises:
            Rejected: refused, or failed `tries` times.
            Reopen: failed, and the tracker can go back to its cursor.
            Stopped: the courier is to end.
        """
        while True:
            try:
                call()
            except (Rejected, Rebuild, Reopen, Stopped, ConfigError):
                raise
            except Retry as away:
                self._wait(away.after, words(away))
                self._go_back()
            except OSError as away:
                self._wait(None, words(away))
                self._go_back()
            except Exception as error:  # noqa: BLE001 - whatever a stranger's plugin raises
                self._failed(key, tries, error)
                self._go_back()
            else:
                if key != OPENING:  # that it opens does not say that it takes anything
                    self._pause = FIRST_PAUSE
                return

    def forget(self) -> None:
        """What failed so far is behind the cursor: it is not asked about any more."""
        self._failures.clear()

    def _failed(self, key: tuple[str, int], tries: int, error: Exception) -> None:
        self._failures[key] += 1
        self._write_down(error)
        if self._failures[key] >= tries:
            raise Rejected(words(error)) from error
        self._wait(0.1 * self._failures[key], words(error))

    def _write_down(self, error: Exception) -> None:
        """The traceback, for the plugin's author: once per place, to standard error, which is delivery/delivery.log."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        if (place.filename, place.lineno) not in self._written_down:
            self._written_down.add((place.filename, place.lineno))
            with contextlib.suppress(OSError, ValueError, AttributeError):  # an SDK may have closed it
                print(redact_text("".join(traceback.format_exception(error))), file=sys.stderr, end="", flush=True)

    def _go_back(self) -> None:
        """Nobody knows how much of a failed call arrived: a tracker that can forgets it, and is given it again."""
        if self.goes_back:
            raise Reopen

    def open(self, call: Callable[[], None]) -> None:
        """Open the tracker; while it is being opened, it has nothing to go back to.

        Raises:
            Parked: it did not open in five tries, or cannot be as it is asked for.
        """
        self.goes_back = False
        try:
            self.call(call, OPENING, OPENINGS)
        except (ConfigError, Rejected) as error:
            raise Parked(words(error)) from error
        self._failures.pop(OPENING, None)

    def _wait(self, after: float | None, reason: str) -> None:
        pause = self._pause if after is None else min(max(after, FIRST_PAUSE), LONGEST_ASKED)
        if after is None:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._speak(Word(backing_off=pause, reason=reason))
        if self._stop.wait(pause):
            raise Stopped


def words(error: BaseException) -> str:
    """An exception as one redacted line, at most 500 characters."""
    text = " ".join(str(error).encode("utf-8", "backslashreplace").decode().split())
    kind = "" if isinstance(error, Retry | Rejected | ConfigError | Parked) else f"{type(error).__name__}: "
    return redact_text(f"{kind}{text}")[:500] or type(error).__name__
