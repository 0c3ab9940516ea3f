"""What happens when a hook raises: wait, try again, open anew, set aside, or give up."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from trackhub.delivery import attempts as module
from trackhub.delivery.attempts import OPENINGS, TRIES, Attempts, Parked, Reopen, Stopped, words
from trackhub.delivery.protocol import Word
from trackhub.errors import ConfigError
from trackhub.plugin import Rebuild, Rejected, Retry


class Stop(threading.Event):
    """A stop signal that remembers how long it was waited for, and waits for no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


class Setup:
    def __init__(self) -> None:
        self.stop = Stop()
        self.words: list[Word] = []
        self.attempts = Attempts(self.words.append, self.stop)
        self.calls = 0

    def raising(self, *errors: BaseException) -> Callable[[], None]:
        """A call that raises these, one after the other, and then works."""
        left = list(errors)

        def call() -> None:
            self.calls += 1
            if left:
                raise left.pop(0)

        return call


@pytest.fixture
def setup() -> Setup:
    return Setup()


KEY = ("rank-0.jsonl", 1)


def test_a_call_that_works_is_made_once_and_waits_for_nothing(setup: Setup) -> None:
    setup.attempts.call(setup.raising(), KEY)
    assert (setup.calls, setup.stop.waits) == (1, [])


def test_a_backend_that_is_away_is_tried_for_as_long_as_it_takes_with_growing_pauses(setup: Setup) -> None:
    setup.attempts.call(setup.raising(*[Retry("away")] * 20, *[ConnectionError("down")] * 20), KEY)
    assert setup.calls == 41
    assert setup.stop.waits[:4] == [0.5, 1, 2, 4]
    assert max(setup.stop.waits) == module.LONGEST_PAUSE
    assert setup.words[0].reason == "away"
    assert setup.words[-1].reason == "ConnectionError: down"
    assert all(word.backing_off for word in setup.words)


def test_a_stated_delay_is_kept_to_and_success_ends_the_growth(setup: Setup) -> None:
    setup.attempts.call(setup.raising(Retry("a", after=7.0), Retry("b"), Retry("c")), KEY)
    setup.attempts.call(setup.raising(Retry("d")), KEY)
    assert setup.stop.waits == [7.0, 0.5, 1.0, 0.5]


def test_anything_else_is_tried_three_times_and_then_set_aside_with_its_reason(setup: Setup) -> None:
    with pytest.raises(Rejected, match="ValueError: bad thing") as caught:
        setup.attempts.call(setup.raising(*[ValueError("bad\nthing")] * 9), KEY)
    assert setup.calls == TRIES
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("verdict", [Rejected("no"), Rebuild("again"), ConfigError("wrong")])
def test_verdicts_go_straight_through(setup: Setup, verdict: Exception) -> None:
    with pytest.raises(type(verdict)):
        setup.attempts.call(setup.raising(verdict), KEY)
    assert setup.calls == 1


def test_a_tracker_that_can_go_back_is_opened_anew_and_its_tries_are_counted_on(setup: Setup) -> None:
    setup.attempts.goes_back = True
    call = setup.raising(*[ValueError("bad")] * 9)
    for _ in range(TRIES - 1):
        with pytest.raises(Reopen):
            setup.attempts.call(call, KEY)
    with pytest.raises(Rejected):
        setup.attempts.call(call, KEY)
    with pytest.raises(Reopen):
        setup.attempts.call(setup.raising(OSError("disk")), ("rank-0.jsonl", 2))


def test_a_tracker_that_does_not_open_in_five_tries_is_parked(setup: Setup) -> None:
    setup.attempts.goes_back = True
    with pytest.raises(Parked, match="RuntimeError: no"):
        setup.attempts.open(setup.raising(*[RuntimeError("no")] * 9))
    assert setup.calls == OPENINGS


def test_a_tracker_that_opens_at_the_fifth_try_is_open_and_begins_to_count_anew(setup: Setup) -> None:
    for _ in range(2):
        setup.attempts.open(setup.raising(*[RuntimeError("no")] * (OPENINGS - 1)))


def test_a_mistake_in_the_options_parks_at_once(setup: Setup) -> None:
    with pytest.raises(Parked, match="wrong"):
        setup.attempts.open(setup.raising(ConfigError("wrong")))
    assert setup.calls == 1


def test_a_courier_that_is_to_end_does_not_wait_for_a_backend(setup: Setup) -> None:
    setup.stop.set()
    with pytest.raises(Stopped):
        setup.attempts.call(setup.raising(*[Retry("away")] * 9), KEY)
    assert setup.calls == 1


def test_a_call_is_announced_with_its_deadline(setup: Setup) -> None:
    class Plugin:
        deadlines = {"flush": 5}  # noqa: RUF012 - as an author writes it

    setup.attempts.plugin = Plugin()
    setup.attempts.calling("flush")
    setup.attempts.calling("log_metrics")
    setup.attempts.calling("")
    assert [(word.hook, word.deadline) for word in setup.words] == [("flush", 5.0), ("log_metrics", 60.0), ("", 0.0)]


def test_reasons_are_one_short_line_without_secrets() -> None:
    text = words(ValueError("line one\n  line two https://user:hunter2hunter2@host/ " + "x" * 1000))
    assert text.startswith("ValueError: line one line two")
    assert "hunter2" not in text
    assert len(text) <= 500
    assert words(KeyError()) == "KeyError:" or words(KeyError())
