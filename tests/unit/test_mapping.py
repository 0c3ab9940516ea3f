"""What a backend does not take is mapped: deterministically, apart from all others, and told."""

from __future__ import annotations

import math
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackhub.delivery.mapping import Mapper
from trackhub.plugin import Limits

STRICT = Limits(key_forbidden=r"[^\w/.%~-]", key_length=40)
KEYS = st.text(st.sampled_from("ab/%: é模\0\ud800~"), max_size=60)


def key(limits: Limits, name: str) -> str:
    (mapped,) = Mapper(limits).row({name: 1.0})[0]
    return mapped


def test_what_fits_stays_as_it_is_and_is_not_told() -> None:
    assert Mapper(STRICT).row({"a/b.c": 1.0}) == ({"a/b.c": 1.0}, {})
    assert Mapper(Limits()).row({"any: thing%\n": 1}) == ({"any: thing%\n": 1}, {})


@given(st.text(st.sampled_from("ab/%: é模"), min_size=1, max_size=12))
def test_a_mapped_key_can_be_read_back(name: str) -> None:
    mapped = key(STRICT, name)
    assert not re.search(STRICT.key_forbidden, mapped)
    if mapped != name and "~" not in mapped:
        assert unquote(mapped) == name


@given(st.lists(KEYS, unique=True, max_size=20))
def test_no_two_keys_become_one_and_none_is_lost(names: list[str]) -> None:
    row, changed = Mapper(STRICT).row(dict.fromkeys(names, 1.0))
    assert len(row) == len(names)
    assert all(len(mapped) <= 40 for mapped in row)
    assert {changed.get(name, name) for name in names} == set(row)


@given(st.lists(KEYS, unique=True, min_size=1, max_size=20))
def test_a_key_comes_to_the_same_in_any_order_and_in_any_process(names: list[str]) -> None:
    forwards, backwards = Mapper(STRICT), Mapper(STRICT)
    first = {name: next(iter(forwards.row({name: 1.0})[0])) for name in names}
    assert {name: next(iter(backwards.row({name: 1.0})[0])) for name in reversed(names)} == first


def test_a_key_that_looks_encoded_keeps_apart_from_one_that_was() -> None:
    row, _ = Mapper(Limits(key_forbidden=" ")).row(dict.fromkeys(["a ", "a%20", "a%2520", "", "%empty", "50%"], 1.0))
    assert list(row) == ["a%20", "a%2520", "a%252520", "%empty", "%25empty", "50%"]


def test_a_key_that_is_too_long_is_cut_and_keeps_apart() -> None:
    one, two = key(STRICT, "x" * 10_000), key(STRICT, "x" * 10_001)
    assert len(one) == len(two) == 40
    assert one != two
    assert re.fullmatch(r"x+~[0-9a-f]{8}", one)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_a_backend_does_not_store_are_left_out_and_told(value: float) -> None:
    row, changed = Mapper(Limits(nan=False, infinite=False)).row({"a": value, "b": 1.0})
    assert row == {"b": 1.0}
    assert list(changed) == [f"a = {value}"]
    assert set(Mapper(Limits()).row({"a": value})[0]) == {"a"}


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 10**400, -(10**400)])
def test_big_integers_become_the_nearest_float_where_they_must_and_are_told(value: int) -> None:
    row, changed = Mapper(Limits(big_ints=False)).row({"a": value})
    assert type(row["a"]) is float
    assert row["a"] in (float(2**53), float(-(2**53)), 2.0**53 + 2, -(2.0**53) - 2, math.inf, -math.inf)
    assert len(changed) == 1
    assert ("nearest" in str(changed)) == math.isfinite(row["a"])
    assert ("beyond the largest float" in str(changed)) == math.isinf(row["a"])
    assert Mapper(Limits()).row({"a": value}) == ({"a": value}, {})
    assert Mapper(Limits(big_ints=False)).row({"a": 2**53}) == ({"a": 2**53}, {})


def test_an_integer_that_would_become_infinite_is_left_out_where_infinities_are() -> None:
    row, changed = Mapper(Limits(big_ints=False, infinite=False)).row({"a": 10**400})
    assert row == {}
    assert list(changed.values()) == ["left out: the backend stores no such number"]
