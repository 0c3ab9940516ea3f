"""How an event is a line, and a line an event: the only place that knows.

JSON encoders turn NaN and infinities into null, so these travel as strings, typed by their position: a string
where a number belongs. Keys with lone surrogates, which UTF-8 cannot hold, travel with a prefix and escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trackhub.errors import JournalError
from trackhub.events import FORMAT, AnyEvent, Event, Header
from trackhub.secrets import redact

encode = msgspec.json.Encoder(enc_hook=str).encode
_decode: Callable[[bytes], Event] = msgspec.json.Decoder(AnyEvent).decode
_decode_header = msgspec.json.Decoder(Header).decode
_decode_kind = msgspec.json.Decoder(dict[str, Any]).decode

_NONFINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_ESCAPED = "surrogate-escaped:"


def encode_text(event: Event | Header) -> bytes:
    """`encode` for events with text of the world's making: what UTF-8 cannot hold is escaped."""
    try:
        return encode(event)
    except UnicodeEncodeError:
        return encode(jsonable(msgspec.to_builtins(event)))


def spell(number: float) -> int | float | str:
    """`number` as the journal holds it: itself, or the name of what JSON cannot hold."""
    if number - number == 0:
        return number
    if number != number:
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def unspell(value: Any) -> Any:
    """The inverse of `spell`."""
    return _NONFINITE.get(value, value) if type(value) is str else value


def escape_key(key: str) -> str:
    """`key` as UTF-8 can hold it; `unescape_key` gives it back."""
    if key.startswith(_ESCAPED):
        return _ESCAPED + key.encode("unicode_escape").decode()
    try:
        key.encode()
    except UnicodeEncodeError:
        return _ESCAPED + key.encode("unicode_escape").decode()
    return key


def unescape_key(key: str) -> str:
    """The inverse of `escape_key`."""
    if key.startswith(_ESCAPED):
        return key.removeprefix(_ESCAPED).encode().decode("unicode_escape")
    return key


def jsonable(value: Any) -> Any:
    """`value`, a user's configuration, as JSON can hold it: non-finite floats by name, unknown objects as text."""
    if isinstance(value, float):
        return spell(value)
    if isinstance(value, dict):
        return {escape_key(str(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value if value is None or isinstance(value, bool | int) else jsonable(_plain(value))


def storable(value: Any) -> Any:
    """`jsonable`, without credentials: also those in the text of an object that `value` contains."""
    return redact(jsonable(redact(value)))


def _plain(value: Any) -> Any:
    """A number for what holds one (numpy, torch on the CPU), else its text."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "size", None) in (1, ()) and not getattr(value, "is_cuda", False):
        number = item()
        if isinstance(number, bool | int | float | str):
            return number
    return str(value)


def decode(line: bytes) -> Event | None:
    """The event of a line; None for a kind that this version does not know.

    Raises:
        JournalError: the line is no event: torn, zeroed, or not JSON.
    """
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not _is_unknown(line, error):
            raise JournalError(f"not an event: {line[:80]!r}") from error
        return None


def _is_unknown(line: bytes, error: Exception) -> bool:
    """Whether a line that does not decode is a whole event of a newer trackhub."""
    try:
        return isinstance(error, msgspec.ValidationError) and isinstance(_decode_kind(line).get("kind"), str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def decode_header(line: bytes, where: str) -> Header:
    """The header of a journal file.

    Raises:
        JournalError: not a header, or of a newer format than this version reads.
    """
    try:
        header = _decode_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(f"{where} does not begin with a journal header") from error
    if header.trackhub > FORMAT:
        raise JournalError(
            f"{where} has journal format {header.trackhub}, this trackhub reads up to {FORMAT}: "
            "pip install --upgrade trackhub-ml"
        )
    return header


def restored(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics as they were logged, from how the journal holds them."""
    return {unescape_key(key): unspell(value) for key, value in metrics.items()}
