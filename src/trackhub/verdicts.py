"""What a plugin says back: not now, never, from the beginning, not safe yet."""

from __future__ import annotations


class Retry(Exception):  # noqa: N818 - a verdict, not an error
    """The backend is away: hand the same again, not before `after` seconds (None: the courier's own backoff)."""

    def __init__(self, reason: str = "", after: float | None = None) -> None:
        self.after = after
        super().__init__(reason)


class Rejected(Exception):  # noqa: N818 - a verdict, not an error
    """The backend will never take this: it is set aside with the reason, and nothing of the call was stored."""


class Rebuild(Exception):  # noqa: N818 - a verdict, not an error
    """What the backend holds no longer matches the cursor, and it is empty now: deliver the run from its beginning.

    A plugin first discards its own files and then raises this, from `on_run_start` or `on_rewind`.
    """


class _Unsealed:
    """The type of `UNSEALED`."""

    def __repr__(self) -> str:
        return "UNSEALED"


UNSEALED = _Unsealed()
"""`flush` returns this while what was handed over could not survive a crash: the cursor stays where it is."""
