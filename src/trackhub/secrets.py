"""Keep credentials out of whatever is written: configuration, command lines, environments, messages.

Two things give a credential away: the name it stands under (`_secret_names`) and its own shape
(`_secret_shapes`). What looks like neither stays byte for byte; `docs/secrets.md` says where the limits are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from trackhub._secret_known import hide
from trackhub._secret_names import REDACTED, hides, is_secret_name
from trackhub._secret_shapes import begins_key, ends_key, hide_aws_secrets, holds_aws_id, is_of_key
from trackhub._secret_text import redact_text

__all__ = [
    "REDACTED",
    "LineByLine",
    "hide",
    "is_secret_name",
    "redact",
    "redact_argv",
    "redact_environ",
    "redact_text",
]

_DEEPEST = 64
_CYCLE = "[cycle]"
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+~/")


def redact(value: Any, key: str = "") -> Any:
    """A copy of `value` with every credential in it replaced by "[redacted]".

    Mappings, lists, tuples, sets and strings (and bytes) are looked through to a depth of 64; other objects are
    returned as they are, numbers included. A structure that contains itself ends in "[cycle]".

    Args:
        value: anything; it is not changed.
        key: the name that `value` stands under, dotted if nested ("hub.token").
    """
    return _Walk().redact(value, key, 0)


class LineByLine:
    """Lines of which nobody sees the whole: a private key hides from its first line to its last."""

    def __init__(self) -> None:
        self._inside: set[str] = set()

    def redact(self, line: str, source: str = "") -> str:
        """`line` without credentials; "" inside a private key, whose first line stands for all of it.

        Args:
            line: the next line.
            source: where it comes from: a key of one source does not hide another's lines.
        """
        if source in self._inside:
            if ends_key(line) or not is_of_key(line):
                self._inside.discard(source)
            if ends_key(line) or is_of_key(line):
                return ""
        if begins_key(line) and not ends_key(line):
            self._inside.add(source)
        return redact_text(line)


def redact_argv(argv: Sequence[str]) -> list[str]:
    """A command line without its credentials: `--api-key VALUE`, `--api-key=VALUE`, `hub.token=VALUE`, any URL."""
    return _redact_strings(argv)


def redact_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables by name, each value redacted by its name and its shape."""
    return {name: _redact_string(value, name) for name, value in environ.items()}


def _redact_string(text: str, key: str) -> str:
    return REDACTED if hides(key, text) else redact_text(text)


def _redact_strings(strings: Iterable[str], key: str = "") -> list[str]:
    """Strings that belong together: an option's value follows it, an AWS secret stands beside its id."""
    given = list(strings)
    if any(map(holds_aws_id, given)):
        given = [hide_aws_secrets(text) for text in given]
    options = ["", *map(_option_before, given)]
    return [_redact_argument(text, option, key) for text, option in zip(given, options, strict=False)]


def _option_before(argument: str) -> str:
    return argument.lstrip("-") if argument.startswith("-") and set(argument) <= _OF_NAMES else ""


def _redact_argument(argument: str, option: str, key: str) -> str:
    is_option = argument.startswith("--") and not argument.startswith("---")
    if hides(option, argument) and not is_option:
        return REDACTED
    name, equals, value = argument.partition("=")
    if equals and set(name) <= _OF_NAMES and hides(name, value):
        argument = f"{redact_text(name)}={REDACTED}"
    return _redact_string(argument, key)


class _Walk:
    """One walk through a structure. Each container is copied once for each name that it stands under."""

    def __init__(self) -> None:
        self._copies: dict[tuple[int, str], tuple[Any, Any]] = {}

    def redact(self, value: Any, key: str, depth: int) -> Any:
        if isinstance(value, str):
            redacted = _redact_string(value, key)
            return value if redacted == value else redacted
        if isinstance(value, bytes):
            return _redact_string(value.decode("latin-1"), key).encode("latin-1")
        if isinstance(value, Mapping | list | tuple | AbstractSet):
            return self._copy_once(value, key, depth)
        return value

    def _copy_once(self, value: Any, key: str, depth: int) -> Any:
        if depth >= _DEEPEST:
            return REDACTED
        known = (id(value), key)
        if known not in self._copies:
            # The original is kept beside its copy so that its id stays its own; until then it is a cycle.
            self._copies[known] = (value, _CYCLE)
            self._copies[known] = (value, self._copy(value, key, depth + 1))
        return self._copies[known][1]

    def _copy(self, value: Any, key: str, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._copy_mapping(value, key, depth)
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            items: Iterable[Any] = _redact_strings(value, key)
        else:
            items = (self.redact(item, key, depth) for item in value)
        return _same_kind(value)(items)

    def _copy_mapping(self, value: Mapping[Any, Any], key: str, depth: int) -> dict[Any, Any]:
        pair = value.get("name") if "value" in value else None
        copy = {}
        for given, item in value.items():
            name = redact_text(given) if isinstance(given, str) else given
            meant = redact_text(pair) if name == "value" and isinstance(pair, str) else name
            copy[name] = self.redact(item, _below(key, meant), depth)
        return copy


def _same_kind(value: Any) -> type[list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]]:
    if isinstance(value, list | tuple):
        return list if isinstance(value, list) else tuple
    return frozenset if isinstance(value, frozenset) else set


def _below(key: str, name: Any) -> str:
    """The name of an entry, with as much of its parents as matters: one that is secret, or the nearest."""
    if not isinstance(name, str):
        return key
    parent = "secret" if is_secret_name(key) else key.rpartition(".")[2]
    return f"{parent}.{name}" if parent else name
