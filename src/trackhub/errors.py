"""What trackhub raises at its user, and nothing else.

TrackhubError
├── ConfigError      the user's mistake: a name, an option, a folder. Exit code 2.
├── JournalError     a journal that cannot be opened, read or written
│   └── JournalBusy  another living process writes this file
└── InvalidValue     a value that cannot be logged; raised only under TRACKHUB_STRICT=1
"""


class TrackhubError(Exception):
    """The base of all errors of trackhub. Its text says what, where, and the command that mends it."""


class ConfigError(TrackhubError):
    """One or more mistakes in what the user asked for, each a line of the message."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class JournalError(TrackhubError):
    """The journal cannot be opened, read or written."""


class JournalBusy(JournalError):  # noqa: N818 - as `BlockingIOError` is to `OSError`, a case of its base
    """A second writer on a file that a living process already writes."""


class InvalidValue(TrackhubError, ValueError):  # noqa: N818 - says what is wrong
    """A key, value or step that cannot be logged. Raised only under ``TRACKHUB_STRICT=1``."""
