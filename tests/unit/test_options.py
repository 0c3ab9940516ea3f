"""A tracker's options: typed, converted, and everything wrong with them told at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from trackhub import ConfigError
from trackhub.making import make
from trackhub.plugin import Options


class Plugin:
    class Options(Options):
        mode: Literal["a", "b"] = "a"
        count: Annotated[int, msgspec.Meta(ge=1)] = 1
        ratio: float = 0.5
        on: bool = False
        token: Annotated[str | None, msgspec.Meta(extra={"secret": True})] = None

    def __init__(self, options: Plugin.Options) -> None:
        self.options = options


class Needy:
    class Options(Options):
        url: str

    def __init__(self, options: Needy.Options) -> None:
        self.options = options


class Plain:
    pass


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"mode": "b"}, "mode", "b"),
        ({"count": "3"}, "count", 3),
        ({"count": 3}, "count", 3),
        ({"ratio": "1e-3"}, "ratio", 1e-3),
        ({"ratio": 1}, "ratio", 1.0),
        ({"on": "true"}, "on", True),
        ({"on": "0"}, "on", False),
        ({"token": "t"}, "token", "t"),
        ({}, "token", None),
    ],
)
def test_options_are_converted_from_text(given: dict[str, Any], field: str, value: Any) -> None:
    plugin = make("p", Plugin, given)
    assert isinstance(plugin, Plugin)
    assert getattr(plugin.options, field) == value


def test_everything_wrong_is_told_at_once_with_where_to_look() -> None:
    with pytest.raises(ConfigError) as caught:
        make("p", Plugin, {"mode": "c", "count": 0, "ratio": "x", "coutn": 2})
    problems = caught.value.problems
    assert len(problems) == 4
    assert "no option 'coutn'. Did you mean 'count'?" in problems[0]
    for problem, name in zip(problems[1:], ("mode", "count", "ratio"), strict=True):
        assert f"option '{name}'" in problem
        assert "trackhub trackers p" in problem


def test_an_option_that_is_needed_is_named() -> None:
    with pytest.raises(ConfigError, match="url"):
        make("n", Needy, {})


def test_a_plugin_without_options_takes_none() -> None:
    assert isinstance(make("q", Plain, {}), Plain)
    with pytest.raises(ConfigError, match="has no option 'a'"):
        make("q", Plain, {"a": 1})
