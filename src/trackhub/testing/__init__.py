"""What the author of a plugin tests with; public, and shipped in the wheel.

TrackerConformance  the conformance kit: a tracker's whole test is a subclass of a few lines
open_tracker        a plugin opened in this process, through the same facade as its courier uses
SomeRun             a run to open it on
SomeJournal         the journal of a run, written to order
Carried             a plugin class carried by a real courier, in a process that may be killed
faulty              any tracker, made to misbehave in one hook
RecordingTracker    a tracker that writes down every hook call; `recorded` reads it
FaultyTracker       the same, misbehaving in a hook of your choice
install, on_path    a plugin that is found by entry point for the length of a test
no_survivors        fails if a process outlives what is inside it

The kit is a set of pytest classes: ``pip install 'trackhub-ml[testing]'``.
"""

from typing import TYPE_CHECKING

from trackhub.testing.carrying import Carried
from trackhub.testing.faults import faulty
from trackhub.testing.harness import SomeRun, open_tracker
from trackhub.testing.installing import install, on_path
from trackhub.testing.journals import SomeJournal
from trackhub.testing.processes import no_survivors
from trackhub.testing.recording import FaultyTracker, RecordingTracker, recorded

if TYPE_CHECKING:
    from trackhub.testing.kit import TrackerConformance

__all__ = [
    "Carried",
    "FaultyTracker",
    "RecordingTracker",
    "SomeJournal",
    "SomeRun",
    "TrackerConformance",
    "faulty",
    "install",
    "no_survivors",
    "on_path",
    "open_tracker",
    "recorded",
]


def __getattr__(name: str) -> object:
    """The kit is loaded on first use: it needs pytest, and a courier that carries the recorder does not."""
    if name == "TrackerConformance":
        import pytest

        pytest.register_assert_rewrite("trackhub.testing.kit")
        from trackhub.testing.kit import TrackerConformance

        return TrackerConformance
    raise AttributeError(f"module 'trackhub.testing' has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
