"""What the author of a plugin tests with; public, and shipped in the wheel.

open_tracker        a plugin opened in this process, through the same facade as its courier uses
SomeRun             a run to open it on
RecordingTracker    a tracker that writes down every hook call; `recorded` reads it
FaultyTracker       the same, misbehaving in a hook of your choice
install, on_path    a plugin that is found by entry point for the length of a test
no_survivors        fails if a process outlives what is inside it
"""

from trackhub.testing.harness import SomeRun, open_tracker
from trackhub.testing.installing import install, on_path
from trackhub.testing.processes import no_survivors
from trackhub.testing.recording import FaultyTracker, RecordingTracker, recorded

__all__ = [
    "FaultyTracker",
    "RecordingTracker",
    "SomeRun",
    "install",
    "no_survivors",
    "on_path",
    "open_tracker",
    "recorded",
]
