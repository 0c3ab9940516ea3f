"""What a training loop hands in: numbers of many makes, and everything that is none."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, UserDict
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from trackhub.errors import InvalidValue
from trackhub.intake import Intake, Refusal, number, shown


class Log:
    """An intake, and what it refused and told."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, str, Any, int | None]] = []
        self.told: list[str] = []
        self.intake = Intake(lambda *what: self.refused.append(what), self.told.append)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.delenv("TRACKHUB_STRICT")
    return Log()


class Kind(enum.IntEnum):
    ONE = 1


class Raising:
    """An object that raises wherever it is touched."""

    def __float__(self) -> float:
        raise ZeroDivisionError("no number")

    def __index__(self) -> int:
        raise ZeroDivisionError("no number")

    def __repr__(self) -> str:
        raise ZeroDivisionError("no text")


class Floats(float):
    def __repr__(self) -> str:
        return "not a number"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1),
        (np.bool_(False), 0),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(0.1), 0.1),
        (np.float16(1.5), 1.5),
        (np.int64(-7), -7),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.array(2.5), 2.5),
        (np.array([[3]]), 3),
        (np.float32("nan"), "NaN"),
        (np.float64("-inf"), "-Infinity"),
        (math.inf, "Infinity"),
        (Decimal("0.1"), 0.1),
        (Fraction(1, 4), 0.25),
        (Kind.ONE, 1),
        (Floats(0.5), 0.5),
        (10**1000, 10**1000),
    ],
    ids=repr,
)
def test_numbers_of_many_makes_are_numbers(value: Any, expected: Any) -> None:
    found = number(value)
    assert (type(found), found) == (type(expected), expected)


def test_torch_scalars_and_tensors_of_one_element_are_numbers() -> None:
    torch = pytest.importorskip("torch")
    assert number(torch.tensor(0.5)) == 0.5
    assert number(torch.tensor([[2]])) == 2
    assert number(torch.tensor(1.5, dtype=torch.bfloat16, requires_grad=True)) == 1.5
    assert number(torch.tensor(float("nan"))) == "NaN"
    for bad in (torch.tensor([1.0, 2.0]), torch.tensor([]), torch.tensor(1 + 2j), torch.empty(1, device="meta")):
        with pytest.raises(Refusal):
            number(bad)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("0.5", "string"),
        (b"0.5", "bytes"),
        (None, "NoneType"),
        (1 + 2j, "complex"),
        ([1.0], "list"),
        (object(), "object"),
        (np.array([1.0, 2.0]), "array of several"),
        (np.zeros((1000, 1000)), "array of several"),
        (np.array([]), "array of several"),
        (np.array("text"), "string"),
        (np.complex128(1), "complex"),
        (np.datetime64("2026-01-01"), "date"),
        (Decimal("sNaN"), "gives no number"),
        (Fraction(10**400), "gives no number"),
        (Raising(), "no number"),
        (10**5000, "digits"),
        (float, "type"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused_with_a_reason(value: Any, word: str) -> None:
    with pytest.raises(Refusal, match=word):
        number(value)


def test_a_bad_value_is_told_once_and_refused_each_time_and_the_rest_is_kept(log: Log) -> None:
    for step in range(3):
        assert log.intake.metrics({"good": 1.0, "bad": "text", 7: 1.0, "none": None}, step) == {"good": 1.0}
    assert len(log.told) == 3
    assert "'bad'" in log.told[0]
    assert "log_message or log_params" in log.told[0]
    assert [key for key, *_ in log.refused] == ["bad", "7", "none"] * 3
    assert [step for *_, step in log.refused] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("given", [[1.0], None, 0.5, "loss", {1.0}, object()])
def test_what_is_no_dict_is_refused_as_a_whole(log: Log, given: Any) -> None:
    assert log.intake.metrics(given, 0) == {}
    assert log.told[0].startswith("log_metrics takes a dict, not ")
    assert len(log.refused) == 1


def test_an_empty_dict_is_told_once(log: Log) -> None:
    assert log.intake.metrics({}, 0) == {}
    assert log.intake.metrics({}, 1) == {}
    assert len(log.told) == 1
    assert log.refused == []


@pytest.mark.parametrize("kind", [dict, OrderedDict, UserDict, MappingProxyType])
def test_mappings_of_every_kind_are_taken_and_nested_ones_joined(log: Log, kind: Any) -> None:
    given = kind({"a": 1, "b": kind({"c": 2.0, "d": kind({"e": 3})}), "f": {}})
    assert log.intake.metrics(given, 0) == {"a": 1, "b/c": 2.0, "b/d/e": 3}


def test_keys_of_10000_characters_and_lone_surrogates_are_kept(log: Log) -> None:
    row = log.intake.metrics({"k" * 10_000: 1.0, "\ud800": 2.0}, 0)
    assert list(row) == ["k" * 10_000, "surrogate-escaped:\\ud800"]
    assert log.told == []


@pytest.mark.parametrize("bad", [{"a": "text"}, {7: 1.0}, [1.0], {"a": None}, {"a": Raising()}])
def test_strict_raises_and_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch, bad: Any) -> None:
    monkeypatch.setenv("TRACKHUB_STRICT", "1")
    with pytest.raises(InvalidValue):
        Log().intake.metrics(bad, 0)


@pytest.mark.parametrize("off", ["", "0"])
def test_strict_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    monkeypatch.setenv("TRACKHUB_STRICT", off)
    log = Log()
    log.intake.metrics({"a": "text"}, 0)
    assert len(log.refused) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, 8),
        (3, 3),
        (3.0, 3),
        (True, 1),
        (np.int64(5), 5),
        (np.float64(5.0), 5),
        (np.array(5), 5),
        (10**30, 10**30),
        ("5", 5),
    ],
    ids=repr,
)
def test_steps_of_many_makes_are_integers(log: Log, given: Any, expected: int) -> None:
    found = log.intake.step(given, 7)
    assert (type(found), found) == (int, expected)
    assert log.told == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [(3.5, 3), ("x", 8), (math.nan, 8), (math.inf, 8), ([1], 8), (Raising(), 8), (int, 8), (np.array([1.5, 2]), 8)],
    ids=lambda value: type(value).__name__,
)
def test_a_step_that_is_no_integer_is_told_once_and_logged_all_the_same(log: Log, given: Any, expected: int) -> None:
    assert log.intake.step(given, 7) == expected
    assert log.intake.step(given, 7) == expected
    assert len(log.told) == 1
    assert "step is an integer" in log.told[0]


def test_a_torch_step_of_several_numbers_does_not_raise(log: Log) -> None:
    torch = pytest.importorskip("torch")
    assert log.intake.step(torch.tensor(4), 7) == 4
    assert log.intake.step(torch.tensor([1.5, 2.5]), 7) == 8


@pytest.mark.parametrize("given", [3.5, "x", Raising()])
def test_strict_raises_for_a_bad_step(given: Any) -> None:
    with pytest.raises(InvalidValue, match="step"):
        Log().intake.step(given, 0)


def test_after_a_hundred_different_complaints_there_is_silence(log: Log) -> None:
    for number_ in range(1000):
        log.intake.metrics({f"k{number_}": "text"}, 0)
    assert len(log.told) == 100
    assert len(log.refused) == 1000


@pytest.mark.parametrize("value", [Raising(), 10**5000, "x" * 10**6, [0.0] * 10**6, {"a": Raising()}], ids=lambda _: "")
def test_what_a_value_looks_like_can_always_be_said_briefly(value: Any) -> None:
    assert 0 < len(shown(value)) <= 2000
