"""An event is a line, and the line is the event again: every float, int and key, bit by bit."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackhub.events import Event, Metrics
from trackhub.journal.format import decode, encode, encode_text, escape_key, jsonable, restored, spell, unescape_key

KEYS = st.text(st.characters(), max_size=30) | st.text(st.sampled_from("\\ux{}\"'\ud800\udfff\ud83d\ude00\0\n%/é模"))
ESCAPED = KEYS.map(lambda text: "surrogate-escaped:" + text)


def bits(value: float) -> bytes:
    return struct.pack("<d", value) if isinstance(value, float) else str(value).encode()


def there_and_back(metrics: dict[str, Any]) -> dict[str, Any]:
    spelled = {escape_key(key): spell(value) for key, value in metrics.items()}
    line = encode(Metrics(1, 1.5, 7, spelled))
    assert b"\n" not in line
    assert b"null" not in line or any("null" in key for key in metrics)
    event = decode(line)
    assert isinstance(event, Metrics)
    return restored(event.metrics)


@given(st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True))
def test_every_float_comes_back_bit_by_bit(value: float) -> None:
    back = there_and_back({"a": value})["a"]
    assert type(back) is float
    assert bits(back) == bits(value) or (math.isnan(back) and math.isnan(value))


@given(st.binary(min_size=8, max_size=8))
def test_every_bit_pattern_of_a_float_comes_back(raw: bytes) -> None:
    (value,) = struct.unpack("<d", raw)
    back = there_and_back({"a": value})["a"]
    assert bits(back) == raw or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize(
    "value", [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 0.1 + 0.2, 1e16, 1e22]
)
def test_the_famous_floats_come_back(value: float) -> None:
    back = there_and_back({"a": value})["a"]
    assert (type(back), bits(back)) == (float, bits(value))


@given(st.integers() | st.integers(min_value=-(10**400), max_value=10**400))
def test_ints_of_any_size_stay_ints(value: int) -> None:
    back = there_and_back({"a": value})["a"]
    assert (type(back), back) == (int, value)


@given(KEYS | ESCAPED)
def test_every_key_comes_back(key: str) -> None:
    assert unescape_key(escape_key(key)) == key
    assert list(there_and_back({key: 1.0})) == [key]


@given(st.lists(KEYS | ESCAPED, unique=True, max_size=10))
def test_no_two_keys_become_one(keys: list[str]) -> None:
    assert len({escape_key(key) for key in keys}) == len(keys)


@pytest.mark.parametrize(
    "key", ["", "a" * 10_000, "\0\x1f\n\r\t\x7f\u2028", "surrogate-escaped:", "\ud83d", "模型/损失"]
)
def test_awkward_keys_come_back(key: str) -> None:
    assert list(there_and_back({key: 1.0})) == [key]


def test_steps_of_any_size_come_back() -> None:
    for step in (-1, 2**63, 2**64, 10**100):
        event = decode(encode(Metrics(1, 1.0, step, {"a": 1})))
        assert isinstance(event, Metrics)
        assert event.step == step


class Opaque:
    def __str__(self) -> str:
        return "opaque"


def test_a_users_configuration_becomes_plain_json_without_raising() -> None:
    import numpy as np

    given_ = {
        "a": {1: (2, {3.5})},
        "nan": math.nan,
        "inf": [-math.inf],
        "object": Opaque(),
        "numpy": np.float32(0.5),
        "array": np.arange(1),
        "text": "x\ud800",
        b"k": None,
        True: 10**30,
    }
    assert jsonable(given_) == {
        "a": {"1": [2, [3.5]]},
        "nan": "NaN",
        "inf": ["-Infinity"],
        "object": "opaque",
        "numpy": 0.5,
        "array": 0,
        "text": "x\\ud800",
        "b'k'": None,
        "True": 10**30,
    }


def test_an_event_of_any_text_becomes_a_line() -> None:
    from trackhub.events import RunStarted

    event: Event = RunStarted(1, 1.0, project="\udcff", argv=("\udc80",), options={"a": {"b\ud800": "\ud800"}})
    back = decode(encode_text(event))
    assert isinstance(back, RunStarted)
    assert (back.project, back.argv) == ("\\udcff", ("\\udc80",))
