"""Points that are stored, compared with points that were logged: by what a tracker states of itself."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from trackhub.checking.owed import Owed
from trackhub.checking.points import SHOWN, Column, Comparison, Point, narrowed
from trackhub.delivery.cursor import Cursor
from trackhub.plugin import Limits, hookimpl
from trackhub.testing import SomeJournal

LOGGED: list[Point] = [(step, step * 0.1, 1000.0 + step) for step in range(100)]


def counts(comparison: Comparison, wanted: list[Point], stored: list[Point]) -> tuple[int, int, int]:
    found = comparison.compare(list(wanted), list(stored))
    assert bool(found.first) == bool(found.missing or found.extra or found.different)
    return found.missing, found.extra, found.different


def test_equal_points_agree_in_any_order() -> None:
    shuffled = random.sample(LOGGED, len(LOGGED))
    assert counts(Comparison(), LOGGED, LOGGED) == (0, 0, 0)
    assert counts(Comparison(), LOGGED, shuffled) == (0, 0, 0)
    assert counts(Comparison(), [], []) == (0, 0, 0)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (LOGGED[1:], (1, 0, 0)),
        (LOGGED[:50], (50, 0, 0)),
        ([], (100, 0, 0)),
        ([*LOGGED, (100, 1.0, 1.0)], (0, 1, 0)),
        ([*LOGGED, LOGGED[5]], (0, 1, 0)),
        ([(0, 7.0, 1000.0), *LOGGED[1:]], (0, 0, 1)),
        ([(0, 0.0, 1000.001), *LOGGED[1:]], (0, 0, 1)),
        ([(500, 0.0, 1000.0), *LOGGED[1:]], (1, 1, 0)),
        ([(0, 7.0, 1000.0), *LOGGED[2:], (500, 1.0, 1.0)], (1, 1, 1)),
    ],
    ids=["one missing", "half missing", "all missing", "extra", "twice", "value", "time", "step", "all at once"],
)
def test_what_differs_is_told_apart(stored: list[Point], expected: tuple[int, int, int]) -> None:
    assert counts(Comparison(), LOGGED, stored) == expected


def test_a_few_differences_are_told_in_words() -> None:
    found = Comparison().compare(list(LOGGED), [(0, 7.0, 1000.0), *LOGGED[1:60], (999, 1.5, 1.0)])
    assert len(found.first) == SHOWN
    assert found.first[0] == "step 0: logged 0.0 at 1000.0, stored 7.0 at 1000.0"
    assert found.first[1] == "step 60: 6.0 is missing"
    assert Comparison().compare([], [(999, 1.5, 1.0)]).first == ["step 999: 1.5 was never logged"]


@pytest.mark.parametrize(
    ("logged", "stored", "same"),
    [
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.nan, 0.0, False),
        (-0.0, 0.0, False),
        (3, 3.0, True),
        (2**70 + 1, 2**70 + 1, True),
        (2**70 + 1, 2**70, False),
        (0.1, math.nextafter(0.1, 1), False),
        (5e-324, 0.0, False),
    ],
)
def test_numbers_are_compared_to_the_last_bit(logged: float, stored: float, same: bool) -> None:
    column = Column()
    column.add(2**65, logged, 1.5)
    assert counts(Comparison(), list(column), [(2**65, stored, 1.5)]) == ((0, 0, 0) if same else (0, 0, 1))


def test_times_may_differ_by_the_backend_s_own_step() -> None:
    wanted = [(step, 1.0, 1_767_225_600.25 + step * 1.0004567) for step in range(1000)]
    stored = [(step, value, round(moment * 1000) / 1000) for step, value, moment in wanted]
    assert counts(Comparison(0.001), wanted, stored) == (0, 0, 0)
    assert counts(Comparison(), wanted, stored)[2] > 900
    late = [(step, value, moment + 0.0021) for step, value, moment in stored]
    assert counts(Comparison(0.001), wanted, late) == (0, 0, 1000)


@pytest.mark.parametrize(("repeats", "left"), [("keep", [1, 2, 3, 9]), ("first", [1, 9]), ("last", [3, 9])])
def test_points_that_repeat_a_step_are_kept_as_declared(repeats: str, left: list[int]) -> None:
    points: list[Point] = [(0, 1, 1.0), (0, 2, 2.0), (0, 3, 3.0), (1, 9, 4.0)]
    expected = Comparison(repeats=repeats).expected(points)
    assert sorted(point[1] for point in expected) == left


def test_a_backend_with_a_primary_key_holds_equal_points_once() -> None:
    points: list[Point] = [(0, 1.0, 5.0001), (0, 1.0, 5.0002), (0, 2.0, 5.0002), (0, 1.0, 5.0021)]
    assert len(Comparison(0.001, merges=True).expected(points)) == 3
    assert len(Comparison(0.001).expected(points)) == 4


def test_very_many_points_at_one_step_take_no_quadratic_time() -> None:
    wanted: list[Point] = [(0, float(number % 7), float(number)) for number in range(200_000)]
    stored = random.sample(wanted, len(wanted))
    stored[0] = (0, 99.0, -1.0)
    assert sum(counts(Comparison(), wanted, stored)) in (1, 2)


def test_a_32_bit_backend_is_owed_32_bits() -> None:
    assert narrowed(0.1, 32) == 0.10000000149011612
    assert narrowed(1e39, 32) == math.inf
    assert narrowed(-1e39, 32) == -math.inf
    assert narrowed(0.1, 64) == 0.1
    assert math.isnan(narrowed(math.nan, 32))


class Narrow:
    limits = Limits(key_forbidden=" ", nan=False, steps=(0, 10), float_bits=32, big_ints=False)

    @hookimpl
    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        raise AssertionError("nothing is handed over to find out what is owed")


def test_what_is_owed_heeds_the_limits_and_leaves_out_what_was_refused(tmp_path: Path) -> None:
    journal = SomeJournal(tmp_path / "run")
    journal.params({"lr": 1})
    journal.row({"a b": 0.1, "c": math.nan}, step=0)
    journal.row({"a b": 0.2}, step=11)
    journal.row({"a b": 0.3}, step=2)
    journal.row({"a b": 2**60 + 1}, step=3)
    journal.end()
    cursor = Cursor(tracker="narrow")
    cursor.handed.add_rejection("rank-0.jsonl", 5, "metrics at step 2", "no")
    owed = Owed(journal.folder, "narrow", Narrow(), cursor)
    assert owed.counts() == {"a%20b": 2}
    points = [(step, value) for step, value, _ in owed.columns(["a%20b"])["a%20b"]]
    assert points == [(0, narrowed(0.1, 32)), (3, float(2**60))]
    assert not (journal.folder.path / "delivery").exists()


def test_what_a_rewind_took_back_is_owed_in_the_raw_view_only(tmp_path: Path) -> None:
    journal = SomeJournal(tmp_path / "run")
    for step in range(5):
        journal.row({"a": step}, step)
    journal.end("killed")
    journal.resume(step=2)
    journal.row({"a": -3}, 3)
    journal.end()
    owed, raw = (Owed(journal.folder, "n", Narrow(), Cursor(tracker="n"), view) for view in ("effective", "raw"))
    assert [value for _, value, _ in owed.columns(["a"])["a"]] == [0, 1, 2, -3]
    assert [value for _, value, _ in raw.columns(["a"])["a"]] == [0, 1, 2, 3, 4, -3]
