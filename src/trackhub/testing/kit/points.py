"""Every point arrives as it was logged: key, step, value and time."""

from __future__ import annotations

import math
import threading
import time

from trackhub.testing.carrying import Carried
from trackhub.testing.expected import Row
from trackhub.testing.journals import SomeJournal
from trackhub.testing.kit.base import Base, some_rows

KEYS = {
    "empty": [""],
    "long": ["k" * 250, "k" * 251, "k" * 512, "k" * 513, "k" * 10_000, "k" * 9_999 + "j"],
    "slashes": ["/", "//", "a//b", "/a", "a/", "a/b", "a", "..", ".", "../../x", "a/../b", "a/./b"],
    "blanks": [" ", " a", "a ", "a b", "a\tb", "a\nb", "a\r\nb", "\x00", "a\x00b", "\x1b[31mred", "\x7f"],
    "signs": ['"', "'", "a,b", "a;b", "a=b", "=1+1", "100%", "a%20b", "a%2520b", "%empty", ":3A", "a:b", "a@b", "#"],
    "brackets": ["(a)", "[0]", "{x}", "<b>", "a|b", "a\\b", "a*b", "a?b", "~", "a~1b2c3d4e", "$HOME", "`id`"],
    "letters": ["损失", "потеря", "🙂", "e\u0301", "é", "A", "ﬀ", "ff", "\u202e", "\ufeffa", "İ", "ı"],
    "surrogates": ["\ud800", "a\udfffb"],
    "reserved": ["step", "timestamp", "metric.step", "_step", "_timestamp", "_runtime", "epoch", "__swanlab__.x"],
    "ours": ["trackhub/step", "trackhub/status", "trackhub/params", "system/cpu", "rank-1/loss", "run_id", "id"],
}
NUMBERS = [
    0,
    0.0,
    -0.0,
    1,
    -1,
    0.1,
    1 / 3,
    1e-45,
    5e-324,
    3.4028234e38,
    3.5e38,
    1e308,
    -1e308,
    2**53,
    2**53 + 1,
    -(2**60),
]


class Points(Base):
    """Tests of points."""

    def test_every_point_arrives_as_it_was_logged(self, carried: Carried, journal: SomeJournal) -> None:
        """Over several batches, with metrics that come and go."""
        rows = some_rows(journal, 2_300)
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)

    def test_every_number_arrives(self, carried: Carried, journal: SomeJournal) -> None:
        """Zeroes of both signs, the smallest and the largest, and integers beyond what a float holds."""
        rows = [({"number": value}, step, journal.row({"number": value}, step)) for step, value in enumerate(NUMBERS)]
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)

    def test_an_integer_beyond_every_float_is_stored_or_told(self, carried: Carried, journal: SomeJournal) -> None:
        """10**400 is an integer like any other in the journal."""
        rows: list[Row] = [({"number": value}, 0, journal.row({"number": value}, 0)) for value in (10**400, 1)]
        journal.end()
        self.deliver(carried, journal.folder, rows)
        limits = self.declared.limits
        self.assert_complete(carried, journal.folder)
        assert limits.big_ints or carried.cursor(journal.folder).safe.mapped_values

    def test_nan_and_infinities_are_stored_or_left_out_and_told(self, carried: Carried, journal: SomeJournal) -> None:
        """As the limits say; the finite numbers beside them arrive."""
        rows = []
        for step, value in enumerate([math.nan, math.inf, -math.inf, 1.5]):
            metrics = {"odd": value, "even": 1.0}
            rows.append((metrics, step, journal.row(metrics, step)))
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)
        limits = self.declared.limits
        left_out = (0 if limits.nan else 1) + (0 if limits.infinite else 2)
        assert carried.cursor(journal.folder).safe.mapped_values == left_out

    def test_every_key_arrives_apart_from_all_others(self, carried: Carried, journal: SomeJournal) -> None:
        """Keys that a backend may refuse, fold together, or take for its own."""
        rows = []
        for step in range(2):
            for keys in KEYS.values():
                metrics = {key: number + step / 2 for number, key in enumerate(keys)}
                rows.append((metrics, step, journal.row(metrics, step)))
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)

    def test_a_step_that_repeats_or_goes_back_is_kept_as_declared(self, carried: Carried, journal: SomeJournal) -> None:
        """A validation that comes late, and a row that is logged again."""
        rows = []
        for number, step in enumerate([0, 5, 5, 3, 4, 5, 100, 0]):
            metrics = {"a": float(number)} if number % 2 else {"a": float(number), "b": -float(number)}
            rows.append((metrics, step, journal.row(metrics, step)))
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)

    def test_a_step_that_the_backend_cannot_hold_is_set_aside_alone(
        self, carried: Carried, journal: SomeJournal
    ) -> None:
        """And named in the receipt; the rows around it arrive."""
        least, largest = self.declared.limits.steps or (-(2**80), 2**80)
        steps = [1, least, largest, least - 1, largest + 1, 2]
        rows = [({"a": 1.5}, step, journal.row({"a": 1.5}, step)) for step in steps]
        journal.end()
        refused = 2 if self.declared.limits.steps else 0
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder, rejected=refused)

    def test_times_need_not_grow(self, carried: Carried, journal: SomeJournal) -> None:
        """A clock that was set back, and a run of long ago."""
        rows = []
        for step, moment in enumerate([journal.time, journal.time - 3600.5, 1.5, journal.time]):
            journal.time = moment
            rows.append(({"a": float(step)}, step, journal.row({"a": float(step)}, step)))
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)

    def test_a_journal_that_still_grows_is_followed(self, carried: Carried, journal: SomeJournal) -> None:
        """Live delivery: the same courier, on a run that has not ended."""
        rows = some_rows(journal, 50)

        def train() -> None:
            for part in range(4):
                time.sleep(0.4)
                rows.extend(some_rows(journal, 25, first=50 + 25 * part))
            journal.end()

        training = threading.Thread(target=train)
        training.start()
        carried.deliver(journal.folder)
        training.join()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)

    def test_two_runs_of_one_folder_stay_apart(self, carried: Carried, journal: SomeJournal) -> None:
        """The same keys and steps, in two runs."""
        other = SomeJournal(journal.folder.path.with_name("some-run_20260101_000000-2"))
        ours, theirs = some_rows(journal, 20), some_rows(other, 30)
        journal.end()
        other.end()
        self.deliver(carried, journal.folder, ours)
        self.deliver(carried, other.folder, theirs)
        self.deliver(carried, journal.folder, ours)
