"""From what `log_media` gets to files in the run folder; what is no medium is told and kept out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trackhub.intake import Intake, Refusal, shown
from trackhub.journal.format import escape_key, jsonable
from trackhub.layout import RunFolder
from trackhub.media.base import Encoded
from trackhub.media.meant import meant
from trackhub.media.store import store
from trackhub.secrets import redact_text

_DEEPEST = 32


def kept(given: Any, step: int, folder: RunFolder, intake: Intake) -> Iterator[dict[str, Any]]:
    """Store each medium in `given`; yields the fields of its event."""
    if not intake.is_mapping("log_media", given, step):
        return
    for key, value in _named("", given, step, intake):
        try:
            medium = meant(value)
            caption = redact_text(str(medium.caption or ""))
            fields = _stored(medium.encoded(), folder)
        except Exception as error:  # noqa: BLE001 - whatever an encoder raises must not end a training
            intake.bad(key, _reason(error), value, step)
        else:
            yield {"key": escape_key(redact_text(key)), "step": step, "caption": jsonable(caption), **fields}


def _named(
    prefix: str, given: Mapping[Any, Any], step: int, intake: Intake, depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """(key, value) of each medium: those in a list are numbered, nested mappings are joined with "/"."""
    for name, value in given.items():
        if not isinstance(name, str):
            intake.bad(shown(name), f"the key of a medium is a string, not {type(name).__name__}", value, step)
            continue
        items = dict(zip(map(str, range(len(value))), value, strict=True)) if isinstance(value, list | tuple) else value
        if not isinstance(items, Mapping) or depth == _DEEPEST:
            yield prefix + name, value
        elif not items:
            intake.tell("empty", prefix + name, f"log_media got nothing under {(prefix + name)[:80]!r}: nothing to log")
        else:
            yield from _named(f"{prefix}{redact_text(name)}/", items, step, intake, depth + 1)


def _stored(encoded: Encoded, folder: RunFolder) -> dict[str, Any]:
    path, digest = store(folder, encoded.content, encoded.extension)
    where = path.relative_to(folder.path).as_posix()
    return {"media_kind": encoded.kind, "path": where, "sha256": digest, "details": encoded.details}


def _reason(error: Exception) -> str:
    if isinstance(error, Refusal):
        return redact_text(str(error))
    if isinstance(error, OSError):
        return redact_text(f"its file cannot be read or kept: {error}")
    return redact_text(f"it cannot become a file: {type(error).__name__}: {error}")[:500]
